"""A world of normal pictures and synthetic anomalies with exact masks, repeatable by seed, without torch."""

from models.data.synthetic.world import SyntheticSample, World, sample

__all__ = ["SyntheticSample", "World", "sample"]
