"""The papers' numbers, written out once more from their tables: image AUROC, F1, AP; pixel AUROC, F1, AP, PRO."""

from __future__ import annotations

import pytest

from models.evaluation.published import MVTEC_AD_CLASSES, PUBLISHED, SET_CLASSES, VISA_CLASSES, published_set
from models.presets import PRESETS, Preset

TABLE = """
mvtec-ad | WinCLIP         | 90.4 92.7 95.6 | 82.3 24.8 18.2 62.0
mvtec-ad | APRIL-GAN       | 86.1 90.4 93.6 | 87.5 42.3 39.1 43.7
mvtec-ad | AnomalyCLIP     | 91.6 92.7 96.2 | 91.0 38.9 34.4 81.7
mvtec-ad | AdaCLIP         | 92.0 92.7 96.4 | 88.5 43.9 41.0 47.6
mvtec-ad | VisualAD CLIP   | 92.2 93.2 96.7 | 90.8 43.9 41.2 87.5
mvtec-ad | VisualAD DINOv2 | 90.1 92.4 94.8 | 91.3 47.4 45.4 88.6
visa     | WinCLIP         | 75.6 78.2 78.8 | 73.2 9.0 5.4 51.1
visa     | APRIL-GAN       | 77.4 78.6 80.9 | 93.8 32.6 26.2 86.5
visa     | AnomalyCLIP     | 81.0 80.3 84.4 | 95.4 27.6 20.7 86.4
visa     | AdaCLIP         | 79.7 79.6 83.2 | 95.1 33.8 29.2 71.3
visa     | VisualAD CLIP   | 84.7 82.5 87.6 | 95.8 34.6 28.4 91.0
visa     | VisualAD DINOv2 | 83.1 81.4 86.8 | 95.3 35.2 29.9 88.2
"""
ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in TABLE.strip().splitlines()]


def test_there_are_no_other_rows() -> None:
    assert [(data, row.method) for data, rows in PUBLISHED.items() for row in rows] == [row[:2] for row in ROWS]


@pytest.mark.parametrize(("data", "method", "image", "pixel"), ROWS)
def test_a_row_holds_the_seven_numbers_of_the_paper(data: str, method: str, image: str, pixel: str) -> None:
    (row,) = (row for row in PUBLISHED[data] if row.method == method)

    held = (row.image_auroc, row.image_f1, row.image_ap, row.pixel_auroc, row.pixel_f1, row.pixel_ap, row.pro)

    assert held == pytest.approx([float(word) / 100.0 for word in f"{image} {pixel}".split()], abs=1e-9)


def test_the_sets_are_known_by_all_of_their_classes() -> None:
    assert (len(MVTEC_AD_CLASSES), len(VISA_CLASSES)) == (15, 12)
    assert set(SET_CLASSES) == set(PUBLISHED)
    assert not MVTEC_AD_CLASSES & VISA_CLASSES
    assert published_set(tuple(MVTEC_AD_CLASSES)) == "mvtec-ad"
    assert published_set(tuple(VISA_CLASSES)) == "visa"
    assert published_set(tuple(VISA_CLASSES - {"candle"})) is None
    assert published_set((*VISA_CLASSES, "bolt")) is None


@pytest.mark.parametrize(
    "preset", [preset for preset in PRESETS.values() if preset.published is not None], ids=lambda preset: preset.name
)
def test_the_row_that_a_preset_calls_its_own_is_in_every_set(preset: Preset) -> None:
    assert all(preset.published in [row.method for row in rows] for rows in PUBLISHED.values())


def test_the_backbone_is_named_where_this_project_has_a_smaller_one() -> None:
    titles = {row.title for rows in PUBLISHED.values() for row in rows}

    assert titles == {
        "WinCLIP", "APRIL-GAN", "AnomalyCLIP", "AdaCLIP", "VisualAD CLIP", "VisualAD DINOv2 ViT-L/14"
    }  # fmt: skip
