"""The lower part of the Teach tab: maps side by side, the threshold, what to label next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.services.annotating import Annotator
from app.services.inspector import Inspector
from app.services.next_to_label import LookingProgress, Suggestion
from app.services.teaching_jobs import TeachingDesk
from app.store.workspace import Workspace
from app.ui.scratch import Scratch
from app.ui.teach_handlers import TeachDesk
from app.ui.teach_tool_handlers import LEFT_OUT, ToolDesk
from app.ui.teach_tool_views import looking_text, rule_of, suggestions_value
from app.ui.teach_version_views import SHIPPED
from models.errors import DataError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, loader, nowhere
from tests.app.ui.teach_fakes import SHIPPED_DIGEST, add_version, corrected


@pytest.fixture
def heads() -> list[str]:
    """The names of the head files that were loaded."""
    return []


@pytest.fixture
def desk(tmp_path: Path, heads: list[str]) -> Iterator[TeachDesk]:
    def load_version(preset: str, head: Path) -> Any:
        heads.append(head.stem)
        return FakeModel(checkpoint_digest=head.stem)

    inspector = Inspector(nowhere(), load=loader(FakeModel()), load_version=load_version)
    with Workspace.open(tmp_path / "w") as workspace:
        yield TeachDesk(Annotator(workspace, inspector), TeachingDesk(workspace, nowhere(), "cpu"), Scratch())


@pytest.fixture
def tools(desk: TeachDesk) -> ToolDesk:
    return ToolDesk(desk)


def size_of(update: Any) -> tuple[int, int]:
    with Image.open(update["value"]) as image:
        return image.size


def test_held_out_pictures_are_drawn_before_and_after(
    desk: TeachDesk, tools: ToolDesk, heads: list[str], tmp_path: Path
) -> None:
    corrected(desk.workspace, ["anomalous", "normal", "anomalous", "normal"])
    first = add_version(desk.workspace, tmp_path)
    second = add_version(desk.workspace, tmp_path, parent=first.id)
    drawn = tools.held_out(second.id)
    assert heads == [first.id, second.id]
    assert drawn["label"] == "Held-out pictures, before and after"
    two_rows = size_of(drawn)  # every second picture of the fake version was held out
    assert 2 * 240 < two_rows[1] < 3 * 240


def test_where_each_was_left_out_once_the_taught_ones_are_drawn_and_said_to_be(
    desk: TeachDesk, tools: ToolDesk, tmp_path: Path
) -> None:
    corrected(desk.workspace, ["anomalous"])  # the first picture of the fake version is taught
    first = add_version(desk.workspace, tmp_path)
    second = add_version(desk.workspace, tmp_path, parent=first.id)
    assert tools.held_out(second.id)["label"] == LEFT_OUT


def test_a_version_whose_parent_is_gone_says_so(desk: TeachDesk, tools: ToolDesk, tmp_path: Path) -> None:
    corrected(desk.workspace, ["anomalous"])
    version = add_version(desk.workspace, tmp_path, parent=SHIPPED_DIGEST)
    with pytest.raises(DataError, match="What version 1 was built on, unknown 555555555555, is gone"):
        tools.held_out(version.id)


def test_the_shipped_head_has_no_held_out_pictures(tools: ToolDesk) -> None:
    with pytest.raises(DataError, match="was taught nothing here"):
        tools.held_out(SHIPPED)


def test_any_two_are_compared_on_a_picture(desk: TeachDesk, tools: ToolDesk, heads: list[str], tmp_path: Path) -> None:
    (digest,) = corrected(desk.workspace, [None])
    version = add_version(desk.workspace, tmp_path)
    two = size_of(tools.compare(DEFAULT_PRESET, SHIPPED, version.id, digest))
    one = size_of(tools.compare(DEFAULT_PRESET, SHIPPED, SHIPPED, digest))
    assert heads == [version.id]
    assert two[0] - one[0] == 252  # a column: 240 and a gap of 12


@pytest.mark.parametrize(
    ("left", "digest", "sentence"), [(SHIPPED, None, "Choose a picture"), ("", "a" * 64, "Choose two versions")]
)
def test_a_comparison_needs_a_picture_and_two_versions(
    tools: ToolDesk, left: str, digest: str | None, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        tools.compare(DEFAULT_PRESET, left, SHIPPED, digest)


def test_pictures_to_compare_on_begin_with_the_corrected_ones(desk: TeachDesk, tools: ToolDesk) -> None:
    digests = corrected(desk.workspace, ["normal", None, "anomalous", None])
    offered = [digest for _, digest in tools.pictures()["choices"]]
    assert offered == [digests[0], digests[2], digests[3], digests[1]]  # then the newest first


def test_what_to_label_next_leaves_out_what_is_labelled(desk: TeachDesk, tools: ToolDesk) -> None:
    digests = corrected(desk.workspace, ["normal", None, "unsure", None])
    items = tools.suggestions(DEFAULT_PRESET)["items"]
    assert sorted(item["digest"] for item in items) == sorted([digests[1], digests[3]])
    assert {item["score"] for item in items} == {"no score yet"}
    assert all(item["picture"].startswith("data:image/webp;base64,") for item in items)


def test_with_everything_labelled_the_panel_says_so(desk: TeachDesk, tools: ToolDesk) -> None:
    corrected(desk.workspace, ["normal"])
    assert tools.suggestions(DEFAULT_PRESET) == {
        "sentence": "Every picture is labelled; import more in Correct.", "items": [],
    }  # fmt: skip


def test_a_suggestion_has_score_and_reason_but_no_picture_where_it_cannot_be_read() -> None:
    found = Suggestion(
        image_digest="a" * 64, name="<b>.png", benefit=0.5, reason="nothing like it is labelled yet", score=1.234,
        uncertain=None, disagreement=None, novelty=1.0,
    )  # fmt: skip
    (item,) = suggestions_value([found], {})["items"]
    assert (item["score"], item["why"], item["picture"]) == ("score 1.23", "nothing like it is labelled yet", "")


def test_looking_says_how_far_it_is_and_names_what_cannot_be_read() -> None:
    assert looking_text(LookingProgress(3, 10, ())) == "Looking at 3 of 10 pictures."
    text = looking_text(LookingProgress(10, 10, ("a.png is damaged.", "b.png is damaged."), ()))
    assert text == "Looked at 10 of 10 pictures. a.png is damaged. … and 1 more."


def test_a_rule_is_asked_for_with_its_rate() -> None:
    assert rule_of("f1", 2.0) == {"kind": "f1"}
    assert rule_of("false_alarms", 2.5) == {"kind": "false_alarms", "rate": 0.025}
    with pytest.raises(DataError, match="must lie between 0 and 100 %; got 100 %"):
        rule_of("false_alarms", 100.0)


def test_a_head_without_calibration_has_no_threshold_to_choose(desk: TeachDesk) -> None:
    corrected(desk.workspace, ["normal", "anomalous"])
    inspector = Inspector(nowhere(), load=loader(FakeModel(calibration=None)))
    bare = TeachDesk(Annotator(desk.workspace, inspector), desk.teaching, desk.scratch)
    with pytest.raises(DataError, match="is not calibrated, so it has no threshold to choose"):
        ToolDesk(bare).threshold(DEFAULT_PRESET, "f1", 2.0)


def test_the_pixels_of_a_sheet_are_readable_on_both_grounds(desk: TeachDesk, tools: ToolDesk, tmp_path: Path) -> None:
    (digest,) = corrected(desk.workspace, [None])
    drawn = tools.compare(DEFAULT_PRESET, SHIPPED, SHIPPED, digest)
    with Image.open(drawn["value"]) as image:
        assert (np.asarray(image)[..., 3] == 0).any()  # the ground is the page's
