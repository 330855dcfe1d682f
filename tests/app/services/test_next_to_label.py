"""What to label next, on a real workspace with fakes for model and backbone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.services.annotating import Annotator
from app.services.inspector import Inspector, LoadModel
from app.services.looks import Looks, look_id
from app.services.next_to_label import (
    LAYERS_DISAGREE,
    METHODS_DISAGREE,
    NEXT_TO_THE_THRESHOLD,
    NOT_LOOKED_AT,
    ONLY_ITS_SCORE,
    UNLIKE,
    NextToLabel,
)
from app.services.patch_tokens import PatchDescriber
from app.store.check import check
from app.store.errors import StoreError
from app.store.records import NewRevision
from app.store.workspace import Workspace
from models.errors import WeightsError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector, nowhere
from tests.app.store.making import add, anomalous, proposal


@dataclass(slots=True, eq=False)
class ColourDescriber:
    """A patch's token is its colour, in the first three of 384 numbers."""

    image_size: int = 518
    calls: list[str] = field(default_factory=list)

    def tokens(self, rgb: NDArray[np.uint8]) -> Tensor:
        self.calls.append(f"{self.image_size} px")
        tokens = torch.zeros(2, 1, 384)
        tokens[:, 0, :3] = torch.from_numpy(rgb.reshape(-1, 3).mean(axis=0) / 255.0)
        return torch.nn.functional.normalize(tokens, dim=-1)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


def next_in(
    workspace: Workspace, describer: ColourDescriber | None = None, model: FakeModel | None = None
) -> NextToLabel:
    def describe() -> PatchDescriber:
        if describer is None:
            raise WeightsError("There is no backbone; fetch it.")
        return cast(PatchDescriber, describer)

    load = cast(LoadModel, lambda _: FakeModel() if model is None else model)
    return Annotator(workspace, Inspector(nowhere(), load=load, describe=describe)).next_to_label


def add_colour(workspace: Workspace, colour: tuple[int, int, int], name: str, size_px: int = 40) -> str:
    file = io.BytesIO()
    Image.new("RGB", (size_px, size_px), colour).save(file, format="PNG")
    return workspace.add_image(file.getvalue(), name, author="ann").image.digest


def test_without_a_look_the_scores_alone_decide(workspace: Workspace) -> None:
    clear, near, new = add(workspace, 1, "clear"), add(workspace, 2, "near"), add(workspace, 3, "new")
    workspace.add_proposal(clear, proposal(image_score=1.5))  # threshold 0.5, suspicious 0.25
    workspace.add_proposal(near, proposal(image_score=0.5))

    found = next_in(workspace).suggest()

    assert [suggestion.name for suggestion in found] == ["near", "clear", "new"]
    assert [suggestion.reason for suggestion in found] == [NEXT_TO_THE_THRESHOLD, ONLY_ITS_SCORE, NOT_LOOKED_AT]
    assert [suggestion.benefit for suggestion in found] == pytest.approx([1.0, 0.2, 0.0])
    assert found[1].uncertain == pytest.approx(0.2)
    assert (found[1].disagreement, found[1].novelty) == (None, None)
    assert (found[2].image_digest, found[2].score, found[2].uncertain) == (new, None, None)


def test_labelled_images_and_those_that_somebody_is_unsure_of_are_left_out(workspace: Workspace) -> None:
    labelled, unsure, left = (add(workspace, number, str(number)) for number in range(3))
    workspace.save(labelled, anomalous((0, 0)))
    workspace.save(unsure, NewRevision("unsure", None, "ann"))

    assert [found.image_digest for found in next_in(workspace).suggest()] == [left]


def test_methods_that_rank_an_image_apart_speak_for_it(workspace: Workspace) -> None:
    digests = [add(workspace, number, str(number)) for number in range(9)]
    for number, digest in enumerate(digests):
        workspace.add_proposal(digest, proposal(preset="one", image_score=5.0 + number))
        workspace.add_proposal(digest, proposal(preset="other", image_score=50.0 if number == 0 else 5.0 + number))

    first = next_in(workspace).suggest("one")[0]

    assert (first.name, first.reason, first.disagreement) == ("0", METHODS_DISAGREE, 1.0)


