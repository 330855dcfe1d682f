"""The reference panel's handlers, called without a browser: fakes whose numbers can be worked out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.services.annotating import Annotator
from app.services.proposing import references_in
from app.services.references import ReferenceOptions
from app.store.records import NewRevision
from app.store.workspace import Workspace
from app.ui.controls import HEATMAP
from app.ui.handlers import Desk, Shown
from app.ui.reference_handlers import ReferenceDesk
from app.ui.scratch import Scratch
from app.ui.session import PictureRef, PictureShelf, Session
from models.errors import DataError, PictureError
from models.presets import NEAREST_PATCH_PRESET
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel
from tests.app.reference_fakes import FakeDescriber, compared_engine
from tests.app.ui.reference_pictures import drawn

VALUES: tuple[Any, ...] = ([3, 6, 9, 12], 1.0, 0.0, HEATMAP, 65, "inferno", 0.7, 80, False, False)


class Bench:
    """A desk with its fakes."""

    def __init__(self, workspace: Workspace | None = None) -> None:
        self.model, self.describer = FakeModel(), FakeDescriber()
        scratch = Scratch()
        self.desk = Desk(compared_engine(self.model, self.describer), PictureShelf(scratch), scratch)
        self.panel = ReferenceDesk(self.desk, workspace)

    def redraw(self, session: Session, values: tuple[Any, ...] = VALUES) -> Shown:
        return Shown(*self.desk.redraw(session, *values))

    def opened(self, path: str, session: Session | None = None) -> Shown:
        return Shown(*self.desk.open_picture(path, session or Session(page="p"), *VALUES))


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def spotted(tmp_path: Path) -> str:
    return drawn(tmp_path, "spotted.png", 204, spot=20)


@pytest.fixture
def normals(tmp_path: Path) -> list[str]:
    return [drawn(tmp_path, f"grey {level}.png", level) for level in (200, 204, 208)]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace") as opened:
        yield opened


def confirm(workspace: Workspace, path: str) -> str:
    """Put a picture into the workspace and call it normal."""
    digest = workspace.add_image(Path(path).read_bytes(), Path(path).name, author="a").image.digest
    workspace.save(digest, NewRevision(label="normal", mask=None, author="a"))
    return digest


def test_references_change_the_result_and_without_them_the_first_one_is_back(
    bench: Bench, spotted: str, normals: list[str]
) -> None:
    first = bench.opened(spotted)

    added = bench.panel.add(normals, first.session)
    compared = bench.redraw(added.session)
    cleared = bench.redraw(bench.panel.clear(compared.session).session)

    assert added.title["label"] == "Normal pictures for reference: 3"
    assert [picture["name"] for picture in added.pictures["pictures"]] == [
        "grey 200.png",
        "grey 204.png",
        "grey 208.png",
    ]
    assert added.pictures["pictures"][0]["thumbnail"].startswith("data:image/webp;base64,")
    assert compared.verdict["score"] != first.verdict["score"]
    assert "Compared with 3 normal pictures" in compared.verdict["how"]
    assert "Threshold 1.00 = above 98 % of this object's normal pictures." in compared.verdict["how"]
    assert compared.zero_shot_map["visible"]
    assert compared.reference_map["label"].startswith("Normal pictures alone: score ")
    assert cleared.verdict["score"] == first.verdict["score"]
    assert cleared.verdict["how"] == first.verdict["how"]
    assert cleared.zero_shot_map == gr.update(value=None, visible=False)


def test_a_weight_or_threshold_change_runs_nothing_again(bench: Bench, spotted: str, normals: list[str]) -> None:
    session = bench.redraw(bench.panel.add(normals, bench.opened(spotted).session).session).session
    calls = bench.model.calls, bench.describer.calls

    alone = Shown(*bench.desk.set_reference_weight(1.0, session, *VALUES))
    by_hand = Shown(*bench.desk.set_threshold(0.5, alone.session, *VALUES))
    back = Shown(*bench.desk.use_weight_by_rule(by_hand.session, *VALUES))

    assert (bench.model.calls, bench.describer.calls) == calls
    assert f"score {alone.verdict['score']}" in bench_label(bench, session)
    assert alone.weight_by_rule["interactive"]
    assert not back.weight_by_rule["interactive"]
    assert alone.zero_shot_map == gr.skip()  # the sources are as they were


def bench_label(bench: Bench, session: Session) -> str:
    """The label of the references' own map."""
    return str(bench.redraw(replace(session, sources=())).reference_map["label"])


