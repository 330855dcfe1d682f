"""What the Teach tab shows of corrections and versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.records import NewRevision
from app.store.workspace import Workspace
from app.ui.teach_version_views import SHIPPED, choices, held_out_text, versions_value
from app.ui.teach_views import Counts, count, counts_value, is_better, metrics_value
from tests.app.ui.teach_fakes import add_version, corrected, measures, metrics

NEEDS_BOTH = "n/a: that measure needs both normal and anomalous ones."


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


def counted(workspace: Workspace, active: object = None) -> Counts:
    return count((revision for _, revision in workspace.annotated()), active)  # type: ignore[arg-type]


def test_annotations_are_counted_by_kind(workspace: Workspace) -> None:
    digests = corrected(workspace, ["normal", "normal", "anomalous", "unsure", None])
    workspace.save(digests[4], NewRevision(label="anomalous", mask=None, author="Ben"))
    assert counted(workspace) == Counts(normal=2, marked=1, unmarked=1, unsure=1, new=4)


def test_only_revisions_that_the_active_version_has_not_seen_are_new(workspace: Workspace, tmp_path: Path) -> None:
    digests = corrected(workspace, ["normal", "anomalous", "unsure"])
    version = add_version(workspace, tmp_path)
    assert counted(workspace, version).new == 0
    workspace.save(digests[0], NewRevision(label="anomalous", mask=None, author="Ann", based_on=1))
    assert counted(workspace, version).new == 1


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (Counts(), "Correct a few pictures first: mark what is anomalous, confirm what is normal."),
        (Counts(unsure=3), "Correct a few pictures first: mark what is anomalous, confirm what is normal."),
        (Counts(normal=2, new=1), "1 of 2 is new to version 3."),
        (Counts(normal=2000, marked=1, new=1500), "1,500 of 2,001 are new to version 3."),
        (Counts(normal=2), "Nothing is new: version 3 has seen all of them."),
    ],
)
def test_what_there_is_to_learn_is_one_sentence(counts: Counts, sentence: str) -> None:
    assert counts_value(counts, "version 3")["sentence"] == sentence


def test_why_nothing_can_be_taught_goes_before_everything_else() -> None:
    assert (
        counts_value(Counts(normal=2, new=2), "version 3", "It may only be read.")["sentence"] == "It may only be read."
    )


def test_before_and_after_stand_side_by_side_with_their_difference(workspace: Workspace, tmp_path: Path) -> None:
    corrected(workspace, ["normal", "anomalous"])
    version = add_version(workspace, tmp_path, taught=metrics() | {"notes": ["a.png counts."]})
    value = metrics_value(version, "the shipped head", active=True)
    rows = {row["name"]: row["cells"] for row in value["rows"]}
    assert value["title"] == "Before and after: the shipped head → version 1, in use"
    assert value["sets"][0]["title"] == "Corrections, held out (3 pictures)"
    assert [cell["text"] for cell in rows["Pixel AP"]] == [
        "0.400", "0.625", "+0.225", "0.700", "0.695", "\N{MINUS SIGN}0.005",
    ]  # fmt: skip
    assert [cell["tone"] for cell in rows["Pixel AP"]] == ["", "", "up", "", "", "down"]
    assert [cell["text"] for cell in rows["Image AUROC"]][:3] == ["0.900", "0.900", "±0.000"]
    assert [cell["text"] for cell in rows["IoU at the threshold"]][:3] == ["n/a", "n/a", ""]
    assert value["notes"] == [
        {"text": "a.png counts."},
        {"text": f"It took 12 s; the weights are those of step 4. {NEEDS_BOTH}"},
    ]


@pytest.mark.parametrize(("better", "tone"), [(True, "better"), (False, "no-better")])
def test_the_verdict_is_seen(workspace: Workspace, tmp_path: Path, better: bool, tone: str) -> None:
    version = add_version(workspace, tmp_path, better=better)
    value = metrics_value(version, "the shipped head", active=False)
    assert (is_better(version), value["tone"]) == (better, tone)
    assert value["sentence"] == metrics(better)["sentence"]


def test_one_left_out_picture_is_called_so(workspace: Workspace, tmp_path: Path) -> None:
    taught = metrics() | {
        "held_out": {"how": "leave one out", "pictures": 1, "before": measures(0.1), "after": measures(0.2)}
    }
    value = metrics_value(add_version(workspace, tmp_path, taught=taught), "version 1", active=False)
    assert value["sets"][0]["title"] == "Corrections, each left out once (1 picture)"


def test_what_was_not_measured_is_not_in_the_table(workspace: Workspace, tmp_path: Path) -> None:
    taught = metrics() | {"held_out": {"how": "none", "pictures": 0, "before": None, "after": None}}
    version = add_version(workspace, tmp_path, taught=taught)
    value = metrics_value(version, "version 1", active=False)
    assert [entry["title"] for entry in value["sets"]] == ["Synthetic set, to see what it forgot"]
    assert held_out_text(version) == "–"


def test_a_version_without_numbers_says_so(workspace: Workspace, tmp_path: Path) -> None:
    value = metrics_value(add_version(workspace, tmp_path, taught={}), "version 1", active=False)
    assert (value["sentence"], value["rows"]) == ("Nothing was measured for it.", [])


def test_a_version_with_another_threshold_says_which(workspace: Workspace, tmp_path: Path) -> None:
    taught = {"threshold": {"before": 1.25, "after": 0.5}, "notes": ["a.png is left out."]}
    version = add_version(workspace, tmp_path, taught=taught)
    value = metrics_value(version, "version 1", active=False)
    assert value["sentence"] == "The threshold is 0.500, where it was 1.250; the weights stay."
    assert value["notes"] == [{"text": "a.png is left out."}]


def test_without_a_version_the_panel_says_what_will_stand_there() -> None:
    assert metrics_value(None, "", active=False)["sentence"] == "Once something was taught, its numbers stand here."


def test_versions_are_listed_newest_first_with_their_lineage_and_the_shipped_head_last(
    workspace: Workspace, tmp_path: Path
) -> None:
    corrected(workspace, ["normal", "anomalous"])
    first = add_version(workspace, tmp_path)
    second = add_version(workspace, tmp_path, parent=first.id, author="")
    listed = workspace.versions.list()
    rows = versions_value(listed, {first.id: "shipped head", second.id: "version 1"}, first.id, second.id)["rows"]
    assert [row["name"] for row in rows] == ["version 2", "version 1", "Shipped head"]
    assert [row["parent"] for row in rows] == ["version 1", "shipped head", "–"]
    assert [row["indent"] for row in rows] == [28, 14, 0]
    assert [row["active"] for row in rows] == [False, True, False]
    assert [row["chosen"] for row in rows] == [True, False, False]
    assert (rows[0]["who"], rows[1]["who"], rows[1]["corrections"]) == ("–", "Ann", "2")
    assert rows[0]["held_out"] == "Pixel AP 0.400 → 0.625"


def test_with_nothing_taught_the_shipped_head_is_in_use() -> None:
    (row,) = versions_value([], {}, SHIPPED, SHIPPED)["rows"]
    assert (row["id"], row["active"], row["chosen"]) == (SHIPPED, True, True)


def test_choices_say_which_version_is_in_use(workspace: Workspace, tmp_path: Path) -> None:
    version = add_version(workspace, tmp_path)
    assert choices([version], version.id) == [("version 1, in use", version.id), ("Shipped head", SHIPPED)]
    assert choices([version], SHIPPED)[-1] == ("Shipped head, in use", SHIPPED)
