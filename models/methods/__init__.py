"""Anomaly detection methods, one file each, named as their papers."""
