from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.services import finetuning, teaching_course
from app.services.finetuning import PROGRESS_FILE, TeachProgress
from app.store.job_records import TeachRequest
from app.store.version_records import Version
from app.store.workspace import Workspace
from models.errors import DataError
from models.head_files import read_head
from models.loading import load_preset
from models.weights import WeightsLocation
from tests.app.services.teaching_fakes import COUNTS, PRESET, label, labelled_workspace, picture, ship_tiny_head

QUICK = TeachRequest(preset=PRESET, steps=12, author="ann")


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsLocation:
    return ship_tiny_head(monkeypatch, tmp_path)


def teach(
    workspace: Workspace, where: WeightsLocation, request: TeachRequest = QUICK, job: str = "job", **more: Any
) -> Version | None:
    folder = workspace.jobs.work_folder(job)
    return finetuning.teach(workspace, request, where, "cpu", work_folder=folder, counts=COUNTS, **more)


def taught(workspace: Workspace, where: WeightsLocation, request: TeachRequest = QUICK, job: str = "job") -> Version:
    version = teach(workspace, where, request, job)
    assert version is not None
    return version


def weights_of(workspace: Workspace, version: Version) -> dict[str, np.ndarray[Any, Any]]:
    return read_head(workspace.versions.path(version.id)).tensors


def shipped(tmp_path: Path) -> dict[str, Any]:
    head = read_head(tmp_path / "heads" / f"{PRESET}.safetensors")
    return {"tensors": head.tensors, "config": dict(head.config), "digest": head.digest}


