"""The inspector with a fake model: what it computes, what it remembers, and that threads may share it."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.services.inspection import judge
from app.services.scores import top_fraction_count
from models.calibration import Thresholds
from models.config import InspectionConfig
from models.errors import DataError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector, spotted_picture, white_picture

SHARP = InspectionConfig(blur_sigma=0.0)


def test_maps_and_mask_have_the_size_of_the_picture() -> None:
    inspection = fake_inspector(FakeModel()).inspect(spotted_picture((200, 300)), DEFAULT_PRESET, SHARP)
    assert inspection.anomaly_map.shape == inspection.pred_mask.shape == (200, 300)
    assert inspection.anomaly_map.dtype == np.float32
    assert inspection.layer_maps.shape == (4, 37, 37)


def test_the_fused_map_is_the_sum_of_the_chosen_layers() -> None:
    inspector = fake_inspector(FakeModel())
    chosen = InspectionConfig(layers=(12, 6), blur_sigma=0.0)

    inspection = inspector.inspect(spotted_picture(), DEFAULT_PRESET, chosen)

    assert inspection.layers == (6, 12)
    assert inspection.anomaly_map[100, 150] == pytest.approx(0.5 + 1.0)
    assert inspection.anomaly_map[5, 5] == pytest.approx(0.0)


def test_the_score_can_be_recomputed_from_the_map() -> None:
    settings = InspectionConfig(top_k=0.03)
    inspection = fake_inspector(FakeModel()).inspect(spotted_picture((211, 307)), DEFAULT_PRESET, settings)
    highest = np.sort(inspection.anomaly_map.ravel())[-top_fraction_count(211 * 307, 0.03) :]
    assert inspection.image_score == pytest.approx(float(highest.mean(dtype=np.float64)), abs=1e-6)


def test_a_black_spot_is_anomalous_and_is_one_region_where_it_lies() -> None:
    inspection = fake_inspector(FakeModel()).inspect(spotted_picture(), DEFAULT_PRESET, SHARP)
    assert inspection.verdict == "anomalous"
    assert inspection.threshold == pytest.approx(1.6)
    assert inspection.image_score == pytest.approx(2.5, abs=0.01)  # 1/4 + 2/4 + 3/4 + 4/4
    (region,) = inspection.regions
    assert region.box_xyxy == pytest.approx((100, 66, 200, 133), abs=5)  # a patch is 8 by 5 pixels


def test_a_clean_picture_is_normal_and_has_no_region() -> None:
    inspection = fake_inspector(FakeModel()).inspect(white_picture(), DEFAULT_PRESET, SHARP)
    assert inspection.verdict == "normal"
    assert inspection.regions == ()
    assert not inspection.pred_mask.any()


def test_without_calibration_there_is_no_verdict_until_a_threshold_is_set_by_hand() -> None:
    inspector = fake_inspector(FakeModel(calibration=None))
    by_hand = InspectionConfig(blur_sigma=0.0, threshold=1.0)
    assert inspector.inspect(spotted_picture(), DEFAULT_PRESET, SHARP).verdict == "uncalibrated"
    assert inspector.inspect(spotted_picture(), DEFAULT_PRESET, by_hand).verdict == "anomalous"
    assert inspector.inspect(white_picture(), DEFAULT_PRESET, by_hand).verdict == "normal"


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.5, "normal"), (0.90, "suspicious"), (0.979, "suspicious"), (0.98, "anomalous"), (0.99, "anomalous")],
)
def test_the_verdict_changes_at_the_thresholds(score: float, verdict: str) -> None:
    assert judge(score, 0.98, Thresholds(0.90, 0.98, 0.50, 0.98)) == verdict


def test_a_threshold_above_the_score_leaves_it_suspicious_by_calibration() -> None:
    by_hand = InspectionConfig(blur_sigma=0.0, threshold=2.6)
    inspection = fake_inspector(FakeModel()).inspect(spotted_picture(), DEFAULT_PRESET, by_hand)
    assert (inspection.verdict, inspection.threshold) == ("suspicious", 2.6)


def test_a_change_of_settings_does_not_run_the_model_again() -> None:
    model = FakeModel()
    inspector = fake_inspector(model)
    first = inspector.inspect(spotted_picture(), DEFAULT_PRESET, SHARP)

    second = inspector.inspect(spotted_picture(), DEFAULT_PRESET, InspectionConfig(layers=(3,), top_k=0.2))

    assert model.calls == 1
    assert (first.from_cache, second.from_cache) == (False, True)


def test_another_checkpoint_does_not_get_the_first_ones_maps() -> None:
    models = iter([FakeModel(), FakeModel(checkpoint_digest="f" * 64)])
    inspector = fake_inspector(FakeModel(), load=lambda name: next(models))
    inspector.inspect(spotted_picture(), "visualad-dinov2-small", SHARP)
    second = inspector.inspect(spotted_picture(), "visualad-dinov2-large", SHARP)
    assert not second.from_cache


def test_requests_at_the_same_time_run_the_model_once_and_agree() -> None:
    model = FakeModel(seconds=0.05)
    inspector = fake_inspector(model)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda _: inspector.inspect(spotted_picture(), DEFAULT_PRESET, SHARP).image_score, range(8))
        )
    assert model.calls == 1
    assert len(set(found)) == 1


def test_a_layer_that_the_model_lacks_is_named_with_those_it_has() -> None:
    inspector = fake_inspector(FakeModel())
    with pytest.raises(DataError, match=r"no layer 7; choose among 3, 6, 9, 12\."):
        inspector.inspect(spotted_picture(), DEFAULT_PRESET, InspectionConfig(layers=(3, 7)))


def test_a_picture_of_24_megapixels_is_inspected_at_its_size() -> None:
    picture = spotted_picture((4000, 6000))
    inspection = fake_inspector(FakeModel()).inspect(picture, DEFAULT_PRESET, InspectionConfig())
    assert inspection.anomaly_map.shape == (4000, 6000)
    assert inspection.verdict == "anomalous"


def test_a_slider_change_takes_less_than_100_ms_of_server_time() -> None:
    inspector = fake_inspector(FakeModel())
    picture = spotted_picture((518, 518))
    inspector.inspect(picture, DEFAULT_PRESET, InspectionConfig())
    seconds = []
    for step in range(5):
        start_s = time.perf_counter()
        inspector.inspect(picture, DEFAULT_PRESET, InspectionConfig(top_k=0.02 + step / 100, blur_sigma=3.0 + step))
        seconds.append(time.perf_counter() - start_s)
    assert sorted(seconds)[2] < 0.1


def test_importing_the_services_does_not_import_torch_or_gradio() -> None:
    imports = "import sys, app.services.inspector, app.services.results"
    code = f"{imports}; print('torch' in sys.modules, 'gradio' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
