"""The Correct tab's toolbar and the way from Inspect, called without a browser."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from app.services.annotating import Annotator, Correction
from app.services.proposing import ProposingProgress
from app.store.errors import StoreError
from app.store.exchange.base import Refusal
from app.store.exchange.exporting import ExportReport
from app.store.intake.report import IntakeReport
from app.store.workspace import Workspace
from app.ui.correct_handlers import CorrectDesk, export_text, intake_text, proposing_text
from app.ui.correct_tab import build_correct_tab
from app.ui.correct_this import add_picture
from app.ui.errors import ShownError, shows_errors_of_steps
from app.ui.presets import preset_choices
from app.ui.scratch import Scratch
from app.ui.session import PictureShelf, Session
from app.ui.workbench_component import open_image
from models.errors import DataError, PictureError, WeightsError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector, spotted_picture


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[CorrectDesk]:
    with Workspace.open(tmp_path / "w") as workspace:
        yield CorrectDesk(Annotator(workspace, fake_inspector(FakeModel())), Scratch())


@pytest.fixture
def spot(tmp_path: Path) -> Path:
    path = tmp_path / "spot.png"
    Image.fromarray(spotted_picture((90, 120)).rgb).save(path)
    return path


def told(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def test_pictures_are_imported_and_what_is_none_is_named(desk: CorrectDesk, spot: Path, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("these are words")
    text = desk.take_in([str(spot), str(tmp_path / "words.png")], "Ann", told)
    first, *others = text.splitlines()
    assert first == "Import: 1 added, 1 refused."
    assert others[0].startswith("words.png: ")
    assert desk.annotator.workspace.queue().items[0].image.added_by == "Ann"


def test_a_zip_is_imported(desk: CorrectDesk, spot: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.write(spot, "line 1/spot.png")
    assert desk.take_in([str(tmp_path / "some.zip")], "", told).startswith("Import: 1 added")
    assert desk.take_in([str(tmp_path / "some.zip")], "", told).startswith("Import: 0 added, 1 known already")


@pytest.mark.parametrize("paths", [None, []])
def test_an_upload_of_nothing_is_one_sentence(desk: CorrectDesk, paths: Any) -> None:
    with pytest.raises(DataError, match="Nothing arrived; choose pictures, a zip or a folder again."):
        desk.take_in(paths, "", told)


def test_a_folder_of_the_server_is_no_upload(desk: CorrectDesk, spot: Path) -> None:
    with pytest.raises(DataError, match="Nothing arrived"):
        desk.take_in([str(spot.parent)], "", told)
    assert desk.annotator.workspace.queue().total == 0


def test_a_long_report_is_cut_and_says_so() -> None:
    refused = tuple(Refusal(f"{number}.png", "It is no picture.") for number in range(45))
    lines = intake_text(IntakeReport(2, 1, 3, 0, refused, ("a note",))).splitlines()
    assert lines[0] == "Import: 2 added, 1 known already, 3 annotations taken in, 45 refused."
    assert (len(lines), lines[-1]) == (42, "… and 6 more.")


def test_proposing_for_all_ends_with_a_whole_count(desk: CorrectDesk, spot: Path) -> None:
    desk.take_in([str(spot)], "", told)
    assert list(desk.propose_all(DEFAULT_PRESET))[-1] == ("Proposals are there: 1 of 1 images, 1 new.")


def test_proposing_for_all_orders_the_queue_by_benefit(desk: CorrectDesk, spot: Path) -> None:
    desk.take_in([str(spot)], "", told)

    list(desk.propose_all(DEFAULT_PRESET))

    benefit = desk.annotator.workspace.queue(sort="benefit").items[0].benefit
    assert benefit is not None
    assert benefit.uncertain is not None
    assert benefit.disagreement is not None


def test_an_image_that_cannot_be_proposed_for_is_named() -> None:
    text = proposing_text(ProposingProgress(2, 3, 1, ("a.png is damaged.",)))
    assert text.splitlines() == ["Proposing: 2 of 3 images, 1 new.", "a.png is damaged."]


def test_the_export_is_a_zip_of_what_was_annotated(desk: CorrectDesk, spot: Path) -> None:
    desk.take_in([str(spot)], "", told)
    digest = desk.annotator.workspace.queue().items[0].image.digest
    desk.annotator.save(digest, Correction("normal", np.zeros((90, 120), dtype=np.bool_), "Ann"))
    path, text = desk.export("mvtec")
    assert Path(path).name == "oddity-mvtec.zip"
    assert [name for name in zipfile.ZipFile(path).namelist() if name.endswith("spot.png")]
    assert text.startswith("Export as mvtec: 1 image.")


def test_an_export_of_nothing_is_one_sentence(desk: CorrectDesk) -> None:
    with pytest.raises(StoreError, match="nothing to export"):
        desk.export("coco")


def test_the_picture_on_screen_becomes_an_image_of_the_workspace(desk: CorrectDesk, spot: Path) -> None:
    session = Session(picture=PictureShelf(Scratch()).open(str(spot)))
    digest = add_picture(desk.annotator, session, "ann")
    image = desk.annotator.workspace.image(digest)
    assert (image.name, image.added_by, image.origin) == ("spot.png", "ann", "Inspect")
    assert add_picture(desk.annotator, session, "ben") == digest


def test_without_a_picture_there_is_nothing_to_correct(desk: CorrectDesk) -> None:
    with pytest.raises(PictureError, match="There is nothing to correct yet; choose a picture first."):
        add_picture(desk.annotator, Session(), "")


@pytest.mark.parametrize(("change", "sentence"), [("unlink", "no longer kept"), ("rewrite", "has changed")])
def test_a_picture_that_is_not_what_was_inspected_is_asked_for_again(
    desk: CorrectDesk, spot: Path, change: str, sentence: str
) -> None:
    session = Session(picture=PictureShelf(Scratch()).open(str(spot)))
    spot.unlink() if change == "unlink" else spot.write_bytes(b"other")
    with pytest.raises(PictureError, match=sentence):
        add_picture(desk.annotator, session, "")
    assert desk.annotator.workspace.queue().total == 0


def test_the_same_wish_twice_is_told_apart_from_one() -> None:
    first, second = open_image("a" * 64, DEFAULT_PRESET), open_image("a" * 64, DEFAULT_PRESET)
    assert first["open"] == second["open"]
    assert first["nonce"] < second["nonce"] < 2**53  # exact in JavaScript


def test_presets_without_weights_say_so(desk: CorrectDesk) -> None:
    titles = [title for title, _ in preset_choices(desk.annotator.proposer.inspector.statuses())]
    assert titles[1] == "VisualAD · DINOv2 ViT-L/14 (no weights)"


def test_an_error_amid_steps_keeps_the_steps_before_it() -> None:
    def steps() -> Iterator[int]:
        yield 1
        raise WeightsError("There is no head.")

    shown = shows_errors_of_steps(steps)()
    assert next(shown) == 1
    with pytest.raises(ShownError, match="There is no head."):
        next(shown)


def test_nothing_of_the_tab_is_in_the_api(desk: CorrectDesk) -> None:
    with gr.Blocks(analytics_enabled=False) as page:
        build_correct_tab(desk)
    assert page.get_api_info()["named_endpoints"] == {}


def test_an_exports_report_says_what_to_know_and_what_is_missing() -> None:
    report = ExportReport("masks", 1, ("b.png was left out.",), ("1 pictures are turned.",))

    assert export_text(report).splitlines() == [
        "Export as masks: 1 image.", "1 pictures are turned.", "b.png was left out.",
    ]  # fmt: skip
