"""Words of one's own: what stands in for those that are not given, and which presets have a use for them."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.words import check_fits, check_readable, own_words, takes_words, words_of, words_written
from models.config import InspectionConfig
from models.errors import DataError
from models.methods.prompts import PromptSet
from models.registry import DEFAULT_PRESET, PRESETS
from tests.app.fakes import FakeCalibration, spotted_picture
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, text_inspector, tiny_daclip


def test_the_papers_words_stand_in_for_those_that_are_not_given() -> None:
    words = words_of("solar cell", [], ["cracked", "{} with a dark finger"])
    assert words == PromptSet(object_name="solar cell", anomalous=("cracked {}", "{} with a dark finger"))


def test_no_words_are_those_of_the_model() -> None:
    assert words_of(None, [], []) is None
    assert words_of("", [], [], PromptSet(object_name="cell")) is None
    assert words_of("cell ", [], [], PromptSet(object_name="cell")) is None


def test_the_words_of_a_head_stand_in_for_those_that_are_not_given() -> None:
    own = PromptSet(object_name="cell", normal=("clean {}",), anomalous=("dusty {}",))
    words = words_of(None, [], ["cracked"], own)
    assert words == PromptSet(object_name="cell", normal=("clean {}",), anomalous=("cracked {}",))


def test_the_papers_words_are_given_words_to_a_head_that_has_others() -> None:
    assert words_of("object", [], [], PromptSet(object_name="cell")) == PromptSet()
    assert words_written("object", "{}\na {}\nthe {}\n", "\n".join(PromptSet().anomalous)) == PromptSet()


def test_a_model_knows_its_heads_words() -> None:
    own = PromptSet(object_name="cell")
    model = text_inspector(FakeTextModel(method=tiny_daclip(own))).model(TEXT_PRESET)
    without = text_inspector(FakeTextModel()).model(TEXT_PRESET)
    assert (own_words(model), own_words(without)) == (own, PromptSet())


@pytest.mark.parametrize(("words", "is_noted"), [(None, False), ("cell", False), ("object", True), ("nut", True)])
def test_a_note_says_when_thresholds_are_of_other_words_than_the_heads(words: str | None, is_noted: bool) -> None:
    method = tiny_daclip(PromptSet(object_name="cell"))
    inspector = text_inspector(FakeTextModel(method=method, calibration=FakeCalibration()))
    settings = InspectionConfig(prompts=None if words is None else PromptSet(object_name=words))
    note = inspector.inspect(spotted_picture(), TEXT_PRESET, settings).note
    assert note == ("the thresholds were calibrated with the head's own words, not with yours" if is_noted else "")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (("", "{}", "broken"), "The object's name is empty"),
        (("cell", " \n", "broken"), "There is no normal state; write at least one"),
        (("cell", "{}", ""), "There is no anomalous state; write at least one"),
        (("cell", "{}", "{} {}"), "must hold {} exactly once"),
    ],
)
def test_nothing_stands_in_for_an_empty_field(fields: tuple[str, str, str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        words_written(*fields)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"alpha": 0.5}, f"{DEFAULT_PRESET} has no refined maps"),
        ({"top_patches": 80}, f"{DEFAULT_PRESET} scores pixels, not patches"),
        ({"prompts": PromptSet(object_name="cell")}, f"{DEFAULT_PRESET} takes no words"),
    ],
)
def test_a_setting_that_a_preset_would_pass_over_is_refused(given: dict[str, Any], sentence: str) -> None:
    nothing: dict[str, Any] = {"alpha": None, "top_patches": None, "prompts": None}
    check_fits(PRESETS[DEFAULT_PRESET], **nothing)
    check_fits(PRESETS[TEXT_PRESET], **{**nothing, **given})
    with pytest.raises(DataError, match=sentence):
        check_fits(PRESETS[DEFAULT_PRESET], **{**nothing, **given})


def test_words_can_be_changed_where_the_papers_of_da_clip_are_the_default() -> None:
    taking = [name for name, preset in PRESETS.items() if takes_words(preset)]
    assert taking == ["daclip-compact", "daclip-clip-large", "clip-zero-shot"]


def test_words_that_the_text_tower_cannot_read_are_refused_before_there_is_a_picture() -> None:
    inspector = text_inspector(FakeTextModel(method=tiny_daclip()))
    check_readable(inspector, TEXT_PRESET, PromptSet(object_name="cell"))
    with pytest.raises(DataError, match="is too long"):
        check_readable(inspector, TEXT_PRESET, PromptSet(object_name="cell " * 60))
