"""Anomaly detection data sets on disk: who is normal, who is anomalous, where the masks are."""

from models.data.datasets.known import LAYOUTS, Layout, read_dataset
from models.data.datasets.masks import read_mask
from models.data.datasets.samples import DataSet, Sample, Split

__all__ = ["LAYOUTS", "DataSet", "Layout", "Sample", "Split", "read_dataset", "read_mask"]
