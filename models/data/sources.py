"""Free pictures for training from Debian's data packages, fetched only when asked for.  Writes into one folder.

A package lies in FOLDER/NAME as it came, with its version in FOLDER/NAME/version.txt; archives inside it are unpacked
beside themselves.  The copyright file of each package says what is under which licence.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.errors import DataError

PACKAGES: Final = ("supertuxkart-data", "trigger-rally-data", "gimp-data")
SMALLEST_SIDE_PX: Final = 256
LONGEST_ASPECT: Final = 3.0
_SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_THUMBNAIL_PX: Final = 32
_TIMEOUT_S: Final = 1800

_ONE_TONE_SHARE: Final = 0.3  # a sheet or a drawing has more of one tone than this

# Folders of the user interface, of signs, and of sheets on which the skins of models are laid out flat.
_LEFT_OUT_FOLDERS: Final = frozenset(
    ("gui", "skins", "editor", "icons", "themes", "font", "codriversigns", "roadsigns", "doc", "gamerzilla", "pixmaps",
     "karts", "models", "vehicles", "library")
)  # fmt: skip
_LEFT_OUT_NAMES: Final = re.compile(
    r"normal|nrm|bump|gloss|spec|emit|mask|alpha|lightmap|colormap|colourmap|terrain|height|hmap|minimap|screenshot"
    # The courses of a rally, drawn as lines that look like cracks, are c.jpg, m.jpg, mm.jpg and so on.
    r"|^(c|f|h|m|mm|r|t)([-_].*)?$|sprite|splash|logo|icon|font|particle|shadow|[-_](n|s|g)$"
    # What shows damage must not be learnt as normal.
    r"|crack|scratch|damag|broken|rust",
    re.IGNORECASE,
)

Run = Callable[[Sequence[str], Path], str]  # a command and its folder to what it printed
OnDone = Callable[[str], object]  # told the name of each package that is in place


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """What a model card has to say about a package."""

    name: str
    version: str  # "unknown" where it was not fetched by `fetch`
    licences: tuple[str, ...]  # as named in the copyright file, the most frequent first
    copyright_file: str  # inside the package's folder
    pictures: int  # how many of it are usable


def fetch(
    folder: Path, *, packages: Sequence[str] = PACKAGES, on_done: OnDone | None = None, run: Run | None = None
) -> None:
    """Download and unpack packages into a folder; those that are there already are kept.

    Args:
        folder: made if it does not exist.
        packages: names of Debian packages.
        on_done: called after each package, for showing progress.
        run: runs a command; replaced in tests.
    Raises:
        DataError: apt-get or dpkg-deb is missing, or one of them failed.
    """
    execute = run if run is not None else _run
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not (folder / package / "version.txt").is_file():
            _fetch_one(folder, package, execute)
        if on_done is not None:
            on_done(package)


def _fetch_one(folder: Path, package: str, run: Run) -> None:
    parts = folder / f".{package}.part"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    run(("apt-get", "download", package), parts)
    archives = sorted(parts.glob("*.deb"))
    if not archives:
        raise DataError(f"apt-get downloaded no archive of {package}; run `apt-get update`, then try again.")
    version = run(("dpkg-deb", "--field", str(archives[0].resolve()), "Version"), parts).strip()
    run(("dpkg-deb", "--extract", str(archives[0].resolve()), "content"), parts)
    content = parts / "content"
    for inner in sorted(content.rglob("*.zip")):
        with zipfile.ZipFile(inner) as archive:
            archive.extractall(inner.with_suffix(""))
    (content / "version.txt").write_text(f"{version}\n", encoding="utf-8")
    # Only a complete package gets its name, so an interrupted run starts this one again.
    shutil.rmtree(folder / package, ignore_errors=True)
    content.rename(folder / package)
    shutil.rmtree(parts)


def _run(command: Sequence[str], folder: Path) -> str:
    if shutil.which(command[0]) is None:
        raise DataError(f"There is no {command[0]} here; fetch the pictures on Debian or Ubuntu and copy the folder.")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"`{' '.join(command)}` took more than {_TIMEOUT_S} s; check the network.") from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise DataError(f"`{' '.join(command)}` failed ({said}); run `apt-get update` and check the network.")
    return done.stdout


def list_photographs(folder: Path) -> list[Path]:
    """The usable pictures below a folder, in the order of their paths, each content once.

    Usable is a PNG or JPEG of 256 px and more on both sides, at most three times as long as wide, nearly opaque, not
    plain, not a normal map, without a large area of one tone, and not in a folder or under a name of user interface,
    signs, skins of models, data maps or damage.

    Raises:
        DataError: the folder does not exist or holds no usable picture.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; get the pictures with `python -m app data fetch {folder}`.")
    seen: set[bytes] = set()
    kept: list[Path] = []
    for path in sorted(path for path in folder.rglob("*") if _by_name(path.relative_to(folder))):
        thumbnail = _usable_thumbnail(path)
        if thumbnail is not None and thumbnail not in seen:
            seen.add(thumbnail)
            kept.append(path)
    if not kept:
        raise DataError(f"{folder} holds no usable picture; get some with `python -m app data fetch {folder}`.")
    return kept