def test_a_corrupt_file_is_left_out_with_its_sentence_and_the_others_stay(
    bench: Bench, normals: list[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")

    added = bench.panel.add([normals[0], str(broken), normals[0]], Session(page="p"))

    assert [ref.name for ref in added.session.references] == ["grey 200.png"]
    told = [entry["text"] for entry in added.pictures["told"]]
    assert told[0].startswith("broken.png is not a picture")
    assert told[0].endswith(" It is left out.")
    assert told[1] == "grey 200.png is there already, so it counts once."


def test_more_than_can_be_compared_with_are_refused_and_those_that_were_there_stay(
    bench: Bench, normals: list[str], tmp_path: Path
) -> None:
    many = [drawn(tmp_path, f"{level}.png", level) for level in range(32)]
    session = bench.panel.add(normals, Session(page="p")).session

    with pytest.raises(DataError, match="3 and 32 more are 35 normal pictures; 32 can be used, so remove some or add"):
        bench.panel.add(many, session)
    with pytest.raises(DataError, match="33 pictures are more than can be compared with; choose at most 32"):
        bench.panel.add([*many, normals[0]], session)

    assert bench.desk.newest.of(session).references == session.references


def test_one_picture_can_be_removed(bench: Bench, normals: list[str]) -> None:
    session = bench.panel.add(normals, Session(page="p")).session
    left = bench.panel.remove(session.references[1].digest, session)
    assert [ref.name for ref in left.session.references] == ["grey 200.png", "grey 208.png"]


def test_the_nearest_patch_can_be_chosen_only_with_references(bench: Bench, spotted: str, normals: list[str]) -> None:
    session = bench.opened(spotted).session
    with pytest.raises(DataError, match="Nearest patch needs reference pictures; give 1 to 32 normal pictures"):
        bench.desk.choose_method("Nearest patch", session)

    added = bench.panel.add(normals, session).session
    chosen = bench.desk.choose_method("Nearest patch", added)
    alone = bench.redraw(chosen.session, ([6, 9], *VALUES[1:]))

    assert chosen.session.preset == NEAREST_PATCH_PRESET
    hidden = gr.update(value=None, visible=False)  # the fused map is that of the references
    assert (alone.zero_shot_map, alone.reference_map) == (hidden, hidden)
    assert alone.reference_weight == gr.update(interactive=False, value=1.0)
    assert "alone decides" in alone.references_say["what"]
    method, *updates = bench.panel.without_references(bench.panel.clear(alone.session).session)
    assert (method, updates[0].preset) == ("VisualAD", DEFAULT_PRESET)


def test_a_picture_that_was_on_its_way_does_not_lose_references_added_meanwhile(
    bench: Bench, spotted: str, normals: list[str]
) -> None:
    before = bench.opened(spotted).session
    bench.panel.add(normals, before)
    late = bench.redraw(before)
    other = bench.opened(normals[0], before)

    assert late == (gr.skip(),) * len(Shown._fields)
    assert len(other.session.references) == 3
    assert "grey 200.png is the inspected picture too" in other.references_say["doubts"][0]["text"]
    assert "Doubtful: grey 200.png is the inspected picture too, which hides its defects" in other.verdict["how"]


def test_a_threshold_by_hand_does_not_outlive_its_units(bench: Bench, spotted: str, normals: list[str]) -> None:
    session = bench.opened(spotted).session
    by_hand = Shown(*bench.desk.set_threshold(0.3, session, *VALUES)).session
    assert bench.panel.add(normals, by_hand).session.threshold is None


def test_other_visitors_keep_their_own_names_of_equal_pictures(
    bench: Bench, spotted: str, normals: list[str], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    renamed = theirs / "secret.png"
    renamed.write_bytes(Path(normals[0]).read_bytes())
    bench.redraw(bench.panel.add([str(renamed)], bench.opened(spotted, Session(page="other")).session).session)

    mine = bench.redraw(bench.panel.add(normals[:1], bench.opened(spotted).session).session)

    assert "secret" not in repr(mine)
    inspection, _ = bench.desk.inspection(mine.session, VALUES)
    assert inspection.references is not None
    assert inspection.references.names == ("grey 200.png",)


def test_a_reference_that_is_gone_is_asked_for_again(bench: Bench, normals: list[str]) -> None:
    ref = PictureRef(path="/nonexistent/gone.png", name="gone.png", digest="d")
    with pytest.raises(PictureError, match="gone.png is no longer kept on the server; remove it or add it again"):
        bench.desk.references.references(bench.desk.engine.inspector.references, [ref], ReferenceOptions())


def test_the_workspace_lends_its_confirmed_normals(workspace: Workspace, spotted: str, normals: list[str]) -> None:
    bench = Bench(workspace)
    with pytest.raises(DataError, match="Nobody has called a picture of this workspace normal yet"):
        bench.panel.use_workspace(Session(page="p"))
    for path in normals:
        confirm(workspace, path)
    unsure = workspace.add_image(Path(spotted).read_bytes(), "spotted.png", author="a").image.digest
    workspace.save(unsure, NewRevision(label="unsure", mask=None, author="a"))

    used = bench.panel.use_workspace(Session(page="p"))

    found = bench.panel.normals()
    assert found is not None
    assert found.total == 3
    assert [ref.name for ref in used.session.references] == ["grey 208.png", "grey 204.png", "grey 200.png"]
    shown = bench.opened(spotted, used.session)
    assert "Compared with 3 normal pictures" in shown.verdict["how"]


def test_a_proposal_beside_confirmed_normals_names_them_and_never_the_image_itself(
    workspace: Workspace, spotted: str, normals: list[str]
) -> None:
    annotator = Annotator(workspace, compared_engine(FakeModel(), FakeDescriber()).inspector)
    digest = workspace.add_image(Path(spotted).read_bytes(), "spotted.png", author="a").image.digest
    alone = annotator.open(digest, f"{DEFAULT_PRESET}+normals")
    assert alone.proposal is None
    assert "There is no confirmed normal image to compare this one with" in (alone.proposal_problem or "")

    confirmed = [confirm(workspace, path) for path in normals]
    compared = annotator.open(digest, f"{DEFAULT_PRESET}+normals")
    plain = annotator.open(digest, DEFAULT_PRESET)
    own = annotator.open(confirmed[0], f"{DEFAULT_PRESET}+normals")

    assert compared.proposal is not None
    assert plain.proposal is not None
    assert own.proposal is not None
    assert references_in(compared.proposal.settings) == tuple(reversed(confirmed))
    assert references_in(own.proposal.settings) == tuple(reversed(confirmed[1:]))
    assert references_in(plain.proposal.settings) == ()
    assert compared.proposal_title == "VisualAD · DINOv2 ViT-S/14 with 3 confirmed normals"
    assert plain.proposal_title == "VisualAD · DINOv2 ViT-S/14"
    assert compared.proposal.threshold == 1.0
    assert compared.proposal.preset == plain.proposal.preset == DEFAULT_PRESET
    assert compared.maps is not None
    assert compared.maps.scale.high == 2.0


def test_proposing_for_all_beside_normals_goes_on_where_one_has_nothing_to_be_compared_with(
    workspace: Workspace, spotted: str, normals: list[str]
) -> None:
    proposer = Annotator(workspace, compared_engine(FakeModel(), FakeDescriber()).inspector).proposer
    workspace.add_image(Path(spotted).read_bytes(), "spotted.png", author="a")
    confirm(workspace, normals[0])

    first = list(proposer.propose_all(f"{DEFAULT_PRESET}+normals"))[-1]
    again = list(proposer.propose_all(f"{DEFAULT_PRESET}+normals"))[-1]

    assert (first.done, first.proposed) == (2, 1)
    assert "There is no confirmed normal image" in first.refused[0]
    assert again.proposed == 0


def test_the_set_of_normals_for_proposals_changes_only_every_fourth_confirmation(
    workspace: Workspace, tmp_path: Path
) -> None:
    beside = Annotator(workspace, compared_engine(FakeModel(), FakeDescriber()).inspector).proposer.beside_normals
    seen = []
    for level in range(17):
        confirm(workspace, drawn(tmp_path, f"{level}.png", 100 + level))
        seen.append(beside.digests(""))
    assert [len(digests) for digests in seen] == [1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]
    assert len({*seen[7:]}) == 3  # after 8, 12 and 16
    assert seen[8] == seen[10] == seen[7]
    assert seen[12] == seen[11]


def test_turned_references_are_another_bank(bench: Bench, spotted: str, normals: list[str]) -> None:
    session = bench.redraw(bench.panel.add(normals[:1], bench.opened(spotted).session).session).session
    calls = bench.describer.calls
    bench.redraw(session, (*VALUES[:8], True, True))
    assert bench.describer.calls > calls
