from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from app.services.before_after import BeforeAfter, Judged, Measures, measure, reader_of_preset, table_of
from models.calibration import Calibration
from models.reading import PictureMaps
from models.registry import get_preset

NOTHING = Measures(
    image_auroc=None,
    image_ap=None,
    pixel_auroc=None,
    pixel_ap=None,
    iou=None,
    loss=None,
    normal=1,
    anomalous=1,
)


def reader() -> Any:
    preset = replace(get_preset("visualad-dinov2-small"), blur_sigma=0.0, top_k=1e-6)
    model = SimpleNamespace(preset=preset, layers=(2,), default_layers=(2,), image_size=8)
    return reader_of_preset(cast(Any, model))


def judged(values: np.ndarray[Any, Any], mask: np.ndarray[Any, Any] | None, *, anomalous: bool) -> Judged:
    return Judged(PictureMaps(values.astype(np.float32)[None, None]), anomalous, mask)


def flat(value: float) -> np.ndarray[Any, Any]:
    return np.full((8, 8), value)


def test_measures_of_a_perfect_head_are_one() -> None:
    mask = np.zeros((8, 8), dtype=np.bool_)
    mask[:4] = True
    pictures = [
        judged(np.where(mask, 0.9, 0.1), mask, anomalous=True),
        judged(flat(0.2), np.zeros_like(mask), anomalous=False),
    ]
    normals = Calibration(torch.full((4, 1, 8, 8), 0.5), (2,), 8)
    found = measure(pictures, reader(), normals, loss=0.25)

    assert (found.image_auroc, found.image_ap, found.pixel_auroc, found.pixel_ap) == (1.0, 1.0, 1.0, 1.0)
    assert (found.iou, found.loss, found.normal, found.anomalous) == (1.0, 0.25, 1, 1)


def test_iou_counts_false_alarms_in_normal_pictures() -> None:
    mask = np.zeros((8, 8), dtype=np.bool_)
    mask[:4] = True  # 32 pixels, all found
    alarm = np.where(np.arange(64).reshape(8, 8) < 16, 0.9, 0.1)  # 16 false ones
    pictures = [judged(np.where(mask, 0.9, 0.1), mask, anomalous=True), judged(alarm, mask & False, anomalous=False)]
    normals = Calibration(torch.full((4, 1, 8, 8), 0.5), (2,), 8)

    assert measure(pictures, reader(), normals).iou == pytest.approx(32 / 48)


def test_what_does_not_apply_is_none() -> None:
    found = measure([judged(flat(0.9), None, anomalous=True)], reader(), None)

    assert (found.image_auroc, found.pixel_ap, found.iou) == (None, None, None)


def compared(before: Measures, after: Measures, *, how: str = "held out", forgotten: float = 0.0) -> BeforeAfter:
    return BeforeAfter(
        how=how,
        before=before,
        after=after,
        synthetic_before=replace(NOTHING, pixel_ap=0.5),
        synthetic_after=replace(NOTHING, pixel_ap=0.5 - forgotten),
    )


def test_the_mean_of_both_precisions_decides() -> None:
    before = replace(NOTHING, image_ap=0.8, pixel_ap=0.2, loss=1.0)
    after = replace(NOTHING, image_ap=0.75, pixel_ap=0.4, loss=2.0)

    assert compared(before, after).verdict() == (
        True,
        "It got better: image AP 0.800 before, 0.750 after; pixel AP 0.200 before, 0.400 after, on 2 held-out "
        "pictures.",
    )
    better, sentence = compared(after, before, how="leave one out").verdict()
    assert not better
    assert sentence.startswith("It did not get better (")
    assert sentence.endswith("on 2 left-out pictures): keep the old one.")


def test_the_loss_decides_where_precisions_stay_or_do_not_apply() -> None:
    ranked = replace(NOTHING, image_ap=1.0)
    assert compared(replace(ranked, loss=1.0), replace(ranked, loss=0.5)).verdict()[0]
    assert not compared(replace(NOTHING, loss=0.5), replace(NOTHING, loss=0.5)).verdict()[0]


def test_what_forgot_more_than_two_points_is_not_better_and_says_so() -> None:
    before, after = replace(NOTHING, pixel_ap=0.2), replace(NOTHING, pixel_ap=0.4)

    assert compared(before, after, forgotten=0.015).verdict()[0]
    better, sentence = compared(before, after, forgotten=0.03).verdict()
    assert not better
    assert "it forgot: on synthetic ones pixel AP fell by 0.030" in sentence


def test_a_record_is_a_table_with_what_does_not_apply() -> None:
    record = compared(replace(NOTHING, image_ap=0.8, loss=1.0), replace(NOTHING, image_ap=0.9, loss=0.5)).record()

    assert ("held-out", "image AP", "0.800", "0.900") in table_of(record)
    assert ("held-out", "IoU at the threshold", "n/a", "n/a") in table_of(record)
    assert ("synthetic", "pixel AP", "0.500", "0.500") in table_of(record)
    assert len(table_of({"notes": []})) == 10
