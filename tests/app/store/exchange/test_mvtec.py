from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.store.exchange.exporting import export
from app.store.exchange.marks import png_255
from app.store.exchange.mvtec import MvtecFormat
from app.store.records import NewRevision
from app.store.workspace import Workspace
from tests.app.store.exchange.odd_workspace import blank, marked, picture, read_all


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_the_official_layout_is_read_with_its_categories_and_defects(tmp_path: Path) -> None:
    mask = blank((6, 9), (1, 1, 3, 3), (5, 4, 8, 6))
    put(tmp_path / "data/bottle/train/good/000.png", picture((6, 9), 1))
    put(tmp_path / "data/bottle/test/good/001.png", picture((6, 9), 2))
    put(tmp_path / "data/bottle/test/broken_large/002.png", picture((6, 9), 3))
    put(tmp_path / "data/bottle/ground_truth/broken_large/002_mask.png", png_255(mask))
    put(tmp_path / "data/cable/train/good/003.png", picture((6, 9), 4))
    put(tmp_path / "data/cable/test/bent/004.png", picture((6, 9), 5))

    found, refused = read_all(MvtecFormat(), tmp_path)

    assert refused == []
    assert {name: each.label for name, each in found.items()} == {
        "000.png": "normal", "001.png": "normal", "002.png": "anomalous", "003.png": "normal", "004.png": "anomalous",
    }  # fmt: skip
    assert np.array_equal(marked(found["002.png"]), mask)
    assert [(each.point_xy, each.name) for each in found["002.png"].classes] == [
        ((5, 4), "broken_large"),
        ((1, 1), "broken_large"),
    ]
    assert found["004.png"].mask is None
    assert not marked(found["000.png"]).any()


def test_a_grey_mask_is_refused_and_its_picture_taken_without_one(tmp_path: Path) -> None:
    put(tmp_path / "test/good/0.png", picture((4, 4), 1))
    put(tmp_path / "test/hole/1.png", picture((4, 4), 2))
    put(tmp_path / "ground_truth/hole/1_mask.png", picture((4, 4), 3))

    found, refused = read_all(MvtecFormat(), tmp_path)

    assert found["1.png"].label is None
    assert [refusal.name for refusal in refused] == ["test/hole/1.png"]
    assert "coloured" in refused[0].why


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_normal_images_goes_to_training_by_their_digests(share: float, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        for seed in range(8):
            digest = workspace.add_image(picture((4, 4), seed), f"{seed}.png", author="test").image.digest
            workspace.save(digest, NewRevision("normal", blank((4, 4)), "test"))
        below_half = sum(int(image.digest[0], 16) < 8 for image in workspace.images())

        export(workspace, MvtecFormat(category="screws", train_share=share), tmp_path / "out")

    there = len(list((tmp_path / "out/screws").glob("train/good/*.png")))
    assert there == {0.0: 0, 0.5: below_half, 1.0: 8}[share]
    assert there + len(list((tmp_path / "out/screws").glob("test/good/*.png"))) == 8
