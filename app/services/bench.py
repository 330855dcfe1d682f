"""Measure time on this machine: what the method adds to its bare backbone, and what a slider change costs.

Backbone and method alternate within one run, so that a machine that slows down slows both; the ratio is taken pair by
pair.  The first pass of each is not counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from app.services.inspector import Inspector
from app.services.rendering import overlay_image, shrink
from app.services.reports import Track, resized, untracked, use_threads
from models.config import InspectionConfig
from models.data.pictures import Picture
from models.evaluation.synthetic import held_out_samples
from models.registry import DEFAULT_PRESET

if TYPE_CHECKING:
    from models.loading import LoadedModel
    from models.weights import WeightsLocation

SLIDER_SIZES_WH: Final = ((518, 518), (3000, 2000))
_SHOWN_PX: Final = 1024  # the page shows no overlay larger than about this


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRequest:
    """What to measure."""

    preset: str = DEFAULT_PRESET
    image_size: int | None = None  # pixels; None = the size that the head was trained for
    threads: int | None = None  # of torch; None = torch's choice
    repeats: int = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long one run took, in seconds."""

    wall_s: float
    cpu_s: float  # of all threads of this process


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Repeated measurements in brief."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SliderTime:
    """What one change of a slider costs at one picture size."""

    size_wh: tuple[int, int]  # pixels
    inspect_s: Spread  # layer maps to map, score, mask, regions, with a new threshold worked out
    overlay_s: Spread  # drawing the overlay at the size of the page


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """All times of one run, in seconds."""

    preset: str
    device: str
    image_size: int
    threads: int
    repeats: int
    load_s: float
    backbone_s: Spread  # every block, no extra tokens, final LayerNorm
    method_s: Spread  # images to layer maps
    ratio: Spread  # method to backbone, pair by pair; 1.06 = adds 6 %
    cpu_ratio: Spread  # the same in this process's processor time, which other programs disturb less
    sliders: tuple[SliderTime, ...]
    words_s: Spread | None = None  # encoding other words, of methods that compare with text; once for all pictures


def run_bench(
    request: BenchRequest,
    where: WeightsLocation,
    device: str = "cpu",
    *,
    load: Callable[[str], LoadedModel] | None = None,
    track: Track = untracked,
) -> BenchReport:
    """Load a preset and time it.

    Args:
        request: what to measure.
        where: where weights may come from.
        device: "cpu", "cuda" or "mps".
        load: how a preset's name becomes a model; the default loads it from `where`.
        track: shows progress.
    Raises:
        WeightsError: the preset's weights are missing.
        DataError: the image size does not fit the model.
    """
    import torch

    if request.threads is not None:
        use_threads(request.threads)
    start_s = time.perf_counter()
    model = (load or Inspector(where, device).model)(request.preset)
    load_s = time.perf_counter() - start_s
    model = resized(model, request.image_size)
    pairs = list(track(alternating(*passes(model), repeats=request.repeats), desc="pairs", total=request.repeats))
    return BenchReport(
        preset=request.preset,
        device=device,
        image_size=model.image_size,
        threads=torch.get_num_threads(),
        repeats=request.repeats,
        load_s=load_s,
        backbone_s=spread([backbone.wall_s for backbone, _ in pairs]),
        method_s=spread([method.wall_s for _, method in pairs]),
        ratio=spread([method.wall_s / backbone.wall_s for backbone, method in pairs]),
        cpu_ratio=spread([method.cpu_s / backbone.cpu_s for backbone, method in pairs]),
        sliders=tuple(slider_time(model, where, size_wh, request.repeats) for size_wh in SLIDER_SIZES_WH),
        words_s=words_time(model, request.repeats),
    )


def words_time(model: LoadedModel, repeats: int) -> Spread | None:
    """Time what other words cost before a picture is looked at; None for methods that know none.

    Args:
        model: run with new words each time, so nothing is remembered.
        repeats: how often, after one uncounted time.
    """
    from models.methods.daclip import DAClip
    from models.methods.prompts import PromptSet

    method = model.method
    if not isinstance(method, DAClip):
        return None
    named = [PromptSet(object_name=f"part {number}") for number in range(repeats + 1)]
    times = [timed(method.with_prompts(words).text_features).wall_s for words in named]
    return spread(times[1:])


def spread(values: Sequence[float]) -> Spread:
    """Sum repeated measurements up: median, lowest and highest; at least one value."""
    return Spread(median=statistics.median(values), lowest=min(values), highest=max(values))


def alternating(
    first: Callable[[], object], second: Callable[[], object], *, repeats: int
) -> Iterator[tuple[Duration, Duration]]:
    """Time two things in turn, each pair in the other order than the one before; both run once uncounted.

    Args:
        first: run without arguments.
        second: likewise.
        repeats: how many pairs.
    Yields:
        How long the first and the second took.
    """
    first()
    second()
    for repeat in range(repeats):
        if repeat % 2:
            of_second = timed(second)
            yield timed(first), of_second
        else:
            yield timed(first), timed(second)


def timed(action: Callable[[], object]) -> Duration:
    """Run something once and say how long it took."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    action()
    return Duration(wall_s=time.perf_counter() - wall_s, cpu_s=time.process_time() - cpu_s)


def passes(model: LoadedModel) -> tuple[Callable[[], object], Callable[[], object]]:
    """Make what is compared: the bare backbone through all its blocks, and the whole method, on one random image."""
    import torch

    backbone, last = model.method.backbone, model.method.backbone.depth
    images = torch.randn(1, 3, model.image_size, model.image_size, generator=torch.Generator().manual_seed(0))
    images = images.to(model.device)

    def finished(result: torch.Tensor) -> float:
        return float(result.flatten()[0])  # a GPU has only been asked until a number is read back

    def bare() -> float:
        with torch.inference_mode():
            return finished(backbone.final_norm(backbone(images, (last,)).patch_tokens[last]))

    return bare, lambda: finished(model.method.maps(images).branch_maps)


def slider_time(model: LoadedModel, where: WeightsLocation, size_wh: tuple[int, int], repeats: int) -> SliderTime:
    """Time what the page does when the smoothing is moved: everything after the layer maps is computed anew.

    Args:
        model: run once, on a synthetic picture.
        where: not used beyond the inspector's needs.
        size_wh: the picture's size in pixels.
        repeats: how many changes.
    """
    inspector = Inspector(where, model.device, load=lambda _: model)
    picture = _picture(size_wh)
    background = shrink(picture.rgb, _SHOWN_PX)
    inspector.inspect(picture, model.preset.name, InspectionConfig())
    inspect_s, overlay_s = [], []
    for repeat in range(1, repeats + 1):
        settings = InspectionConfig(blur_sigma=4.0 + repeat / 100)  # a new value each time, so nothing is remembered
        inspection = inspector.inspect(picture, model.preset.name, settings)
        assert inspection.from_cache
        inspect_s.append(inspection.total_s)
        overlay_s.append(timed(partial(overlay_image, inspection, background=background)).wall_s)
    return SliderTime(size_wh=size_wh, inspect_s=spread(inspect_s), overlay_s=spread(overlay_s))


def _picture(size_wh: tuple[int, int]) -> Picture:
    sample = next(held_out_samples(1, seed=1, size_px=256))
    rgb = np.asarray(Image.fromarray(sample.image).resize(size_wh, Image.Resampling.BICUBIC))
    return Picture(rgb=rgb, name="synthetic", digest=f"bench {size_wh}", note="")
