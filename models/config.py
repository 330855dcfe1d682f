"""What can be changed without loading another model; all but prompts and tiles without running the backbone again."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.methods.prompts import PromptSet


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionConfig:
    """How layer maps become a map, a score and a mask; hashable, so it can key a cache."""

    layers: tuple[int, ...] | None = None  # counted from 1; None = the preset's default
    top_k: float = 0.01  # share of the pixels whose mean is the image score, in (0, 1]
    blur_sigma: float = 4.0  # pixels at the model's input size; 0 turns smoothing off
    threshold: float | None = None  # in units of the fused map; None = the calibrated one
    alpha: float | None = None  # share of the refined maps, in [0, 1]; None = the preset's
    top_patches: int | None = None  # whose mean is half the score where patches are scored; None = the preset's
    prompts: PromptSet | None = None  # words of methods that compare with text; None = the paper's
    tile: int | None = None  # side of overlapping tiles, pixels of the picture; 0 = the model's input; None = no tiles
    reference_weight: float | None = None  # share of the reference map, in [0, 1]; None = by the rule

    def __post_init__(self) -> None:
        if self.layers is not None and not self.layers:
            raise ValueError("layers must name at least one layer, or be None for all of them")
        if not 0.0 < self.top_k <= 1.0:
            raise ValueError(f"top_k must be in (0, 1], got {self.top_k}")
        if not 0.0 <= self.blur_sigma < math.inf:
            raise ValueError(f"blur_sigma must be 0 or more and finite, got {self.blur_sigma}")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise ValueError(f"threshold must be a finite number, got {self.threshold}")
        if self.alpha is not None and not 0.0 <= self.alpha <= 1.0:
            raise ValueError(f"alpha must be in [0, 1], or None for the preset's, got {self.alpha}")
        if self.top_patches is not None and self.top_patches < 1:
            raise ValueError(f"top_patches must be 1 or more, or None for the preset's, got {self.top_patches}")
        if self.tile is not None and self.tile < 0:
            raise ValueError(f"tile must be 0 or more pixels, or None for no tiles, got {self.tile}")
        if self.reference_weight is not None and not 0.0 <= self.reference_weight <= 1.0:
            raise ValueError(f"reference_weight must be in [0, 1], or None for the rule, got {self.reference_weight}")
