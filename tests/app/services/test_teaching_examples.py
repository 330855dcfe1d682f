from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.services.taught_pictures import PixelDigests, gather
from app.services.teaching_examples import (
    SyntheticCounts,
    copies,
    correction,
    mask_file,
    measured_synthetic,
    of_folder,
    replay,
    shrunk,
)
from app.store.workspace import Workspace
from models.errors import DataError
from tests.app.services.teaching_fakes import label, picture

SIDE = 56


def test_a_defect_smaller_than_a_pixel_of_the_input_is_not_lost() -> None:
    mask = np.zeros((200, 400), dtype=np.bool_)
    mask[150, 100] = True
    small = shrunk(mask, 20)

    assert np.argwhere(small).tolist() == [[15, 5]]  # 150 * 20 / 200, 100 * 20 / 400


def test_a_large_defect_keeps_its_area() -> None:
    mask = np.zeros((200, 400), dtype=np.bool_)
    mask[:, :200] = True

    assert shrunk(mask, 20).sum() == 200


def test_a_correction_comes_with_a_copy_whose_marks_moved_with_it(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        label(workspace, 2, anomalous=True)
        taught = gather(workspace, PixelDigests(workspace, tmp_path / "features"))
        odd = next(one for one in taught.pictures if one.is_anomalous)
        itself, copy = copies(workspace, odd, SIDE, seed=0, flips=False)
        again = copies(workspace, odd, SIDE, seed=0, flips=False)[1]
        dark = copy.rgb().mean(axis=2) < 60

    mask = copy.mask()
    assert mask is not None
    assert itself.digest == correction(workspace, odd, SIDE).digest
    assert copy.digest == again.digest != itself.digest
    assert (copy.rgb() == again.rgb()).all()
    assert (dark & mask).sum() / (dark | mask).sum() > 0.8  # the square is the only dark part


def test_what_is_not_marked_has_no_mask_and_a_normal_picture_an_empty_one(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        label(workspace, 2, anomalous=True, marked=False)
        taught = gather(workspace, PixelDigests(workspace, tmp_path / "features"))
        masks = {one.is_anomalous: correction(workspace, one, SIDE).mask() for one in taught.pictures}

    normal = masks[False]
    assert masks[True] is None
    assert normal is not None
    assert not normal.any()


def test_synthetic_pictures_have_the_labels_that_were_asked_for_and_stay_the_same(tmp_path: Path) -> None:
    counts = SyntheticCounts(replay=4, normals=2, anomalous=1)
    masks = mask_file(tmp_path, SIDE)
    replayed, measured = list(replay(counts, SIDE, masks)), list(measured_synthetic(counts, SIDE, masks))
    again = list(replay(counts, SIDE, masks))

    assert [one.is_anomalous for one in replayed] == [False, True, False, True]
    assert [one.is_anomalous for one in measured] == [False, False, True]
    assert [one.digest for one in replayed] == [one.digest for one in again]
    assert len({one.digest for one in replayed + measured}) == 7
    for one in replayed + measured:
        mask = one.mask()
        assert mask is not None
        assert mask.any() == one.is_anomalous


def test_a_folder_gives_at_most_sixteen_normal_pictures_and_passes_over_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for number in range(20):
        (tmp_path / "deep" / f"{number}.png").write_bytes(picture(number))
    (tmp_path / "broken.png").write_bytes(b"no picture")

    found = list(of_folder(tmp_path, SIDE))
    assert len(found) == 16
    assert not any(one.is_anomalous for one in found)
    assert found[0].rgb().shape == (SIDE, SIDE, 3)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no picture that can be read"):
        list(of_folder(tmp_path, SIDE))


def test_preparing_is_what_inspecting_does(tmp_path: Path) -> None:
    import torch

    from models.preprocessing import normalise, to_input
    from models.registry import get_backbone_spec

    spec = get_backbone_spec("dinov2-small")
    with Workspace.open(tmp_path / "w") as workspace:
        label(workspace, 1, anomalous=False)
        digest = label(workspace, 2, anomalous=False)
        taught = gather(workspace, PixelDigests(workspace, tmp_path / "features"))
        one = next(found for found in taught.pictures if found.digest == digest)
        rgb = correction(workspace, one, SIDE).rgb()
        pixels = np.asarray(Image.open(workspace.image_path(digest)).convert("RGB"))

    seen = normalise(torch.from_numpy(rgb).permute(2, 0, 1), spec)
    assert torch.equal(seen, to_input(pixels, (SIDE, SIDE), spec))