def _by_name(path: Path) -> bool:
    left_out = any(part.lower() in _LEFT_OUT_FOLDERS for part in path.parts[:-1])
    return path.suffix.lower() in _SUFFIXES and not left_out and _LEFT_OUT_NAMES.search(path.stem) is None


def _usable_thumbnail(path: Path) -> bytes | None:
    """A small version of a usable picture, by which equal ones are found; None for all others."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if min(width, height) < SMALLEST_SIDE_PX or max(width, height) > LONGEST_ASPECT * min(width, height):
                return None
            picture.draft("RGB", (_THUMBNAIL_PX * 2, _THUMBNAIL_PX * 2))
            small = picture.convert("RGBA").resize((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BOX)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        return None
    values = np.asarray(small, dtype=np.float32)
    red, green, blue = (float(values[..., channel].mean()) for channel in range(3))
    is_normal_map = abs(red - 128) < 20 and abs(green - 128) < 20 and blue > 200
    is_plain = float(values[..., :3].std(axis=(0, 1)).max()) < 3.0
    is_opaque = float(values[..., 3].mean()) > 250
    _, counts = np.unique(values[..., :3].reshape(-1, 3), axis=0, return_counts=True)
    is_sheet = float(counts.max()) > _ONE_TONE_SHARE * counts.sum()
    return small.tobytes() if is_opaque and not (is_plain or is_normal_map or is_sheet) else None


def describe(folder: Path, packages: Sequence[str] = PACKAGES) -> tuple[PackageFacts, ...]:
    """Facts about the fetched packages, for the model card.

    Raises:
        DataError: a package is not in the folder.
    """
    return tuple(_facts(folder / package, package) for package in packages)


def _facts(content: Path, package: str) -> PackageFacts:
    copyright_file = content / "usr" / "share" / "doc" / package / "copyright"
    if not copyright_file.is_file():
        raise DataError(f"{content} does not hold {package}; get it with `python -m app data fetch {content.parent}`.")
    text = copyright_file.read_text(encoding="utf-8", errors="replace")
    licences = Counter(re.findall(r"^License: *(\S.*?) *$", text, flags=re.MULTILINE))
    version = content / "version.txt"
    return PackageFacts(
        name=package,
        version=version.read_text(encoding="utf-8").strip() if version.is_file() else "unknown",
        licences=tuple(name for name, _ in licences.most_common()),
        copyright_file=str(copyright_file.relative_to(content)),
        pictures=_count(content),
    )


def _count(content: Path) -> int:
    try:
        return len(list_photographs(content))
    except DataError:
        return 0