def test_probabilities_are_compared_by_their_log_odds(workspace: Workspace) -> None:
    near, far = add(workspace, 1, "near"), add(workspace, 2, "far")
    # Such a proposal's threshold is one of the map; "suspicious" is the line that its score can be held against.
    for digest, score in ((near, 0.1), (far, 0.001)):
        workspace.add_proposal(digest, replace(proposal(preset="daclip-compact", image_score=score), suspicious=0.1))

    found = next_in(workspace).suggest("daclip-compact")

    odds = [float(np.log(score / (1 - score))) for score in (0.1, 0.001)]
    spread = float(np.std(odds))
    assert [suggestion.name for suggestion in found] == ["near", "far"]
    assert [suggestion.uncertain for suggestion in found] == pytest.approx([1.0, spread / (spread + odds[0] - odds[1])])


def test_a_look_proposes_describes_and_orders_the_queue(workspace: Workspace) -> None:
    # The model's score is darkness, 2.5 in all layers' sum; its threshold is 1.6, its suspicious 1.2.
    red = add_colour(workspace, (255, 0, 0), "red")
    also_red = add_colour(workspace, (254, 0, 0), "also red")
    blue = add_colour(workspace, (0, 0, 255), "blue")
    workspace.save(red, NewRevision("normal", None, "ann"))
    describer = ColourDescriber()

    steps = list(next_in(workspace, describer).look(DEFAULT_PRESET))

    assert [step.done for step in steps] == [0, 1, 2, 3, 3]
    assert describer.calls == ["224 px"] * 3
    suggestions = steps[-1].suggestions
    assert suggestions is not None
    assert [found.name for found in suggestions] == ["blue", "also red"]
    assert [found.image_digest for found in suggestions] == [blue, also_red]
    assert (suggestions[0].novelty, suggestions[0].reason) == (1.0, UNLIKE)
    assert suggestions[1].novelty == pytest.approx(0.0, abs=0.02)
    page = workspace.queue(sort="benefit")
    assert [item.image.name for item in page.items] == ["blue", "also red", "red"]
    assert page.items[0].benefit is not None
    assert page.items[0].benefit.reason == UNLIKE
    assert check(workspace, min_age_s=0).problems == ()


def test_what_all_have_in_common_is_no_reason(workspace: Workspace) -> None:
    # Nothing is labelled, so all four are as new as can be; one has its score, 2.5 * darkness, near the threshold 1.6.
    colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (92, 92, 92)}
    for name, colour in colours.items():
        add_colour(workspace, colour, name)

    found = list(next_in(workspace, ColourDescriber()).look(DEFAULT_PRESET))[-1].suggestions

    assert found is not None
    assert (found[0].name, found[0].novelty, found[0].reason) == ("grey", 1.0, NEXT_TO_THE_THRESHOLD)


def test_a_look_measures_how_uncertain_and_how_contradictory_a_score_is(workspace: Workspace) -> None:
    add_colour(workspace, (0, 0, 0), "black")

    found = list(next_in(workspace).look(DEFAULT_PRESET))[-1].suggestions

    assert found is not None
    assert found[0].score == pytest.approx(2.5)
    assert found[0].uncertain == pytest.approx(0.4 / (0.4 + 0.9))
    # Layers score 0.25, 0.5, 0.75, 1 on a scale from 0.05 to 0.75: shares 2/7, 9/14, 1 and 1.
    assert found[0].disagreement == pytest.approx(2 * np.std([2 / 7, 9 / 14, 1, 1]), abs=1e-4)
    assert found[0].novelty is None
    assert found[0].reason == NEXT_TO_THE_THRESHOLD


def test_layers_that_contradict_each_other_are_named(workspace: Workspace) -> None:
    digest = add(workspace)
    kept = workspace.add_proposal(digest, proposal(image_score=9.0))
    Looks(workspace.folder / "teaching" / "descriptors").keep(
        look_id(kept.preset, kept.checkpoint, kept.settings, digest), 0.1, 0.9
    )

    assert next_in(workspace).suggest()[0].reason == LAYERS_DISAGREE


