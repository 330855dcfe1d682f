"""What the inspector does with layer maps once the model has run: fusing, thresholds, masks.  Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.services.colours import ColourScale, around, common_scale, uncalibrated_scale
from app.services.inspection import FloatMaps
from app.services.scores import top_fraction_mean
from models.config import InspectionConfig
from models.errors import DataError
from models.reading import PictureMaps, Reading

if TYPE_CHECKING:
    from torch import Tensor

    from models.calibration import Calibration, Thresholds
    from models.loading import LoadedModel
    from models.presets import Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class MapReader:
    """How maps become one map and a score under some settings; hashable, so it can key a cache."""

    reading: Reading
    available: tuple[int, ...]  # the L layers of the maps, counted from 1
    chosen: tuple[int, ...]
    input_px: int  # side of the model's input, whose pixels `blur_sigma` counts
    blur_sigma: float
    top_k: float  # share of pixels
    alpha: float = 0.0  # share of the refined maps
    top_patches: int = 1

    def layer_maps(self, maps: PictureMaps) -> FloatMaps:
        """One map a layer: (L, gh, gw), the branches blended."""
        from models import scoring  # not at import: the page must be up before torch is

        blended = scoring.blend_branches(as_tensor(maps.branch_maps), self.alpha)[0]
        result: FloatMaps = blended.numpy()
        return result

    def anomaly_map(self, maps: PictureMaps, *, size_hw: tuple[int, int]) -> FloatMaps:
        """`models.scoring.anomaly_map` of one picture: (H, W)."""
        import torch

        from models import scoring

        with torch.inference_mode():
            fused = scoring.anomaly_map(
                scoring.blend_branches(as_tensor(maps.branch_maps), self.alpha),
                self.available,
                self.chosen,
                input_size_hw=(self.input_px, self.input_px),
                blur_sigma=self.blur_sigma,
                output_size_hw=size_hw,
                joining=self.reading.joining,
            )
        result: FloatMaps = fused[0].numpy()
        return result

    def score(self, maps: PictureMaps, anomaly_map: FloatMaps, *, tiled: bool = False) -> float:
        """The image score, by pixels of the finished map or by patches, as the method does it.

        Args:
            maps: of the whole picture.
            anomaly_map: (H, W), made of them by this reader.
            tiled: tiles had a part in the map; patches are then counted as the share of its pixels.
        """
        if self.reading.score == "global" and maps.global_score is not None:
            return maps.global_score
        if self.reading.score != "patches":
            return top_fraction_mean(anomaly_map, self.top_k)
        patches = maps.branch_maps.shape[-2] * maps.branch_maps.shape[-1]
        if tiled:
            highest = top_fraction_mean(anomaly_map, min(1.0, self.top_patches / patches))
            return highest if maps.global_score is None else 0.5 * maps.global_score + 0.5 * highest
        import torch

        from models import scoring

        patch_map = scoring.fuse_layers(
            scoring.blend_branches(as_tensor(maps.branch_maps), self.alpha),
            self.available,
            self.chosen,
            self.reading.joining,
        )
        whole = None if maps.global_score is None else torch.tensor([maps.global_score])
        return float(scoring.patch_score(patch_map, whole, self.top_patches)[0])


def reader_for(
    preset: Preset, available: tuple[int, ...], chosen: tuple[int, ...], input_px: int, settings: InspectionConfig
) -> MapReader:
    """The reader of a preset's maps; what the settings leave open is the preset's.

    Args:
        preset: whose maps.
        available: the layers that the maps belong to.
        chosen: those that are joined.
        input_px: side of the model's input.
        settings: the user's.
    """
    alpha = preset.alpha if settings.alpha is None else settings.alpha
    return MapReader(
        reading=preset.reading,
        available=available,
        chosen=chosen,
        input_px=input_px,
        blur_sigma=settings.blur_sigma,
        top_k=settings.top_k,
        alpha=alpha if alpha is not None and preset.alpha is not None else 0.0,
        top_patches=settings.top_patches or preset.top_patches or 1,
    )


def reader_of(model: LoadedModel, settings: InspectionConfig) -> MapReader:
    """The reader of a model's maps.

    Raises:
        DataError: the settings name a layer that the model does not have, or an alpha and it has nothing to blend.
    """
    if settings.alpha is not None and model.preset.alpha is not None and len(model.branches) < 2:
        raise DataError(
            f"The head of {model.preset.name} has no refined maps, so alpha means nothing there; leave it out."
        )
    chosen = chosen_layers(settings.layers, model)
    return reader_for(model.preset, model.layers, chosen, model.image_size, settings)


def chosen_layers(wanted: tuple[int, ...] | None, model: LoadedModel) -> tuple[int, ...]:
    """The wanted layers in ascending order; None means the model's own choice.

    Raises:
        DataError: the model has no such layer.
    """
    if wanted is None:
        return model.default_layers
    available = model.layers
    missing = sorted(set(wanted) - set(available))
    if missing:
        raise DataError(
            f"This model has no layer {', '.join(map(str, missing))}; choose among {', '.join(map(str, available))}."
        )
    return tuple(sorted(set(wanted)))


def calibrated(model: LoadedModel, layers: tuple[int, ...], settings: InspectionConfig) -> Thresholds | None:
    """The model's thresholds for these settings; None = it carries none."""
    if model.calibration is None:
        return None
    reader = reader_for(model.preset, model.layers, layers, model.image_size, settings)
    return thresholds_of(model.calibration, reader)


def thresholds_of(calibration: Calibration, reader: MapReader) -> Thresholds:
    """The thresholds for a reader's settings."""
    return calibration.thresholds(
        reader.chosen,
        top_k=reader.top_k,
        blur_sigma=reader.blur_sigma,
        alpha=reader.alpha,
        top_patches=reader.top_patches,
    )


def score_threshold(settings: InspectionConfig, thresholds: Thresholds | None) -> float | None:
    """Where a picture is anomalous, in units of its score; None = nobody knows.

    A threshold set by hand is one of the map.  Where scores have units of their own (half of them is the map's), the
    score's threshold moves half as far as the map's did; without a calibration both are the same number.
    """
    if settings.threshold is None:
        return None if thresholds is None else thresholds.anomalous
    if thresholds is None or thresholds.mask is None:
        return settings.threshold
    return thresholds.anomalous + 0.5 * (settings.threshold - thresholds.mask)


def layer_scale(model: LoadedModel) -> ColourScale:
    """One scale for all single layers, wide enough for each, at the preset's own settings."""
    if model.calibration is None:
        return uncalibrated_scale(model.preset.reading, 1)
    preset = model.preset
    settings = InspectionConfig(top_k=preset.top_k, blur_sigma=preset.blur_sigma)
    singles = [calibrated(model, (layer,), settings) for layer in model.layers]
    in_odds = preset.reading.gives_probabilities
    return common_scale(
        around(single.normal_level, single.pixel, in_odds=in_odds) for single in singles if single is not None
    )


def as_tensor(branch_maps: FloatMaps) -> Tensor:
    """One picture's maps as a batch of one: (1, R, L, gh, gw)."""
    import torch

    return torch.from_numpy(branch_maps.copy()).unsqueeze(0)


def mask_at(anomaly_map: FloatMaps, threshold: float | None) -> NDArray[np.bool_]:
    """Where the map reaches the threshold; without one, nowhere."""
    if threshold is None:
        return np.zeros(anomaly_map.shape, dtype=np.bool_)
    mask: NDArray[np.bool_] = anomaly_map >= threshold
    return mask
