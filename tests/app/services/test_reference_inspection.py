"""Inspecting with references: both sources in units, fused by a stated share, on fakes worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from app.services.inspection import Inspection
from app.services.results import detailed_record, json_record, write_result_files
from app.services.scores import top_fraction_mean
from models.config import InspectionConfig
from models.data.pictures import Picture
from models.errors import DataError
from models.presets import NEAREST_PATCH_PRESET
from models.registry import DEFAULT_PRESET, PRESETS
from tests.app.fakes import FakeModel
from tests.app.reference_fakes import FakeDescriber, grey_picture, inspector_with_references

SHARP = InspectionConfig(blur_sigma=0.0)
NORMALS = [grey_picture(level, f"grey {level}.png") for level in (200, 204, 208)]
SPOTTED = grey_picture(204, "spotted.png", spot=20)


def inspected(settings: InspectionConfig = SHARP, preset: str = DEFAULT_PRESET) -> Inspection:
    inspector = inspector_with_references(FakeModel(), FakeDescriber())
    return inspector.inspect(SPOTTED, preset, settings, inspector.references.build(NORMALS))


def test_without_references_nothing_is_compared() -> None:
    fake = FakeDescriber()
    inspection = inspector_with_references(FakeModel(), fake).inspect(SPOTTED, DEFAULT_PRESET, SHARP)

    assert fake.calls == 0
    assert inspection.references is None
    assert inspection.zero_shot_map is None
    assert inspection.reference_map is None
    assert inspection.references_key is None


def test_the_nearest_patch_alone_needs_references() -> None:
    inspector = inspector_with_references(FakeModel(), FakeDescriber())
    with pytest.raises(DataError, match="Nearest patch needs reference pictures; give 1 to 32 normal pictures"):
        inspector.inspect(SPOTTED, NEAREST_PATCH_PRESET, SHARP)
    with pytest.raises(DataError, match="Nearest patch needs reference pictures"):
        inspector.input_map(SPOTTED, NEAREST_PATCH_PRESET, SHARP)


def test_the_nearest_patch_alone_is_in_units_of_its_own_scale() -> None:
    inspection = inspected(preset=NEAREST_PATCH_PRESET)

    # The spot is 180 / 255 darker than grey 200, in two layers; the scale is that of three pictures one step apart.
    distance = 2 * (1 - math.cos(math.pi / 2 * 180 / 255))
    step = 2 * (1 - math.cos(math.pi / 2 * 4 / 255))
    own_spread = 0.15 * step * math.sqrt(4 / 6)
    assert inspection.threshold == 1.0
    assert inspection.verdict == "anomalous"
    limit = step + 2.6122 * own_spread * math.sqrt(4 / 3)  # t of 98 % with 6 degrees of freedom
    assert inspection.image_score == pytest.approx((distance - step) / (limit - step), rel=2e-2)
    assert inspection.anomaly_map[50, 50] == pytest.approx(-step / (limit - step), rel=2e-2)
    assert inspection.zero_shot_map is None
    assert inspection.pred_mask[:20, :20].all()
    assert not inspection.pred_mask[36:, 36:].any()


def test_both_maps_are_mixed_by_the_share_that_is_told() -> None:
    inspection = inspected()

    assert inspection.references is not None
    weight = inspection.references.weight
    zero_shot, reference = inspection.zero_shot_map, inspection.reference_map
    assert zero_shot is not None
    assert reference is not None
    assert np.allclose(inspection.anomaly_map, (1 - weight) * zero_shot + weight * reference, atol=1e-4)
    assert inspection.image_score == pytest.approx(top_fraction_mean(inspection.anomaly_map, 0.01))
    assert inspection.threshold == inspection.score_threshold == 1.0
    assert inspection.thresholds is not None
    assert inspection.thresholds.normal_level == 0.0
    assert inspection.verdict == "anomalous"


@pytest.mark.parametrize(("weight", "source"), [(1.0, "reference_map"), (0.0, "zero_shot_map")])
def test_a_weight_at_an_end_leaves_one_source(weight: float, source: str) -> None:
    inspection = inspected(replace(SHARP, reference_weight=weight))

    assert np.array_equal(inspection.anomaly_map, getattr(inspection, source))


def test_what_the_method_says_about_like_patches_of_the_references_is_taken_off() -> None:
    model = FakeModel(calibration=None)
    inspector = inspector_with_references(model, FakeDescriber())
    normals = [grey_picture(level, f"dark {level}.png", spot=20) for level in (204, 205, 206)]
    references = inspector.references.build(normals)
    dark_everywhere = grey_picture(20, "dark.png")

    inspection = inspector.inspect(dark_everywhere, DEFAULT_PRESET, SHARP, references)

    # The method calls all of it dark, 2.3 of 2.5; but the references are as dark in a quarter of them.
    zero_shot = inspection.zero_shot_map
    assert zero_shot is not None
    assert float(np.abs(zero_shot).max()) < 0.2
    assert inspection.verdict == "normal"


def test_the_reference_map_is_the_same_beside_a_method_as_alone() -> None:
    beside, alone = inspected().reference_map, inspected(preset=NEAREST_PATCH_PRESET).anomaly_map

    assert beside is not None
    assert np.allclose(beside, alone, atol=1e-5)


def test_the_method_looks_at_each_reference_once() -> None:
    model, fake = FakeModel(), FakeDescriber()
    inspector = inspector_with_references(model, fake)
    references = inspector.references.build(NORMALS)

    inspector.inspect(SPOTTED, DEFAULT_PRESET, SHARP, references)
    inspector.inspect(grey_picture(206, "other.png"), DEFAULT_PRESET, SHARP, references)
    inspector.inspect(SPOTTED, DEFAULT_PRESET, replace(SHARP, top_k=0.1, reference_weight=0.5), references)

    assert model.calls == len(NORMALS) + 2
    assert fake.calls == len(NORMALS) + 2


def test_references_change_no_result_without_them() -> None:
    inspector = inspector_with_references(FakeModel(), FakeDescriber())
    before = inspector.inspect(SPOTTED, DEFAULT_PRESET, SHARP)

    inspector.inspect(SPOTTED, DEFAULT_PRESET, SHARP, inspector.references.build(NORMALS))

    after = inspector.inspect(SPOTTED, DEFAULT_PRESET, SHARP)
    assert np.array_equal(before.anomaly_map, after.anomaly_map)
    assert after.threshold == pytest.approx(1.6)


def test_other_references_are_not_mixed_up_in_memory() -> None:
    inspector = inspector_with_references(FakeModel(), FakeDescriber())
    dark = [grey_picture(level, f"dark {level}.png") for level in (18, 20, 22)]

    first = inspector.inspect(SPOTTED, NEAREST_PATCH_PRESET, SHARP, inspector.references.build(NORMALS))
    second = inspector.inspect(SPOTTED, NEAREST_PATCH_PRESET, SHARP, inspector.references.build(dark))

    assert first.pred_mask[5, 5]
    assert not first.pred_mask[50, 50]
    assert second.pred_mask[50, 50]
    assert not second.pred_mask[5, 5]


def test_the_note_says_what_was_combined() -> None:
    note = inspected(replace(SHARP, reference_weight=0.75)).note

    assert note == (
        "75 % nearest patch of 3 references (grey 200.png, grey 204.png, grey 208.png) and 25 % VisualAD beyond "
        "what it says about like patches of them; 0 is the level of normal pixels and 1 the threshold"
    )


def test_the_same_picture_as_reference_and_query_is_told() -> None:
    inspector = inspector_with_references(FakeModel(), FakeDescriber())

    inspection = inspector.inspect(NORMALS[0], DEFAULT_PRESET, SHARP, inspector.references.build(NORMALS))

    assert "grey 200.png is the inspected picture too, which hides its defects" in inspection.note


def test_a_threshold_by_hand_is_in_the_same_units() -> None:
    assert inspected(replace(SHARP, threshold=1e6)).verdict != "anomalous"
    assert inspected(replace(SHARP, threshold=0.9)).threshold == 0.9


def test_a_method_without_calibration_gets_its_units_from_the_references() -> None:
    inspector = inspector_with_references(FakeModel(calibration=None), FakeDescriber())

    inspection = inspector.inspect(SPOTTED, DEFAULT_PRESET, SHARP, inspector.references.build(NORMALS))

    assert inspection.threshold == 1.0
    assert inspection.references is not None
    assert inspection.references.weight == 0.5
    assert inspection.verdict == "anomalous"


def test_a_method_that_scores_patches_keeps_its_own_score_beside_the_references() -> None:
    inspector = inspector_with_references(FakeModel(preset=PRESETS["daclip-compact"]), FakeDescriber())
    references = inspector.references.build(NORMALS)

    def score(weight: float, preset: str = "daclip-compact", picture: Picture = NORMALS[1]) -> float:
        settings = replace(SHARP, reference_weight=weight)
        return inspector.inspect(picture, preset, settings, references).image_score

    assert score(1.0, picture=SPOTTED) == pytest.approx(score(1.0, NEAREST_PATCH_PRESET, SPOTTED))
    assert score(0.0) == pytest.approx(0.5, abs=0.01)  # the middle one of three references scores their mean
    assert score(0.25, picture=SPOTTED) == pytest.approx(
        0.75 * score(0.0, picture=SPOTTED) + 0.25 * score(1.0, picture=SPOTTED)
    )


def test_tiles_are_the_methods_alone() -> None:
    fake = FakeDescriber()
    inspector = inspector_with_references(FakeModel(), fake)
    large = grey_picture(204, "large.png", size_hw=(300, 300), spot=20)
    references = inspector.references.build(NORMALS)
    calls = fake.calls

    inspection = inspector.inspect(large, DEFAULT_PRESET, replace(SHARP, tile=128), references)

    assert fake.calls == calls + 1
    assert "tiles of 128 px" in inspection.note
    alone = inspector.inspect(large, NEAREST_PATCH_PRESET, replace(SHARP, tile=128), references)
    assert "tiles" not in alone.note


def test_the_map_for_the_browser_is_fused_too() -> None:
    inspector = inspector_with_references(FakeModel(image_size=56), FakeDescriber())
    references = inspector.references.build(NORMALS)

    small = inspector.input_map(SPOTTED, DEFAULT_PRESET, SHARP, references)

    assert small.shape == (56, 56)
    assert np.allclose(small, inspector.inspect(SPOTTED, DEFAULT_PRESET, SHARP, references).anomaly_map)


def test_records_tell_the_references_and_files_hold_both_sources(tmp_path: Path) -> None:
    inspection = inspected(replace(SHARP, reference_weight=0.5))

    record = json_record(inspection)
    paths = write_result_files(inspection, tmp_path, "spotted")

    told = cast(dict[str, object], record["references"])
    assert told["names"] == ["grey 200.png", "grey 204.png", "grey 208.png"]
    assert told["weight"] == 0.5
    assert told["layers"] == [6, 9]
    assert "references" in detailed_record(inspection)
    assert [path.name for path in paths[4:]] == ["spotted.reference.npy", "spotted.zero-shot.npy"]
    assert inspection.reference_map is not None
    assert np.array_equal(np.load(paths[4]), inspection.reference_map)


def test_each_source_has_the_score_that_it_would_have_alone() -> None:
    sources = inspected().references
    assert sources is not None
    assert sources.zero_shot_score == pytest.approx(inspected(replace(SHARP, reference_weight=0.0)).image_score)
    assert sources.reference_score == pytest.approx(inspected(replace(SHARP, reference_weight=1.0)).image_score)
    assert inspected(preset=NEAREST_PATCH_PRESET).references.zero_shot_score is None  # type: ignore[union-attr]