def test_quick_teaching_leaves_a_version_that_keeps_what_the_parent_was(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        version = taught(workspace, where)
        head = read_head(workspace.versions.path(version.id))
        before = shipped(tmp_path)
        model = load_preset(PRESET, replace(where, head_path=workspace.versions.path(version.id)))

    assert (version.name, version.parent, version.mode) == ("version 1", before["digest"], "quick")
    assert head.config["training"] == before["config"]["training"]
    assert head.config["backbone_sha256"] == "of the test"
    assert model.calibration is not None
    assert model.calibration.normal_maps.shape == (3, 1, 2, 5, 5)
    for name in ("anomaly_token", "normal_token", "final_norm.weight"):
        assert (head.tensors[name] == before["tensors"][name]).all()
    assert any(
        (head.tensors[name] != before["tensors"][name]).any() for name in before["tensors"] if "self_alignment" in name
    )
    held_out = [revision for revision in version.revisions if revision.held_out]
    assert (len(version.revisions), len(held_out)) == (10, 2)
    assert {revision.label for revision in held_out} == {"normal", "anomalous"}


def test_metrics_hold_both_heads_on_both_sets_and_a_sentence(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        metrics = taught(workspace, where).metrics

    assert metrics["held_out"]["how"] == "held out"
    assert metrics["held_out"]["pictures"] == 2
    assert metrics["held_out"]["before"]["pixel_ap"] is not None
    assert metrics["held_out"]["after"]["iou"] is not None
    assert metrics["synthetic"]["after"]["anomalous"] == 2
    assert set(metrics["seconds"]) == {"loading", "features", "training", "measuring"}
    assert metrics["sentence"].endswith(".")
    assert isinstance(metrics["better"], bool)


def test_a_second_round_computes_features_of_new_pictures_alone(
    tmp_path: Path, where: WeightsLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    inner = teaching_course.seen_by

    def counted(learner: Any, spec: Any, example: Any) -> Any:
        seen.append(example.digest)
        return inner(learner, spec, example)

    monkeypatch.setattr("app.services.teaching_course.seen_by", counted)
    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        first = taught(workspace, where)
        # 8 taught with a copy each, 2 held out, 2 to replay, 5 to measure with
        assert len(seen) == 8 * 2 + 2 + 2 + 5
        workspace.versions.activate(PRESET, first.id, "ann")
        label(workspace, 50, anomalous=False)
        seen.clear()
        second = taught(workspace, where, job="second")

    assert len(seen) == 2
    assert second.parent == first.id
    assert second.name == "version 2"


def test_what_was_held_out_stays_so_and_what_was_taught_is_never_held_out(
    tmp_path: Path, where: WeightsLocation
) -> None:
    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        first = taught(workspace, where)
        workspace.versions.activate(PRESET, first.id, "ann")
        for number in range(200, 210):
            label(workspace, number, anomalous=True)
        second = taught(workspace, where, job="second")

    held_then = {one.image_digest for one in first.revisions if one.held_out}
    taught_then = {one.image_digest for one in first.revisions if not one.held_out}
    held_now = {one.image_digest for one in second.revisions if one.held_out}
    assert held_then < held_now
    assert not taught_then & held_now


def test_fewer_than_eight_are_left_out_one_at_a_time_and_all_are_taught(tmp_path: Path, where: WeightsLocation) -> None:
    told: list[TeachProgress] = []
    with labelled_workspace(tmp_path / "w", 2, 2) as workspace:
        version = teach(workspace, where, report=told.append)

    assert version is not None
    assert version.metrics["held_out"]["how"] == "leave one out"
    assert version.metrics["held_out"]["pictures"] == 4
    assert [revision.held_out for revision in version.revisions] == [False] * 4
    assert any("leaves one picture out, 4 of 4" in progress.doing for progress in told)
    assert 1 <= version.metrics["stopped_at"] <= 12
    shares = [progress.share for progress in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_labels_that_were_all_taught_before_cannot_say_whether_it_got_better(
    tmp_path: Path, where: WeightsLocation
) -> None:
    with labelled_workspace(tmp_path / "w", 1, 1) as workspace:
        first = taught(workspace, where)
        workspace.versions.activate(PRESET, first.id, "ann")
        second = taught(workspace, where, job="second")

    assert second.metrics["held_out"] == {"how": "none", "pictures": 0, "before": None, "after": None}
    assert second.metrics["better"] is False
    assert "had been taught before" in second.metrics["sentence"]


@pytest.mark.parametrize("counts", [(5, 5), (2, 1)], ids=["held out", "leave one out"])
def test_a_job_that_was_killed_ends_with_the_same_head(
    counts: tuple[int, int], tmp_path: Path, where: WeightsLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.teaching_runs.SAVE_EVERY_S", 0.0)
    with labelled_workspace(tmp_path / "w", *counts) as workspace:
        whole = taught(workspace, where, job="whole")
        steps = 0

        class KilledError(Exception):
            pass

        def killed(progress: TeachProgress) -> None:
            nonlocal steps
            steps += "step" in progress.doing
            if steps in (3, 21):  # in the first course and, on leaving one out, in the second
                raise KilledError

        kills = 0
        cut: Version | None = None
        while cut is None:
            torch.manual_seed(steps)  # whatever another process would have had
            try:
                cut = teach(workspace, where, job="cut", report=killed)
            except KilledError:
                kills += 1
                steps += 1
                assert (workspace.jobs.work_folder("cut") / PROGRESS_FILE).is_file()

        first, second = weights_of(workspace, whole), weights_of(workspace, cut)
        assert not (workspace.jobs.work_folder("cut") / PROGRESS_FILE).exists()

    assert kills >= 1
    assert first.keys() == second.keys()
    assert all((first[name] == second[name]).all() for name in first)
    assert cut.metrics["held_out"] == whole.metrics["held_out"]


def test_a_job_that_was_killed_after_its_end_makes_no_second_version(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 2, 1) as workspace:
        first = taught(workspace, where)

        assert taught(workspace, where).id == first.id
        assert len(workspace.versions.list()) == 1


def test_a_full_course_goes_on_where_it_was_killed(
    tmp_path: Path, where: WeightsLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.teaching_runs.SAVE_EVERY_S", 0.0)
    full = TeachRequest(preset=PRESET, mode="full", steps=4)

    def killed(progress: TeachProgress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        whole = taught(workspace, where, full, job="whole")
        with pytest.raises(KeyboardInterrupt):
            teach(workspace, where, full, job="cut", report=killed)
        cut = taught(workspace, where, full, job="cut")
        first, second = weights_of(workspace, whole), weights_of(workspace, cut)

    assert all((first[name] == second[name]).all() for name in first)


def test_a_damaged_saved_state_is_begun_anew(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 2, 1) as workspace:
        folder = workspace.jobs.work_folder("job")
        folder.mkdir(parents=True)
        (folder / PROGRESS_FILE).write_bytes(b"cut off")
        assert taught(workspace, where).metrics["stopped_at"] >= 1


def test_a_cancelled_job_leaves_no_version(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        asked = 0

        def after_a_while() -> bool:
            nonlocal asked
            asked += 1
            return asked > 30

        assert teach(workspace, where, is_cancelled=after_a_while) is None
        assert workspace.versions.list() == ()
        assert not (workspace.jobs.work_folder("job") / PROGRESS_FILE).exists()


@pytest.mark.parametrize("better", [True, False])
def test_only_a_better_version_is_activated_by_itself(
    better: bool, tmp_path: Path, where: WeightsLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.before_after.BeforeAfter.verdict", lambda _: (better, "So it is."))
    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        version = taught(workspace, where, replace(QUICK, activate=True))
        assert workspace.versions.active(PRESET) == (version.id if better else None)


def test_full_teaching_trains_the_tokens_and_leaves_unmarked_anomalies_out(
    tmp_path: Path, where: WeightsLocation
) -> None:
    with labelled_workspace(tmp_path / "w", 5, 4) as workspace:
        label(workspace, 300, anomalous=True, marked=False)
        version = taught(workspace, where, TeachRequest(preset=PRESET, mode="full", steps=2))
        tensors = weights_of(workspace, version)

    assert version.mode == "full"
    assert (tensors["anomaly_token"] != shipped(tmp_path)["tensors"]["anomaly_token"]).any()
    assert "Full teaching leaves out anomalous pictures without marked pixels." in version.metrics["notes"]


def test_a_presets_head_is_taught_at_another_size_on_request(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 2, 2) as workspace:
        version = taught(workspace, where, replace(QUICK, image_px=56, steps=2))
        assert read_head(workspace.versions.path(version.id)).config["image_size"] == 56
        with pytest.raises(DataError, match="The image size 57 does not fit; take a multiple of 14"):
            teach(workspace, where, replace(QUICK, image_px=57), job="other")


def test_a_folder_is_replayed_beside_synthetic_pictures(tmp_path: Path, where: WeightsLocation) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture(900))
    with labelled_workspace(tmp_path / "w", 2, 2) as workspace:
        version = taught(workspace, where, replace(QUICK, replay_folder=str(folder), steps=2))
        assert version.settings["replay_folder"] == "mine"
        with pytest.raises(DataError, match="There is no folder .* to replay"):
            teach(workspace, where, replace(QUICK, replay_folder=str(tmp_path / "none")), job="other")


def test_thresholds_come_from_labels_on_request_and_stay_so_in_the_next_round(
    tmp_path: Path, where: WeightsLocation
) -> None:
    with labelled_workspace(tmp_path / "w", 5, 5) as workspace:
        version = taught(workspace, where, replace(QUICK, rule={"kind": "f1"}))
        workspace.versions.activate(PRESET, version.id, "ann")
        second = taught(workspace, where, job="second")
        config = read_head(workspace.versions.path(second.id)).config

    assert config["threshold_rule"]["kind"] == "f1"
