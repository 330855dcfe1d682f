"""The picture of text-visual alignment: the plane it is drawn in, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.services.alignment import align, alignment_figure, alignment_image, principal_components, write_alignment_png
from app.services.inspection import Inspection
from app.services.inspector import Inspector
from models.config import InspectionConfig
from models.errors import DataError
from models.methods.daclip_alignment import Alignment
from models.methods.prompts import PromptSet
from models.registry import DEFAULT_PRESET
from tests.app.fakes import spotted_picture
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, text_inspector, tiny_daclip


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return text_inspector(FakeTextModel(method=tiny_daclip()))


@pytest.fixture(scope="module")
def result(inspector: Inspector) -> tuple[Inspection, Alignment]:
    inspection = inspector.inspect(spotted_picture(), TEXT_PRESET, InspectionConfig())
    return inspection, align(inspector, inspection)


def test_principal_components_of_a_cross_are_its_two_arms() -> None:
    cross = np.array([[0, 3, 1], [0, -3, 1], [1, 0, 1], [-1, 0, 1]], dtype=np.float32)
    projection = principal_components(cross)
    np.testing.assert_allclose(projection.points, [[3, 0], [-3, 0], [0, 1], [0, -1]], atol=1e-6)
    assert projection.shares == pytest.approx((0.9, 0.1))  # 18 and 2 of a sum of squares of 20


def test_the_panels_say_what_they_show(result: tuple[Inspection, Alignment]) -> None:
    before, after = alignment_figure(result[1], result[0]).axes[:2]
    assert before.get_title().startswith("Before: the towers as they are\nthey share no space")
    assert after.get_title().startswith("After: as the head compares them\neach branch in a space of its own")
    assert before.get_xlabel().startswith("PCA 1 (")
    assert before.get_xlabel().endswith(" % of the variance)")


def test_patches_are_coloured_by_the_fused_map(result: tuple[Inspection, Alignment]) -> None:
    inspection, alignment = result
    patches = alignment_figure(alignment, inspection).axes[1].collections[0]
    # The chosen layers 6, 7 and 9 are places 1, 2 and 3.
    expected = inspection.layer_maps[:3].mean(axis=0).flatten()
    np.testing.assert_allclose(np.asarray(patches.get_array()), expected, rtol=1e-6)
    assert patches.get_clim() == (0.0, 1.0)


def test_the_words_of_the_result_are_those_that_are_drawn(inspector: Inspector) -> None:
    settings = InspectionConfig(prompts=PromptSet(anomalous=("cracked {}",)))
    alignment = align(inspector, inspector.inspect(spotted_picture(), TEXT_PRESET, settings))
    assert [len(text.anomalous_prompts) for text in alignment.after.texts] == [2, 2]


def test_the_words_of_the_head_are_drawn_where_no_others_were_given() -> None:
    method = tiny_daclip(PromptSet(anomalous=("cracked {}", "dusty {}", "wet {}")))
    inspector = text_inspector(FakeTextModel(method=method))
    alignment = align(inspector, inspector.inspect(spotted_picture(), TEXT_PRESET, InspectionConfig()))
    assert [len(text.anomalous_prompts) for text in alignment.after.texts] == [6, 6]


def test_a_lent_gpu_is_handed_plain_values_and_takes_the_model_itself(
    inspector: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[Any, ...]] = []

    def lent(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            handed.append(args)
            return function(*args)

        return run

    monkeypatch.setattr("app.services.alignment.lent_gpu", lent)
    inspection = inspector.inspect(spotted_picture(), TEXT_PRESET, InspectionConfig())
    align(inspector, inspection)
    [(preset, head, prompts, rgb, layers)] = handed
    assert (preset, head, prompts, layers) == (TEXT_PRESET, "shipped", None, (6, 7, 9))
    np.testing.assert_array_equal(rgb, spotted_picture().rgb)


def test_the_picture_is_clear_on_the_page_and_white_in_a_file(
    result: tuple[Inspection, Alignment], tmp_path: Path
) -> None:
    inspection, alignment = result
    drawn = alignment_image(alignment, inspection)
    path = write_alignment_png(alignment, inspection, tmp_path / "spot.alignment.png")
    assert drawn[0, 0, 3] == 0
    with Image.open(path) as written:
        assert (written.mode, written.size) == ("RGB", (drawn.shape[1], drawn.shape[0]))
        assert written.getpixel((0, 0)) == (255, 255, 255)
    assert [found.name for found in tmp_path.iterdir()] == ["spot.alignment.png"]


def test_a_method_without_words_has_no_alignment(inspector: Inspector) -> None:
    inspection = inspector.inspect(spotted_picture(), DEFAULT_PRESET, InspectionConfig())
    with pytest.raises(DataError, match=f"{DEFAULT_PRESET} has no text-visual alignment to show; choose a preset"):
        align(inspector, inspection)
