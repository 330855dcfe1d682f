"""`python -m app versions`: the taught versions of a workspace, and which of them is used."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands.options import add_engine_options, config_from
from app.commands.version_table import SHOWN, details, plain, record, table
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET, get_preset

if TYPE_CHECKING:
    from app.store.versions import Version, VersionShelf

SHIPPED: Final = "shipped"
_WHICH: Final = "its name (3 or 'version 3') or 6 digits of its id"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show every version, newest first")
    show = actions.add_parser("show", help="show one version: what it was taught with, before and after")
    activate = actions.add_parser("activate", help="use a version from now on, everywhere")
    back = actions.add_parser("roll-back", help="use again what was used before")
    delete = actions.add_parser("delete", help="delete a version that is not in use, for good")
    export = actions.add_parser("export", help="write a version's file elsewhere")
    take_in = actions.add_parser("import", help="take in a version, or another head of this program")
    compare = actions.add_parser("compare", help="draw the maps of several versions of one picture")
    for action in (listing, show, activate, back, delete, export, take_in, compare):
        action.add_argument("workspace", type=Path, metavar="WORKSPACE", help="folder of the workspace")
    compare.add_argument("picture", type=Path, metavar="PICTURE")
    for action in (show, activate, delete, export):
        may_be = f", or {SHIPPED!r} for the shipped head" if action is activate else ""
        action.add_argument("version", metavar="VERSION", help=_WHICH + may_be)
    compare.add_argument("versions", nargs="+", metavar="VERSION", help=f"{_WHICH}, or {SHIPPED!r}")
    export.add_argument("to", type=Path, metavar="FILE|DIR", help="a file that is not there yet, or a folder")
    take_in.add_argument("file", type=Path, metavar="FILE", help="a .safetensors file")
    compare.add_argument(
        "--out", type=Path, default=Path("versions.png"), metavar="PATH", help="(default: %(default)s)"
    )
    for action in (listing, show, activate, delete, export):
        action.add_argument("--preset", help="look only among the versions of this preset")
    for action in (back, compare):
        action.add_argument("--preset", default=DEFAULT_PRESET, help="(default: %(default)s)")
    for action in (activate, back, take_in):
        action.add_argument("--author", default="", metavar="NAME", help="who does it (default: the system's user)")
    for action in (listing, show):
        action.add_argument("--json", action="store_true", help="print JSON")
    compare.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file that goes first")
    add_engine_options(compare)


def run(args: argparse.Namespace) -> int:
    """Do what was asked.

    Returns:
        0, or 1 where `list` met versions that are damaged.
    Raises:
        ExpectedError: there is no such workspace or version, or it cannot be changed.
    """
    shelf = open_shelf(args.workspace)
    if getattr(args, "preset", None) is not None:
        get_preset(args.preset)
    actions = {
        "list": _list,
        "show": _show,
        "activate": _activate,
        "roll-back": _roll_back,
        "delete": _delete,
        "export": _export,
        "import": _import,
        "compare": _compare,
    }
    return actions[args.action](shelf, args)


def open_shelf(folder: Path) -> VersionShelf:
    """The versions of a workspace; its database is not needed.

    Raises:
        ExpectedError: the folder is no workspace.
    """
    from app.store.folder import DATABASE, MARKER, VERSIONS
    from app.store.versions import VersionShelf

    if not any((folder / name).is_file() for name in (MARKER, DATABASE)):
        raise ExpectedError(f"There is no workspace in {folder}; check the path.")
    return VersionShelf(folder / VERSIONS, read_only=not os.access(folder, os.W_OK | os.X_OK))


def _list(shelf: VersionShelf, args: argparse.Namespace) -> int:
    versions, faults = shelf.list(args.preset), shelf.faults()
    if args.json:
        print(json.dumps([record(version, shelf) for version in versions], indent=1))
    else:
        for line in table(versions, shelf):
            print(line)
    for fault in faults:
        print(fault, file=sys.stderr if args.json else sys.stdout)
    return 1 if faults else 0


def _show(shelf: VersionShelf, args: argparse.Namespace) -> int:
    version = shelf.get(args.version, args.preset)
    if args.json:
        print(json.dumps(record(version, shelf), indent=1))
    else:
        for line in details(version, shelf):
            print(line)
    return 0


def _activate(shelf: VersionShelf, args: argparse.Namespace) -> int:
    if args.version == SHIPPED:
        preset = args.preset or DEFAULT_PRESET
        shelf.activate(preset, None, _author(args))
        print(f"{preset} uses its shipped head from now on.")
        return 0
    version = shelf.get(args.version, args.preset)
    shelf.activate(version.preset, version.id, _author(args))
    print(f"{version.preset} uses {_called(version)} from now on.")
    return 0


def _roll_back(shelf: VersionShelf, args: argparse.Namespace) -> int:
    now = shelf.roll_back(args.preset, _author(args))
    called = "its shipped head" if now is None else _called(shelf.get(now))
    print(f"{args.preset} uses {called} again.")
    return 0


def _delete(shelf: VersionShelf, args: argparse.Namespace) -> int:
    damaged = [version_id for version_id in shelf.files.ids() if version_id == args.version]
    version_id = damaged[0] if damaged else shelf.get(args.version, args.preset).id
    shelf.delete(version_id)
    print(f"{version_id[:SHOWN]} is deleted.")
    return 0


def _export(shelf: VersionShelf, args: argparse.Namespace) -> int:
    print(shelf.export(shelf.get(args.version, args.preset).id, args.to))
    return 0


def _import(shelf: VersionShelf, args: argparse.Namespace) -> int:
    version = shelf.take_in(args.file, _author(args))
    print(f"{_called(version)} of {version.preset} is here; `versions activate` uses it.")
    return 0


def _compare(shelf: VersionShelf, args: argparse.Namespace) -> int:
    from app.services.inspector import Inspector
    from app.services.version_sheet import version_sheet
    from models.data.pictures import load_picture

    picture = load_picture(args.picture)
    config = config_from(args)
    heads: list[tuple[str, Path | None]] = []
    for wanted in args.versions:
        version = None if wanted == SHIPPED else shelf.get(wanted, args.preset)
        heads.append(("shipped head", None) if version is None else (_called(version), shelf.path(version.id)))
    inspector = Inspector(config.location(backbone_path=args.backbone_weights), config.device)
    drawn = version_sheet(inspector, picture, args.preset, heads)
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        drawn.save(args.out)
    except (OSError, ValueError) as error:
        raise ExpectedError(f"{args.out} cannot be written ({error}); choose another --out.") from error
    print(args.out)
    return 0


def _author(args: argparse.Namespace) -> str:
    if args.author:
        return str(args.author)
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "command line"


def _called(version: Version) -> str:
    return f"{plain(version.name)} ({version.id[:SHOWN]})"
