"""Opening, proposing and saving with a fake model on a real workspace."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.services.annotating import Annotator, Correction, source_text
from app.store.errors import StoreError, UnknownImageError
from app.store.workspace import Workspace
from models.errors import DataError, WeightsError
from models.registry import DEFAULT_PRESET
from models.scoring import upsample
from tests.app.fakes import FakeModel, fake_inspector, spotted_picture


def file_of(size_hw: tuple[int, int] = (200, 300)) -> bytes:
    """White with a black square in its middle, as PNG."""
    file = io.BytesIO()
    Image.fromarray(spotted_picture(size_hw).rgb).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


@pytest.fixture
def digest(workspace: Workspace) -> str:
    return workspace.add_image(file_of(), "spot.png", author="ann").image.digest


def annotator_with(workspace: Workspace, model: FakeModel | None = None) -> Annotator:
    return Annotator(workspace, fake_inspector(FakeModel() if model is None else model))


def without_weights(workspace: Workspace) -> Annotator:
    def refuse(name: str) -> Any:
        raise WeightsError("There is no head; train one.")

    return Annotator(workspace, fake_inspector(FakeModel(), load=refuse))


def test_a_new_image_opens_with_the_proposal_as_its_mask(workspace: Workspace, digest: str) -> None:
    opened = annotator_with(workspace).open(digest, DEFAULT_PRESET)
    assert opened.mask_from == "proposal"
    assert opened.proposal is not None
    assert opened.proposal_mask is not None
    assert opened.mask.shape == (200, 300)
    assert opened.mask[100, 150]
    assert not opened.mask[5, 5]
    assert np.array_equal(opened.mask, opened.proposal_mask)
    assert (opened.proposal.verdict, opened.item.state, opened.proposal_problem) == ("anomalous", "proposed", None)


def test_the_map_for_the_browser_enlarged_bilinearly_is_the_full_map(workspace: Workspace, digest: str) -> None:
    annotator = annotator_with(workspace)
    maps = annotator.open(digest, DEFAULT_PRESET).maps
    full = annotator.proposer.inspect(digest, DEFAULT_PRESET).anomaly_map
    assert maps is not None
    assert maps.fused.shape == (518, 518)
    assert np.array_equal(upsample(torch.from_numpy(maps.fused.copy())[None], (200, 300))[0].numpy(), full)
    assert (maps.scale.low, maps.scale.high) == pytest.approx((0.2, 3.0))  # normal 0.05 x 4, threshold 0.4 x 4
    assert (maps.layers, maps.layer_maps.shape) == ((3, 6, 9, 12), (4, 37, 37))


def test_a_proposal_is_stored_once_per_image_preset_checkpoint_and_settings(workspace: Workspace, digest: str) -> None:
    annotator = annotator_with(workspace)
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _: annotator.propose(digest, DEFAULT_PRESET)[0].id, range(8)))
    other = annotator_with(workspace, FakeModel(checkpoint_digest="f" * 64)).propose(digest, DEFAULT_PRESET)[0]
    assert len(ids) == 1
    assert other.id not in ids
    assert json.loads(other.settings) == {
        "layers": [3, 6, 9, 12], "top_k": 0.01, "blur_sigma": 4.0, "threshold_set_by_hand": None
    }  # fmt: skip


def test_a_missing_model_leaves_an_empty_mask_a_sentence_and_no_map(workspace: Workspace, digest: str) -> None:
    opened = without_weights(workspace).open(digest, DEFAULT_PRESET)
    assert opened.proposal_problem == "There is no head; train one."
    assert (opened.maps, opened.proposal, opened.mask_from) == (None, None, "empty")
    assert not opened.mask.any()


def test_an_image_can_be_saved_without_any_model(workspace: Workspace, digest: str) -> None:
    mask = np.zeros((200, 300), dtype=np.bool_)
    mask[10:20, 30:50] = True
    saved = without_weights(workspace).save(digest, Correction("anomalous", mask, "ann"))
    assert (saved.revision.number, saved.revision.area_px, saved.revision.source.kind) == (1, 200, "hand")


def test_what_was_saved_is_what_opens_next(workspace: Workspace, digest: str) -> None:
    annotator = annotator_with(workspace)
    mask = np.zeros((200, 300), dtype=np.bool_)
    mask[0, 299] = mask[199, 0] = True
    annotator.save(digest, Correction("anomalous", mask, "ann"))
    opened = annotator.open(digest, DEFAULT_PRESET)
    assert opened.mask_from == "revision"
    assert np.array_equal(opened.mask, mask)
    assert opened.item.state == "corrected"


def test_a_proposal_saved_as_it_is_confirms_it_and_names_its_model(workspace: Workspace, digest: str) -> None:
    annotator = annotator_with(workspace)
    opened = annotator.open(digest, DEFAULT_PRESET)
    assert opened.proposal is not None
    correction = Correction("anomalous", opened.mask, "ann", proposal_id=opened.proposal.id)
    revision = annotator.save(digest, correction).revision
    assert workspace.item(digest).state == "confirmed"
    assert (revision.source.preset, revision.source.checkpoint) == (DEFAULT_PRESET, FakeModel().checkpoint_digest)
    assert source_text(revision) == "as proposed: VisualAD · DINOv2 ViT-S/14, checkpoint c0ffeec0"


def test_one_pixel_more_than_proposed_is_edited(workspace: Workspace, digest: str) -> None:
    annotator = annotator_with(workspace)
    opened = annotator.open(digest, DEFAULT_PRESET)
    assert opened.proposal is not None
    mask = opened.mask.copy()
    mask[0, 0] = True
    revision = annotator.save(digest, Correction("anomalous", mask, "ann", proposal_id=opened.proposal.id)).revision
    assert workspace.item(digest).state == "corrected"
    assert source_text(revision).startswith("edited: ")


def test_a_proposal_of_another_image_is_refused(workspace: Workspace, digest: str) -> None:
    annotator = annotator_with(workspace)
    other = workspace.add_image(file_of((100, 100)), "other.png", author="").image.digest
    proposal, _ = annotator.propose(other, DEFAULT_PRESET)
    with pytest.raises(DataError, match="is of another image; open the image again"):
        annotator.save(digest, Correction("unsure", None, "ann", proposal_id=proposal.id))


def test_opening_without_a_preset_runs_no_model_and_shows_the_stored_proposal(
    workspace: Workspace, digest: str
) -> None:
    annotator_with(workspace).propose(digest, DEFAULT_PRESET)
    model = FakeModel()
    opened = annotator_with(workspace, model).open(digest, "")
    assert (model.calls, opened.maps, opened.mask_from) == (0, None, "proposal")
    assert opened.mask[100, 150]


def test_an_unknown_image_is_answered_with_a_sentence(workspace: Workspace) -> None:
    with pytest.raises(UnknownImageError, match="f" * 12):
        annotator_with(workspace).open("f" * 64, DEFAULT_PRESET)


def test_a_mask_of_another_size_is_not_snapped(workspace: Workspace, digest: str) -> None:
    with pytest.raises(DataError, match="The mask is 20 x 10 pixels, its image 300 x 200"):
        annotator_with(workspace).snap(digest, np.ones((10, 20), dtype=np.bool_))


def test_all_images_without_a_proposal_get_one_and_progress_is_told(workspace: Workspace, digest: str) -> None:
    workspace.add_image(file_of((60, 80)), "second.png", author="")
    annotator = annotator_with(workspace)
    annotator.propose(digest, DEFAULT_PRESET)
    steps = list(annotator.proposer.propose_all(DEFAULT_PRESET))
    assert [(step.done, step.total, step.proposed) for step in steps] == [(0, 2, 0), (1, 2, 0), (2, 2, 1)]
    assert workspace.queue().counts["proposed"] == 2


def test_proposing_for_all_stops_when_it_is_cancelled_and_keeps_what_it_has(workspace: Workspace, digest: str) -> None:
    workspace.add_image(file_of((60, 80)), "second.png", author="")
    answers = iter([False, True])
    proposer = annotator_with(workspace).proposer
    steps = list(proposer.propose_all(DEFAULT_PRESET, is_cancelled=lambda: next(answers)))
    assert [step.done for step in steps] == [0, 1]
    assert (workspace.queue().counts["proposed"], workspace.queue().counts["new"]) == (1, 1)


def test_an_image_whose_file_is_damaged_does_not_stop_the_others(workspace: Workspace, digest: str) -> None:
    workspace.add_image(file_of((60, 80)), "second.png", author="")
    path = workspace.image_path(digest)
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    last = list(annotator_with(workspace).proposer.propose_all(DEFAULT_PRESET))[-1]
    assert (last.done, last.proposed, len(last.refused)) == (2, 1, 1)


def test_proposing_for_all_without_weights_is_one_sentence(workspace: Workspace, digest: str) -> None:
    with pytest.raises(WeightsError, match="There is no head; train one."):
        list(without_weights(workspace).proposer.propose_all(DEFAULT_PRESET))


def test_a_mask_that_contradicts_its_label_is_refused(workspace: Workspace, digest: str) -> None:
    mask = np.zeros((200, 300), dtype=np.bool_)
    mask[3, 4] = True
    with pytest.raises(StoreError, match="labelled normal, but 1 of its pixels"):
        annotator_with(workspace).save(digest, Correction("normal", mask, "ann"))


@pytest.mark.parametrize("preset", [DEFAULT_PRESET, ""])
def test_a_damaged_proposal_does_not_keep_a_correction_out(workspace: Workspace, digest: str, preset: str) -> None:
    annotator = annotator_with(workspace)
    proposal = annotator.proposer.propose(digest, DEFAULT_PRESET)
    workspace.mask_files.path(proposal.mask_digest).unlink()

    opened = annotator.open(digest, preset)

    assert (opened.proposal, opened.proposal_mask, opened.mask_from) == (None, None, "empty")
    assert opened.proposal_problem is not None
    assert "is missing; run `workspace check`" in opened.proposal_problem