def test_a_second_look_computes_nothing(workspace: Workspace) -> None:
    add_colour(workspace, (9, 9, 9), "dark")
    describer, model = ColourDescriber(), FakeModel()
    first = list(next_in(workspace, describer, model).look(DEFAULT_PRESET))[-1]

    again = list(next_in(workspace, describer, model).look(DEFAULT_PRESET))[-1]

    assert (len(describer.calls), model.calls) == (1, 1)
    assert again.suggestions == first.suggestions


def test_another_checkpoint_looks_again_and_the_descriptors_stay(workspace: Workspace) -> None:
    add_colour(workspace, (9, 9, 9), "dark")
    describer = ColourDescriber()
    list(next_in(workspace, describer).look(DEFAULT_PRESET))

    taught = FakeModel(checkpoint_digest="beef" * 16)
    list(next_in(workspace, describer, taught).look(DEFAULT_PRESET))

    assert (len(describer.calls), taught.calls) == (1, 1)


def test_a_cancelled_look_counts_what_it_saw(workspace: Workspace) -> None:
    for number in range(3):
        add_colour(workspace, (number, 0, 0), str(number))
    answers = iter([False, True])

    last = list(next_in(workspace).look(DEFAULT_PRESET, is_cancelled=lambda: next(answers)))[-1]

    assert (last.done, last.total) == (1, 3)
    assert last.suggestions is not None
    assert [found.score is not None for found in last.suggestions] == [True, False, False]


def test_an_image_that_cannot_be_read_is_named_and_the_rest_goes_on(workspace: Workspace) -> None:
    lost, kept = add_colour(workspace, (1, 1, 1), "lost"), add_colour(workspace, (2, 2, 2), "kept")
    workspace.image_path(lost).unlink()

    last = list(next_in(workspace).look(DEFAULT_PRESET))[-1]

    assert len(last.refused) == 1
    assert last.suggestions is not None
    assert {found.image_digest: found.score is not None for found in last.suggestions} == {lost: False, kept: True}


def test_nothing_to_label_is_no_error(workspace: Workspace) -> None:
    steps = list(next_in(workspace, ColourDescriber()).look(DEFAULT_PRESET))

    assert steps[-1].suggestions == ()


def test_a_stale_order_is_made_anew_and_a_fresh_one_is_left(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordering = next_in(workspace)
    digest = add(workspace)
    ordering.refresh_if_stale()
    before = workspace.item(digest).benefit
    workspace.add_proposal(digest, proposal(image_score=0.5))

    ordering.refresh_if_stale()
    assert workspace.item(digest).benefit == before
    monkeypatch.setattr(ordering, "_rest_until_s", 0.0)
    ordering.refresh_if_stale()

    after = workspace.item(digest).benefit
    assert before is not None
    assert after is not None
    assert (before.reason, after.reason) == (NOT_LOOKED_AT, NEXT_TO_THE_THRESHOLD)


def test_a_look_needs_a_workspace_that_may_be_written(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ordering = next_in(workspace)
    add(workspace)
    monkeypatch.setattr(Workspace, "read_only", True)
    assert len(ordering.refresh()) == 1
    monkeypatch.setattr("app.store.database.Database.require_writable", refuse)

    with pytest.raises(StoreError, match="may only be read"):
        next(ordering.look(DEFAULT_PRESET))


def refuse(_: object) -> None:
    raise StoreError("It may only be read.")


def test_no_more_images_are_described_than_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.looks.MOST_DESCRIBED", 1)
    looks = Looks(tmp_path)
    row = np.full(looks.size, 0.5, np.float32)

    for digest in ("a", "b"):
        looks.describe(digest, lambda: row)

    assert np.isnan(looks.descriptors(["a", "b"])).any(axis=1).tolist() == [False, True]
    assert looks.descriptors(["a"])[0].tolist() == row.tolist()


def test_old_looks_are_forgotten_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.looks._MOST_LOOKS", 2)
    looks = Looks(tmp_path)

    for number, name in enumerate("abc"):
        looks.keep(name, number / 4, float("nan"))

    assert [looks.has(name) for name in "abc"] == [False, False, True]
    assert looks.kept(["c"])[0, 0] == 0.5
    assert np.isnan(looks.kept(["a", "c"])[:, 1]).all()


def test_the_annotator_has_the_order(workspace: Workspace) -> None:
    assert Annotator(workspace, fake_inspector(FakeModel())).next_to_label.suggest() == ()
