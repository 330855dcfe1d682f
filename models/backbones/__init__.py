"""Frozen vision transformers behind one interface."""

from models.backbones.vit import Backbone, Features, build_backbone

__all__ = ["Backbone", "Features", "build_backbone"]
