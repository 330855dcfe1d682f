"""What computes: backbones, methods, scoring, training and evaluation.  Importable without `app`."""
