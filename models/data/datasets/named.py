"""Readers for the sets of the two papers whose published folders are of no general layout."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from models.data.datasets.samples import Sample, Split, find_mask, need, pictures_in
from models.errors import DataError

KSDD2_ANOMALOUS: Final = 356
_HEADCT_COLUMN: Final = "hemorrhage"
_DECATHLON: Final = ("imagesTr", "labelsTr", "Task*/imagesTr", "*.nii", "*.nii.gz", "images/*.nii", "images/*.nii.gz")

_log = logging.getLogger(__name__)


def read_ksdd2(root: Path) -> list[Sample]:
    """KolektorSDD2: {train,test}/NAME.png beside NAME_GT.png, anomalous where the mask is not empty.

    Rebuilt as the zero-shot papers do it: all anomalous pictures of both splits and as many normal ones, the first by
    split ("test" before "train") and name.  Opens the masks, to see which are empty.  A copy with fewer anomalous
    pictures than were published is read with a warning.

    Raises:
        DataError: a path is missing, or no mask marks anything.
    """
    need(root / "train", root / "test")
    anomalous: list[Sample] = []
    normal: list[Sample] = []
    for split in ("test", "train"):
        for path in pictures_in(root / split):
            if path.stem.endswith("_GT"):
                continue
            mask = path.with_name(f"{path.stem}_GT.png")
            need(mask)
            if _is_empty(mask):
                normal.append(Sample(path, "ksdd2", "test", False))
            else:
                anomalous.append(Sample(path, "ksdd2", "test", True, "defect", mask))
    if not anomalous:
        raise DataError(
            f"{root} holds no anomalous picture: none of {len(normal)} masks marks anything, and KolektorSDD2 has"
            f" {KSDD2_ANOMALOUS} that do; copy the set again."
        )
    if len(anomalous) < KSDD2_ANOMALOUS:
        _log.warning(
            f"{root} is not the whole of KolektorSDD2: it has {len(anomalous)} of {KSDD2_ANOMALOUS} anomalous pictures,"
            " so numbers do not compare with the papers'; copy the set again."
        )
    return anomalous + normal[: len(anomalous)]


def read_dagm(root: Path) -> list[Sample]:
    """DAGM 2007: ClassK/{Train,Test}/NNNN.PNG, anomalous where Label/NNNN_label.PNG exists."""
    homes = sorted(path for path in root.glob("Class*") if path.is_dir())
    if not homes:
        need(root / "Class1")
    samples = []
    for home in homes:
        need(home / "Train", home / "Test")
        for folder, split in (("Train", "train"), ("Test", "test")):
            for path in pictures_in(home / folder):
                mask = find_mask(home / folder / "Label", (f"{path.stem}_label",))
                kind = "" if mask is None else "defect"
                samples.append(Sample(path, home.name, _split(split), mask is not None, kind, mask))
    return samples


def read_headct(root: Path) -> list[Sample]:
    """HeadCT: pictures NNN.png in head_ct/, or in a second one inside it, and labels.csv with id and hemorrhage."""
    need(root / "labels.csv")
    folder = next(
        (root / name for name in ("head_ct/head_ct", "head_ct") if pictures_in(root / name)), root / "head_ct"
    )
    need(folder)
    with (root / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [{key.strip().lower(): value.strip() for key, value in row.items()} for row in csv.DictReader(file)]
    samples = []
    for row in rows:
        if _HEADCT_COLUMN not in row or not row.get("id", "").isdigit():
            raise DataError(f"{root / 'labels.csv'} needs the columns id and {_HEADCT_COLUMN}; found {', '.join(row)}.")
        path = folder / f"{int(row['id']):03d}.png"
        need(path)
        anomalous = row[_HEADCT_COLUMN] == "1"
        samples.append(Sample(path, "headct", "test", anomalous, "haemorrhage" if anomalous else ""))
    return samples


def read_oct17(root: Path) -> list[Sample]:
    """OCT17: {train,test}/{NORMAL,CNV,DME,DRUSEN}/NAME.jpeg; labels of whole pictures."""
    need(root / "test" / "NORMAL")
    return [
        Sample(path, "oct17", split, folder.name != "NORMAL", "" if folder.name == "NORMAL" else folder.name)
        for split in (_split("train"), _split("test"))
        for folder in sorted(item for item in (root / split).glob("*") if item.is_dir())
        for path in pictures_in(folder)
    ]


def read_bmad(root: Path) -> list[Sample]:
    """The medical benchmark: {train,test}/good/[img/] and test/Ungood/{img,label}, masks called as pictures."""
    need(root / "test" / "good", root / "test" / "Ungood")
    name = root.resolve().name
    normal = [
        Sample(path, name, split, False)
        for split in (_split("train"), _split("test"))
        for path in pictures_in(_img(root / split / "good"))
    ]
    ungood = root / "test" / "Ungood"
    return normal + [
        Sample(path, name, "test", True, "anomaly", find_mask(ungood / "label", (path.stem,)))
        for path in pictures_in(_img(ungood))
    ]


def read_yes_no(root: Path) -> list[Sample]:
    """Tumour sets of whole pictures: no/ and yes/."""
    need(root / "no", root / "yes")
    name = root.resolve().name
    return [
        Sample(path, name, "test", folder == "yes", "tumour" if folder == "yes" else "")
        for folder in ("no", "yes")
        for path in pictures_in(root / folder)
    ]


def read_clinicdb(root: Path) -> list[Sample]:
    """CVC-ClinicDB: Original/ and "Ground Truth"/, in the folder or in its PNG/ or TIF/; or images/ and masks/."""
    homes = (root, root / "PNG", root / "TIF")
    pairs = [(home / "Original", home / "Ground Truth") for home in homes]
    return _first_pair(root, [*pairs, (root / "images", root / "masks")])


def read_isic(root: Path) -> list[Sample]:
    """ISIC: NAME_Data/ and NAME_GroundTruth/, whose masks are called PICTURE_Segmentation; or images/ and masks/."""
    pairs = [(path, path.with_name(path.name.removesuffix("_Data") + "_GroundTruth")) for path in root.glob("*_Data")]
    pairs = sorted(pairs) or [(root / "NAME_Data", root / "NAME_GroundTruth")]
    return _first_pair(root, [*pairs, (root / "images", root / "masks")])


def read_images_and_masks(root: Path) -> list[Sample]:
    """Kvasir, Endo: images/ and masks/."""
    return _first_pair(root, [(root / "images", root / "masks")])


def read_msd(root: Path) -> list[Sample]:
    """MSD as the zero-shot papers use it, 2D slices in images/ and masks/; the Decathlon itself holds volumes.

    Raises:
        DataError: a path is missing, or these are the volumes.
    """
    if not pictures_in(root / "images") and any(any(root.glob(pattern)) for pattern in _DECATHLON):
        raise DataError(
            f"{root} holds the Decathlon's volumes (imagesTr/, labelsTr/, .nii.gz), and 2D slices are read here, in"
            " images/ and masks/ under the same names; save the volumes' slices as PNG files in these two folders."
        )
    return read_images_and_masks(root)


def _first_pair(root: Path, pairs: Sequence[tuple[Path, Path]]) -> list[Sample]:
    """Sets in which every picture shows an anomaly: a folder of pictures and one of masks with the same names.

    Args:
        root: the set's folder, which names the class.
        pairs: folders of pictures and of masks; the first pair that is there is read, the first of all is expected.
    """
    pictures, masks = next((pair for pair in pairs if pair[0].is_dir()), pairs[0])
    need(pictures, masks)
    return [_pair(root, path, masks) for path in pictures_in(pictures)]


def _pair(root: Path, path: Path, masks: Path) -> Sample:
    mask = find_mask(masks, (path.stem, f"{path.stem}_Segmentation", f"{path.stem}_mask"))
    if mask is None:
        raise DataError(f"{path} has no mask in {masks}; every picture of this set needs one.")
    return Sample(path, root.resolve().name, "test", True, "anomaly", mask)


def _img(folder: Path) -> Path:
    return folder / "img" if (folder / "img").is_dir() else folder


def _split(name: str) -> Split:
    return "train" if name == "train" else "test"


def _is_empty(mask: Path) -> bool:
    from PIL import Image

    with Image.open(mask) as picture:
        return picture.convert("L").getbbox() is None
