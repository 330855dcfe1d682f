"""Copies of the papers' sets as people have them: incomplete, one level deeper, or of another form altogether."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from app.cli import main
from models.data.datasets import named, read_dataset
from models.errors import DataError


def draw(root: Path, *names: str, grey: int = 255) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), grey).save(root / name)


def ksdd2(root: Path, *, anomalous: int, normal: int) -> None:
    (root / "train").mkdir()
    for index in range(anomalous + normal):
        draw(root, f"test/{index}.png")
        draw(root, f"test/{index}_GT.png", grey=255 if index < anomalous else 0)


def test_data_check_warns_of_a_ksdd2_that_lacks_anomalous_pictures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    ksdd2(tmp_path, anomalous=2, normal=3)

    assert main(["data", "check", str(tmp_path), "--layout", "ksdd2"]) == 0

    (warning,) = caplog.messages
    assert "it has 2 of 356 anomalous pictures" in warning
    assert "ksdd2: 4 pictures" in capsys.readouterr().out


def test_a_whole_ksdd2_is_read_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "KSDD2_ANOMALOUS", 2)
    ksdd2(tmp_path, anomalous=2, normal=3)

    assert len(read_dataset(tmp_path, "ksdd2").samples) == 4

    assert caplog.messages == []


def test_the_papers_have_356_anomalous_pictures_of_ksdd2() -> None:
    assert named.KSDD2_ANOMALOUS == 356


def test_a_ksdd2_with_nothing_anomalous_is_refused(tmp_path: Path) -> None:
    ksdd2(tmp_path, anomalous=0, normal=3)

    with pytest.raises(DataError, match=r"holds no anomalous picture: none of 3 masks marks anything.* has 356"):
        read_dataset(tmp_path, "ksdd2")


@pytest.mark.parametrize("layout", ["auto", "cvc-clinicdb"])
@pytest.mark.parametrize(("level", "ending"), [("PNG", "png"), ("TIF", "tif")])
def test_cvc_clinicdb_is_found_one_level_down(tmp_path: Path, level: str, ending: str, layout: str) -> None:
    draw(tmp_path, f"{level}/Original/1.{ending}", f"{level}/Ground Truth/1.{ending}")

    (sample,) = read_dataset(tmp_path, layout).samples

    assert (sample.class_name, sample.is_anomalous) == (tmp_path.name, True)
    assert sample.path == tmp_path / level / "Original" / f"1.{ending}"
    assert sample.mask_path == tmp_path / level / "Ground Truth" / f"1.{ending}"


def test_of_two_copies_of_cvc_clinicdb_one_is_read(tmp_path: Path) -> None:
    for level, ending in (("PNG", "png"), ("TIF", "tif")):
        draw(tmp_path, f"{level}/Original/1.{ending}", f"{level}/Ground Truth/1.{ending}")

    (sample,) = read_dataset(tmp_path).samples

    assert sample.path.suffix == ".png"


@pytest.mark.parametrize(
    ("layout", "missing"),
    [
        ("cvc-clinicdb", "Original"),
        ("isic", "NAME_Data"),
        ("endo", "images"),
        ("kvasir", "images"),
        ("msd", "images"),
    ],
)
def test_the_sentence_names_the_layouts_own_folder(tmp_path: Path, layout: str, missing: str) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path}/{missing} is missing"):
        read_dataset(tmp_path, layout)


@pytest.mark.parametrize(
    ("pictures", "masks"), [("Original", "Ground Truth"), ("PNG/Original", "PNG/Ground Truth"), ("images", "masks")]
)
def test_a_folder_of_masks_that_is_gone_is_named(tmp_path: Path, pictures: str, masks: str) -> None:
    draw(tmp_path, f"{pictures}/1.png")

    with pytest.raises(DataError, match=rf"{tmp_path}/{masks} is missing"):
        read_dataset(tmp_path, "cvc-clinicdb")


@pytest.mark.parametrize("layout", ["auto", "msd"])
@pytest.mark.parametrize("home", [".", "Task03_Liver"])
def test_the_decathlons_volumes_are_refused_with_the_way_out(tmp_path: Path, home: str, layout: str) -> None:
    for name in ("imagesTr/liver_1.nii.gz", "labelsTr/liver_1.nii.gz"):
        (tmp_path / home / name).parent.mkdir(parents=True)
        (tmp_path / home / name).write_bytes(b"")

    with pytest.raises(DataError, match=r"Decathlon's volumes .*images/ and masks/ .*save the volumes' slices as PNG"):
        read_dataset(tmp_path, layout)


def test_volumes_in_images_are_no_slices(tmp_path: Path) -> None:
    for name in ("images/1.nii.gz", "masks/1.nii.gz"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"")

    with pytest.raises(DataError, match="holds the Decathlon's volumes"):
        read_dataset(tmp_path, "msd")


def test_slices_are_read_beside_the_volumes_that_they_are_of(tmp_path: Path) -> None:
    draw(tmp_path, "images/1.png", "masks/1.png")
    (tmp_path / "imagesTr").mkdir()

    assert len(read_dataset(tmp_path, "msd").samples) == 1
