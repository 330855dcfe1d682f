from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.services.taught_pictures import PixelDigests, Taught, TaughtPicture, gather, split
from app.store.records import NewRevision
from app.store.workspace import Workspace
from models.errors import DataError
from tests.app.services.teaching_fakes import label, picture, spot_mask


def gathered(workspace: Workspace) -> Taught:
    return gather(workspace, PixelDigests(workspace, workspace.jobs.features_folder))


def pictures(normal: int, anomalous: int) -> list[TaughtPicture]:
    return [
        TaughtPicture(
            digest=f"image {index}",
            number=1,
            name=f"{index}.png",
            is_anomalous=index >= normal,
            mask_digest="mask" if index >= normal else None,
            pixels=hashlib.sha256(str(index).encode()).hexdigest(),
        )
        for index in range(normal + anomalous)
    ]


def pixels_of(some: tuple[TaughtPicture, ...]) -> set[str]:
    return {one.pixels for one in some}


def test_confirmed_normals_and_marked_anomalies_count_and_unsure_ones_do_not(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        normal = label(workspace, 1, anomalous=False)
        anomalous = label(workspace, 2, anomalous=True)
        unsure = workspace.add_image(picture(3), "3.png", author="ann").image.digest
        workspace.save(unsure, NewRevision("unsure", None, "ann"))
        found = gathered(workspace)

    assert {one.digest: (one.is_anomalous, one.is_marked) for one in found.pictures} == {
        normal: (False, True),
        anomalous: (True, True),
    }
    assert found.notes == ("Labelled unsure, so left out: 3.png.",)


def test_an_anomaly_without_marks_teaches_its_label_alone(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        digest = label(workspace, 2, anomalous=True, marked=False)
        found = gathered(workspace)

    assert [one.is_marked for one in found.pictures if one.digest == digest] == [False]
    assert found.notes == ("Anomalous without marked pixels, so only their label is taught: 2.png.",)


def test_two_files_of_one_picture_that_contradict_each_other_are_named_and_the_newer_counts(tmp_path: Path) -> None:
    path = tmp_path / "same.bmp"
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        older = label(workspace, 2, anomalous=True)
        Image.open(workspace.image_path(older)).save(path)
        newer = workspace.add_image(path.read_bytes(), "same.bmp", author="ann").image.digest
        workspace.save(newer, NewRevision("normal", None, "ann"))
        found = gathered(workspace)

    assert older != newer
    assert len(found.pictures) == 2
    assert [one.is_anomalous for one in found.pictures] == [False, False]
    assert found.notes[0] == (
        "same.bmp and 2.png are the same picture and are labelled differently; same.bmp is the newer label and counts."
    )


def test_two_files_that_agree_are_one_picture_and_its_marks_count(tmp_path: Path) -> None:
    path = tmp_path / "same.bmp"
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        marked = label(workspace, 2, anomalous=True)
        Image.open(workspace.image_path(marked)).save(path)
        newer = workspace.add_image(path.read_bytes(), "same.bmp", author="ann").image.digest
        workspace.save(newer, NewRevision("anomalous", None, "ann"))
        found = gathered(workspace)

    assert [one.digest for one in found.pictures if one.is_anomalous] == [marked]
    assert found.notes == ()


def test_two_people_who_labelled_one_picture_at_the_same_time_are_named(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        digest = label(workspace, 2, anomalous=True)
        other = np.roll(spot_mask(), 9, axis=0)
        workspace.save(digest, NewRevision("anomalous", other, "bob", based_on=0))
        found = gathered(workspace)

    assert found.notes == (
        "2.png was labelled differently by ann and bob at the same time; revision 2 is the newer and counts.",
    )


def test_too_few_labels_are_refused_with_what_there_is(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        unsure = workspace.add_image(picture(3), "3.png", author="ann").image.digest
        workspace.save(unsure, NewRevision("unsure", None, "ann"))
        with pytest.raises(DataError, match="Nothing is labelled yet .only 1 as unsure.*two of them at least"):
            gathered(workspace)
        label(workspace, 1, anomalous=False)
        with pytest.raises(DataError, match="Only one picture is labelled .1.png.*cannot be checked on another"):
            gathered(workspace)


def test_a_damaged_file_is_left_out_with_a_note(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        label(workspace, 2, anomalous=True)
        digest = label(workspace, 4, anomalous=False)
        path = workspace.image_path(digest)
        path.chmod(0o644)
        path.write_bytes(b"other bytes")
        found = gathered(workspace)

    assert len(found.pictures) == 2
    assert found.notes[0].startswith("4.png is left out: ")


def test_from_eight_on_one_in_five_of_each_label_is_held_out() -> None:
    parts = split(pictures(10, 10), (), ())

    assert (parts.how, len(parts.taught)) == ("held out", 16)
    assert [one.is_anomalous for one in parts.checked] == [True, True, False, False]
    assert parts.reported == parts.checked
    assert not pixels_of(parts.taught) & pixels_of(parts.checked)


def test_of_many_pictures_at_most_ten_of_each_label_are_held_out() -> None:
    assert len(split(pictures(100, 30), (), ()).checked) == 10 + 6


def test_the_split_does_not_depend_on_the_order() -> None:
    some = pictures(5, 5)

    assert split(some, (), ()) == split(some[::-1], (), ())


def test_a_picture_held_out_before_stays_so_and_one_taught_before_is_never_held_out() -> None:
    first = split(pictures(5, 5), (), ())
    second = split(pictures(5, 15), pixels_of(first.taught), pixels_of(first.checked))

    assert pixels_of(first.checked) <= pixels_of(second.checked)
    assert not pixels_of(first.taught) & pixels_of(second.checked)
    assert len(second.checked) == 4  # of 5 normal ones 1, of 15 anomalous ones 3


def test_at_least_half_of_the_new_pictures_are_taught() -> None:
    some = pictures(10, 10)
    before = pixels_of(tuple(some[:18]))
    parts = split(some, before, ())

    assert len(pixels_of(parts.checked)) == 1
    assert len(pixels_of(parts.taught) - before) == 1


def test_one_new_picture_is_left_out_once_and_taught_with_all_others() -> None:
    some = pictures(5, 5)
    parts = split(some, {one.pixels for one in some[1:]}, ())

    assert parts.how == "leave one out"
    assert parts.checked == parts.reported == (some[0],)
    assert len(parts.taught) == 10


def test_fewer_than_eight_are_all_taught_and_each_is_left_out() -> None:
    parts = split(pictures(3, 4), (), ())

    assert (parts.how, len(parts.taught), len(parts.checked)) == ("leave one out", 7, 7)


def test_where_all_was_taught_before_nothing_is_reported() -> None:
    some = pictures(2, 2)
    parts = split(some, {one.pixels for one in some}, ())

    assert (parts.how, parts.reported, len(parts.checked)) == ("none", (), 4)
