"""The Inspect tab's handlers with a method that compares with words, called without a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.services.words import PAPER_WORDS
from app.ui.controls import HEATMAP, Controls
from app.ui.handlers import Chosen, Desk, OfModel, Shown
from app.ui.scratch import Scratch
from app.ui.session import PictureShelf, Session
from app.ui.words import word_fields, words_label
from models.errors import DataError, PictureError
from models.methods.prompts import PromptSet
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, text_engine, tiny_daclip

OWN = ("solar cell", "intact", "cracked\nbroken {}")
SKIPPED: tuple[Any, ...] = (gr.skip(),)


def values(*, alpha: float = 0.7, top_patches: int = 80, opacity: int = 65) -> tuple[Any, ...]:
    return ([6, 7, 9], 1.0, 4.0, HEATMAP, opacity, "inferno", alpha, top_patches, False, False)


def desk_with(model: FakeTextModel) -> Desk:
    scratch = Scratch()
    return Desk(text_engine(model), PictureShelf(scratch), scratch)


@pytest.fixture
def black(tmp_path: Path) -> str:
    path = tmp_path / "black.png"
    Image.new("RGB", (56, 56)).save(path)
    return str(path)


def shown(result: tuple[Any, ...]) -> Shown:
    return Shown(*result)


def opened(desk: Desk, path: str) -> Session:
    session: Session = shown(desk.open_picture(path, Session(preset=TEXT_PRESET), *values())).session
    return session


def visible(chosen: Chosen) -> dict[str, bool]:
    names = ("caption", "words", "alignment", "by_pixels", "by_patches", "alpha")
    return {name: getattr(chosen, name)["visible"] for name in names}


def test_da_clip_brings_its_own_controls_and_visualad_takes_them_away() -> None:
    desk = desk_with(FakeTextModel())
    text = desk.choose_method("DA-CLIP", Session(threshold=0.3))
    back = desk.choose_method("VisualAD", text.session)

    assert (text.session.preset, text.session.threshold) == (TEXT_PRESET, None)
    assert visible(text) == {name: name != "by_pixels" for name in visible(text)}
    assert (text.alpha["value"], text.top_patches) == (0.7, 8)
    assert text.layers["value"] == [6, 7, 9]
    assert text.layers["info"].endswith("their maps are averaged")
    assert "Unofficial reconstruction" in text.caption["value"]

    assert back.session.preset == DEFAULT_PRESET
    assert visible(back) == {name: name == "by_pixels" for name in visible(back)}
    assert (back.top_k, back.blur_sigma) == (1.0, 4.0)
    assert back.layers["info"].endswith("their maps are added")


def test_clip_zero_shot_counts_patches_but_has_no_alpha() -> None:
    scratch = Scratch()
    engine = text_engine(FakeTextModel(), ready=("clip-zero-shot",))
    chosen = Desk(engine, PictureShelf(scratch), scratch).choose_method("CLIP zero-shot", Session())
    assert visible(chosen) == {
        "caption": True, "words": True, "alignment": True, "by_pixels": False, "by_patches": True, "alpha": False,
    }  # fmt: skip


def test_the_method_that_is_chosen_already_changes_nothing() -> None:
    unchanged = desk_with(FakeTextModel()).choose_method("VisualAD", Session())
    assert unchanged == Chosen(*SKIPPED * len(Chosen._fields))


def test_alpha_and_top_k_redraw_from_remembered_maps(black: str) -> None:
    model = FakeTextModel()
    desk = desk_with(model)
    session = opened(desk, black)
    scores = [shown(desk.redraw(session, *values(alpha=alpha))).verdict["score"] for alpha in (0.0, 0.7, 1.0)]
    few = shown(desk.redraw(session, *values(top_patches=3)))

    # Half of 0.25, and half of the mean over layers: 0.3125 static and 0.15625 refined.
    assert scores == ["0.28", "0.23", "0.20"]
    assert few.verdict["how"].startswith(
        "Half the whole picture's anomaly probability (0.25), half the mean of the highest 3 of 16 patches."
    )
    assert len(model.seen) == 1


def test_words_of_ones_own_are_encoded_at_once_and_the_papers_are_remembered(black: str) -> None:
    model = FakeTextModel()
    desk = desk_with(model)
    session = opened(desk, black)
    own = shown(desk.use_words(*OWN, session, *values()))
    back = shown(desk.use_own_words(own.session, *values()))

    expected = PromptSet(object_name="solar cell", normal=("intact {}",), anomalous=("cracked {}", "broken {}"))
    assert model.seen == [None, expected]
    assert own.session.prompts == expected
    assert own.verdict["score"] == "0.23"  # 4 of 6 texts: half of 0.25 and half of 4/6 * 0.5 * 0.65
    assert own.weights.endswith("; words: your own.")
    assert back.session.prompts is None
    assert "words" not in back.weights


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (("cell", "", "broken"), "There is no normal state"),
        (("", "{}", "broken"), "The object's name is empty"),
        (("cell" * 20, "{}", "broken"), "is too long: it has .* letters"),
    ],
)
def test_words_that_cannot_be_used_leave_the_session_as_it_was(
    black: str, fields: tuple[str, str, str], sentence: str
) -> None:
    desk = desk_with(FakeTextModel())
    session = opened(desk, black)
    with pytest.raises(DataError, match=sentence):
        desk.use_words(*fields, session, *values())
    assert shown(desk.redraw(session, *values())).verdict["score"] == "0.23"


def test_words_are_read_before_there_is_a_picture() -> None:
    desk = desk_with(FakeTextModel(method=tiny_daclip()))
    empty = Session(preset=TEXT_PRESET)
    with pytest.raises(DataError, match="is too long"):
        desk.use_words("cell " * 60, "{}", "broken", empty)
    assert desk.use_words(*OWN, empty)[0].prompts.object_name == "solar cell"


def test_a_method_without_words_never_sees_those_of_the_session() -> None:
    session = Session(preset=DEFAULT_PRESET, prompts=PromptSet(object_name="cell"))
    settings = Controls.read(values()).settings(session)
    assert (settings.prompts, settings.alpha, settings.top_patches) == (None, None, None)


def test_the_sheet_shows_the_branches_and_follows_alpha(black: str) -> None:
    desk = desk_with(FakeTextModel())
    first = shown(desk.open_picture(black, Session(preset=TEXT_PRESET), *values()))
    same = shown(desk.redraw(first.session, *values(opacity=20)))
    other = shown(desk.redraw(same.session, *values(alpha=0.2)))
    assert first.sheet["label"] == "Every layer's static, refined and fused map, at patch resolution, on one scale"
    assert first.fused_map["label"] == "Fused map (mean of the chosen layers)"
    assert (same.sheet, same.alignment) == SKIPPED * 2
    assert Path(other.sheet["value"]).exists()
    assert other.alignment is None  # the one on screen would belong to another result


def test_the_alignment_is_drawn_when_it_is_asked_for(black: str) -> None:
    desk = desk_with(FakeTextModel(method=tiny_daclip()))
    session = opened(desk, black)
    with Image.open(desk.alignment(session, *values())) as drawn:
        assert drawn.width > drawn.height > 300


def test_an_alignment_without_a_picture_says_what_to_do() -> None:
    with pytest.raises(PictureError, match="choose a picture first"):
        desk_with(FakeTextModel()).alignment(Session(preset=TEXT_PRESET), *values())


def test_the_fields_hold_the_papers_words_one_a_line() -> None:
    assert word_fields(PAPER_WORDS)[:2] == ("object", "{}\na {}\nthe {}")
    assert word_fields(PAPER_WORDS)[2].splitlines()[0] == "damaged {}"


def test_the_label_says_whose_words_are_in_use() -> None:
    own, other = PromptSet(object_name="cell"), PromptSet(object_name="nut")
    assert [words_label(None, PAPER_WORDS), words_label(PAPER_WORDS, PAPER_WORDS)] == ["Words: the paper's"] * 2
    assert [words_label(None, own), words_label(own, own)] == ["Words: the head's own"] * 2
    assert [words_label(other, own), words_label(PAPER_WORDS, own)] == ["Words: your own"] * 2


def test_the_fields_hold_the_words_of_the_head_and_its_words_are_nobodys_own(black: str) -> None:
    own = PromptSet(object_name="cell", normal=("clean {}",), anomalous=("dusty {}",))
    model = FakeTextModel(method=tiny_daclip(own))
    desk = desk_with(model)
    session = opened(desk, black)
    of_model = desk.of_model(session)
    fields = (of_model.object_name, of_model.normal, of_model.anomalous)
    used = shown(desk.use_words(*fields, session, *values()))
    paper = shown(desk.use_words(*word_fields(PAPER_WORDS), session, *values()))

    assert fields == ("cell", "clean {}", "dusty {}")
    assert of_model.words["label"] == "Words: the head's own"
    assert "words" not in used.weights
    assert desk.of_model(used.session).words["label"] == "Words: the head's own"
    assert paper.weights.endswith("; words: your own.")
    assert model.seen == [None, PAPER_WORDS]


@pytest.mark.parametrize("branches", [("static",), ("static", "refined")])
def test_a_head_without_refined_maps_has_no_alpha(black: str, branches: tuple[str, ...]) -> None:
    desk = desk_with(FakeTextModel(branches=branches))
    session = opened(desk, black)
    inspection, _ = desk.inspection(session, values(alpha=0.3))
    assert inspection.alpha == (None if branches == ("static",) else 0.3)
    assert desk.of_model(session).alpha["visible"] == (branches != ("static",))


def test_what_only_a_model_with_words_has_is_left_alone_by_others() -> None:
    assert desk_with(FakeTextModel()).of_model(Session()) == OfModel(*SKIPPED * len(OfModel._fields))


class Meanwhile(FakeTextModel):
    """Does something else while the model looks at a picture."""

    def picture_maps(self, rgb: NDArray[np.uint8], prompts: PromptSet | None = None) -> PictureMaps:
        act, self.act = self.act, lambda: None
        act()
        return FakeTextModel.picture_maps(self, rgb, prompts)

    act: Callable[[], Any] = staticmethod(lambda: None)


def test_a_preset_that_is_chosen_while_a_picture_is_inspected_stays_chosen(black: str) -> None:
    model, chosen = Meanwhile(), list[Chosen]()
    desk, before = desk_with(model), Session(page="this", preset=TEXT_PRESET)
    model.act = lambda: chosen.append(desk.choose_method("VisualAD", before))

    late = desk.open_picture(black, before, *values())

    assert late == SKIPPED * len(Shown._fields)
    session = chosen[0].session
    assert (session.preset, session.picture.name) == (DEFAULT_PRESET, "black.png")
    after = shown(desk.redraw(session, [3, 6], *values()[1:]))
    assert after.session.preset == DEFAULT_PRESET
    assert after.weights.startswith("VisualAD")


def test_a_redraw_with_the_last_words_does_not_push_out_the_new_ones(black: str) -> None:
    desk = desk_with(FakeTextModel())
    session = opened(desk, black)
    own = shown(desk.use_words(*OWN, session, *values()))
    assert desk.redraw(session, *values()) == SKIPPED * len(Shown._fields)
    assert shown(desk.redraw(own.session, *values())).verdict["score"] == own.verdict["score"]


def test_a_slow_use_of_words_without_a_picture_does_not_bring_the_last_preset_back() -> None:
    desk, before = desk_with(FakeTextModel()), Session(page="this", preset=TEXT_PRESET)
    desk.choose_method("VisualAD", before)
    assert desk.redraw(before) == SKIPPED * len(Shown._fields)


def test_a_page_keeps_its_name() -> None:
    assert Session().with_page().page != Session().with_page().page
    assert Session(page="this").with_page().page == "this"
