"""The table of layouts, and how a folder's layout is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from models.data.datasets import generic, named
from models.data.datasets.samples import DataSet, Sample
from models.errors import DataError

Reader = Callable[[Path], list[Sample]]


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to lay a set out, and the sets of the papers that use it."""

    name: str
    title: str
    read: Reader


def _layouts() -> dict[str, Layout]:
    mvtec = generic.read_mvtec
    table: dict[str, tuple[str, Reader]] = {
        "mvtec": ("MVTec folders: CLASS/test/DEFECT, CLASS/ground_truth/DEFECT", mvtec),
        "meta-json": ("meta.json, the table of zero-shot code", generic.read_meta_json),
        "visa": ("VisA: split_csv/1cls.csv", generic.read_visa),
        "flat": ("two folders, normal/ and anomalous/", generic.read_flat),
        "mvtec-ad": ("MVTec-AD", mvtec),
        "mpdd": ("MPDD", mvtec),
        "btad": ("BTAD: {01,02,03}/test/{ok,ko}", mvtec),
        "dtd-synthetic": ("DTD-Synthetic", mvtec),
        "ksdd2": ("KolektorSDD2, all anomalous and as many normal", named.read_ksdd2),
        "dagm": ("DAGM 2007: ClassK/{Train,Test}", named.read_dagm),
        "oct17": ("OCT17: test/{NORMAL,CNV,DME,DRUSEN}", named.read_oct17),
        "brainmri": ("BrainMRI: no/, yes/", named.read_yes_no),
        "br35h": ("Br35H: no/, yes/", named.read_yes_no),
        "headct": ("HeadCT: head_ct/, labels.csv", named.read_headct),
        "brain-ad": ("Brain_AD: test/{good,Ungood}", named.read_bmad),
        "his": ("HIS, histopathology: test/{good,Ungood}", named.read_bmad),
        "cvc-clinicdb": ("CVC-ClinicDB: Original/, Ground Truth/", named.read_clinicdb),
        "endo": ("Endo: images/, masks/", named.read_images_and_masks),
        "kvasir": ("Kvasir: images/, masks/", named.read_images_and_masks),
        "isic": ("ISIC: ..._Data/, ..._GroundTruth/", named.read_isic),
        "msd": ("MSD, 2D slices: images/, masks/", named.read_msd),
    }
    return {name: Layout(name, title, read) for name, (title, read) in table.items()}


LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(_layouts())

# What marks a general layout, the most telling first.
_MARKS: Final = (
    ("meta-json", ("meta.json",)),
    ("visa", ("split_csv/1cls.csv",)),
    ("dagm", ("Class*/Train", "Class*/Test")),
    ("headct", ("labels.csv", "head_ct")),
    ("brain-ad", ("test/good", "test/Ungood")),
    ("oct17", ("test/NORMAL", "test/CNV")),
    ("mvtec", ("test/*",)),
    ("mvtec", ("*/test/*",)),
    ("cvc-clinicdb", ("Original", "Ground Truth")),
    ("cvc-clinicdb", ("PNG/Original",)),
    ("cvc-clinicdb", ("TIF/Original",)),
    ("kvasir", ("images", "masks")),
    ("isic", ("*_Data", "*_GroundTruth")),
    ("msd", ("imagesTr",)),
    ("msd", ("Task*/imagesTr",)),
)


def read_dataset(root: Path, layout: str = "auto") -> DataSet:
    """List a data set's pictures, labels and masks.

    Args:
        root: its folder, as its authors publish it.
        layout: key of LAYOUTS, or "auto" to find out.  KSDD2 must be named: its folders hold nothing that tells.
    Returns:
        The set, named "LAYOUT" for the papers' sets and "LAYOUT:FOLDER" for general layouts.
    Raises:
        DataError: the folder is none, or does not match; the sentence says which expected path is missing.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder; give the folder of an unpacked data set.")
    if layout != "auto" and layout not in LAYOUTS:
        raise DataError(f"There is no layout {layout!r}; choose one of: auto, {', '.join(LAYOUTS)}.")
    chosen = LAYOUTS[_recognised(root) if layout == "auto" else layout]
    samples = chosen.read(root)
    if not samples:
        raise DataError(f"{root} holds no picture where {chosen.name} has them ({chosen.title}); check the folder.")
    for sample in samples:
        if not sample.path.is_file():
            raise DataError(f"{sample.path} is missing, but {root} lists it; copy the set again.")
        if sample.mask_path is not None and not sample.mask_path.is_file():
            raise DataError(f"The mask {sample.mask_path} is missing, but {root} lists it; copy the set again.")
    general = chosen.name in ("mvtec", "meta-json", "flat") or layout == "auto"
    return DataSet(f"{chosen.name}:{root.resolve().name}" if general else chosen.name, tuple(samples))


def _recognised(root: Path) -> str:
    for name, patterns in _MARKS:
        if all(any(root.glob(pattern)) for pattern in patterns):
            return name
    folders = {path.name for path in root.iterdir() if path.is_dir()}
    if folders & set(generic.NORMAL_FOLDERS) and folders & set(generic.ANOMALOUS_FOLDERS):
        return "flat"
    raise DataError(
        f"{root} is of no known layout: it has no CLASS/test/DEFECT, no meta.json, no split_csv/1cls.csv and no pair of"
        " folders such as normal/ and anomalous/; name the layout with --layout, or arrange it as one of these."
    )
