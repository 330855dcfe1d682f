"""Result files, read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.services import results
from app.services.inspection import Inspection
from models.config import InspectionConfig
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector, spotted_picture


@pytest.fixture
def inspection() -> Inspection:
    settings = InspectionConfig(layers=(3, 12), top_k=0.05)
    return fake_inspector(FakeModel()).inspect(spotted_picture((120, 90)), DEFAULT_PRESET, settings)


def test_the_four_result_files_hold_the_inspection(inspection: Inspection, tmp_path: Path) -> None:
    written = results.write_result_files(inspection, tmp_path / "new", "spot")

    assert [path.name for path in written] == ["spot.map.npy", "spot.layers.npy", "spot.mask.png", "spot.overlay.png"]
    assert np.array_equal(np.load(written[0]), inspection.anomaly_map)
    assert np.array_equal(np.load(written[1]), inspection.layer_maps[[0, 3]])
    assert np.array_equal(np.asarray(Image.open(written[2])) == 255, inspection.pred_mask)
    assert Image.open(written[3]).size == (90, 120)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in written)


def test_the_score_can_be_recomputed_from_the_saved_map(inspection: Inspection, tmp_path: Path) -> None:
    values = np.sort(np.load(results.write_map_npy(inspection, tmp_path / "a.npy")).ravel())
    assert values.dtype == np.float32
    assert inspection.image_score == pytest.approx(values[-540:].mean(), abs=1e-6)  # 5 % of 10,800 pixels


def test_the_tiff_holds_the_same_floats(inspection: Inspection, tmp_path: Path) -> None:
    with Image.open(results.write_map_tiff(inspection, tmp_path / "a.tiff")) as image:
        assert image.mode == "F"
        assert np.array_equal(np.asarray(image), inspection.anomaly_map)


def test_the_line_record_has_exactly_the_promised_keys(inspection: Inspection) -> None:
    record = results.json_record(inspection)
    promised = "path image_score threshold verdict size_hw preset checkpoint backbone seconds"
    assert list(record) == promised.split()
    assert record["size_hw"] == [120, 90]
    assert json.loads(json.dumps(record)) == record


def test_the_detailed_record_says_how_the_score_came_about(inspection: Inspection, tmp_path: Path) -> None:
    record = json.loads(results.write_json(inspection, tmp_path / "a.json").read_text(encoding="utf-8"))
    assert record["settings"] == {
        "layers": [3, 12],
        "top_k": 0.05,
        "top_k_pixels": 540,
        "blur_sigma": 4.0,
        "threshold_set_by_hand": False,
    }
    assert record["calibration"]["anomalous"] == pytest.approx(0.8)
    assert record["regions"][0]["area_px"] == inspection.regions[0].area_px
    assert len(record["regions"][0]["contour_xy"]) == len(inspection.regions[0].contour)
    assert record["anomalous_pixels"] == int(inspection.pred_mask.sum())


def test_a_write_that_fails_leaves_the_old_file_and_no_part(
    inspection: Inspection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "save", fail)

    with pytest.raises(OSError, match="disk full"):
        results.write_map_npy(inspection, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
