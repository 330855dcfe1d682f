"""Layouts that many sets share: MVTec's folders, `meta.json`, VisA's CSV, and flat folders of normal and anomalous."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.data.datasets.samples import Sample, Split, find_mask, need, pictures_in
from models.errors import DataError

_SPLITS: Final[tuple[Split, ...]] = ("train", "test")
NORMAL_FOLDERS: Final = ("good", "normal", "ok", "no", "NORMAL", "Normal", "OK")
ANOMALOUS_FOLDERS: Final = ("anomalous", "bad", "abnormal", "defect", "ko", "ng", "yes", "Anomaly", "NG")
_MASK_FOLDERS: Final = ("ground_truth", "masks", "mask")


def read_mvtec(root: Path) -> list[Sample]:
    """CLASS/{train,test}/{good,DEFECT}/NAME.png with masks at CLASS/ground_truth/DEFECT/NAME_mask.png, or NAME.png.

    The folder may hold classes, or be one.  Normal pictures lie in "good" or "ok".
    """
    homes = [root] if (root / "test").is_dir() else sorted(path for path in root.iterdir() if (path / "test").is_dir())
    if not homes:
        need(root / "CLASS" / "test")
    return [sample for home in homes for split in _SPLITS for sample in _mvtec_split(home, split)]


def _mvtec_split(home: Path, split: Split) -> list[Sample]:
    folders = sorted(path for path in (home / split).iterdir() if path.is_dir()) if (home / split).is_dir() else []
    found = []
    for folder in folders:
        normal = folder.name in NORMAL_FOLDERS
        masks = home / "ground_truth" / folder.name
        for path in pictures_in(folder):
            mask = None if normal else find_mask(masks, (f"{path.stem}_mask", path.stem))
            found.append(Sample(path, home.resolve().name, split, not normal, "" if normal else folder.name, mask))
    return found


def read_meta_json(root: Path) -> list[Sample]:
    """`meta.json`: {split: {class: [{img_path, mask_path, cls_name, specie_name, anomaly}]}}, paths from the folder."""
    need(root / "meta.json")
    try:
        meta = json.loads((root / "meta.json").read_text(encoding="utf-8"))
        entries = [
            (split, str(name), entry)
            for split in _SPLITS
            for name, rows in meta.get(split, {}).items()
            for entry in rows
        ]
        return [_meta_sample(root, split, name, entry) for split, name, entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{root / 'meta.json'} is not of the usual form ({type(error).__name__}: {error}); make it again."
        ) from error


def _meta_sample(root: Path, split: Split, name: str, entry: Mapping[str, Any]) -> Sample:
    is_anomalous = bool(int(entry["anomaly"]))
    mask = str(entry.get("mask_path") or "")
    return Sample(
        path=inside(root, str(entry["img_path"])),
        class_name=name,
        split=split,
        is_anomalous=is_anomalous,
        defect=str(entry.get("specie_name") or "") if is_anomalous else "",
        mask_path=inside(root, mask) if is_anomalous and mask else None,
    )


def read_visa(root: Path) -> list[Sample]:
    """VisA's `split_csv/1cls.csv`: object, split, label ("normal" or "anomaly"), image, mask."""
    table = root / "split_csv" / "1cls.csv"
    need(table)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        return [
            Sample(
                path=inside(root, row["image"]),
                class_name=row["object"],
                split="train" if row["split"] == "train" else "test",
                is_anomalous=row["label"] != "normal",
                defect="" if row["label"] == "normal" else "anomaly",
                mask_path=inside(root, row["mask"]) if row["mask"] and row["label"] != "normal" else None,
            )
            for row in rows
        ]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{table} lacks the column {error}; it has to have object, split, label, image, mask."
        ) from error


def read_flat(root: Path) -> list[Sample]:
    """Two folders, of normal and of anomalous pictures, such as good/ and bad/.

    Masks, if any, lie in masks/ or ground_truth/, called as their pictures or with "_mask" behind the name.
    """
    normal = [path for name in NORMAL_FOLDERS for path in pictures_in(root / name)]
    anomalous = [path for name in ANOMALOUS_FOLDERS for path in pictures_in(root / name)]
    if not anomalous:
        need(root / "anomalous")
    if not normal:
        need(root / "normal")
    name = root.resolve().name
    return [Sample(path, name, "test", False) for path in normal] + [
        Sample(path, name, "test", True, "anomaly", _flat_mask(root, path)) for path in anomalous
    ]


def _flat_mask(root: Path, path: Path) -> Path | None:
    folders = [root / name for name in _MASK_FOLDERS] + [root / name / path.parent.name for name in _MASK_FOLDERS]
    found = (find_mask(folder, (f"{path.stem}_mask", path.stem)) for folder in folders if folder.is_dir())
    return next((mask for mask in found if mask is not None), None)


def inside(root: Path, relative: str) -> Path:
    """A path that a table names, which must stay inside the set's folder.

    Raises:
        DataError: it is absolute or climbs out.
    """
    path = root / relative
    if Path(relative).is_absolute() or ".." in Path(relative).parts:
        raise DataError(f"{relative!r} leads out of {root}; name files inside the set's folder.")
    return path
