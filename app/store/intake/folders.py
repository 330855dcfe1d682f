"""Looking through a folder before it is read, and laying single files together in one.  Follows no link."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.store.exchange.base import Refusal
from app.store.intake.disk import is_disk_trouble
from app.store.intake.limits import Limits
from app.store.intake.names import is_archive_name, is_system_name
from app.store.intake.plain import is_called_mask, masked_stem
from models.data.pictures import SUFFIXES
from models.errors import DataError

_UNCLEAR: Final = (
    "Several files have the same name, so it is unclear which picture this is for; import a zip, which keeps the "
    "folders."
)


@dataclass(slots=True)
class Survey:
    """What a folder holds, by the names of its files."""

    files: int = 0
    images: int = 0  # about: pictures that are not called like a mask
    others: list[str] = field(default_factory=list)  # no pictures by their ending
    skipped: int = 0  # hidden files and those of an operating system


def survey(folder: Path, refuse: Callable[[Refusal], None], limits: Limits) -> Survey:
    """Look through a folder and refuse what no reader will take: links, devices, archives.

    Args:
        folder: untrusted.
        refuse: gets what is refused, named by its path inside the folder.
        limits: what is refused beyond.
    Raises:
        DataError: the folder cannot be read, or holds too many files.
    """
    found = Survey()
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if current == folder:
                raise DataError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from error
            inside = current.relative_to(folder).as_posix()
            refuse(Refusal(inside, f"The folder cannot be read ({error.strerror}); check its permissions."))
            continue
        for entry in ordered:
            if is_system_name(entry.name):
                found.skipped += 1
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                _look_at(entry, folder, found, refuse)
        if found.files > limits.max_files:
            raise DataError(
                f"{folder} holds more than {limits.max_files} files, the most that are taken at once; import its "
                "parts one by one."
            )
    return found


def _look_at(entry: os.DirEntry[str], folder: Path, found: Survey, refuse: Callable[[Refusal], None]) -> None:
    path = Path(entry.path)
    inside = path.relative_to(folder)
    if entry.is_symlink():
        # The readers say this too, in the same words.
        refuse(Refusal(inside.as_posix(), "It is a link, and links are not followed; put the file itself there."))
    elif not entry.is_file(follow_symlinks=False):
        refuse(Refusal(inside.as_posix(), "It is neither a file nor a folder; leave it out."))
    elif is_archive_name(entry.name):
        refuse(Refusal(inside.as_posix(), "An archive inside a folder is not opened; give it by itself."))
    else:
        found.files += 1
        if not _is_picture(path):
            found.others.append(inside.as_posix())
        elif not is_called_mask(inside.as_posix()):
            found.images += 1


def clear_files(files: Sequence[Path], refuse: Callable[[Refusal], None]) -> list[Path]:
    """Leave out annotations that could belong to several pictures: single files do not say which folder they come from.

    Args:
        files: of any folders.
        refuse: gets the annotations that are left out.
    """
    mask_of = {path: masked_stem(path.name) for path in files}
    masks = Counter(filter(None, mask_of.values()))
    pictures = Counter(path.stem.casefold() for path, stem in mask_of.items() if stem is None and _is_picture(path))
    has_same_names = max(pictures.values(), default=0) > 1
    clear = []
    for path, stem in mask_of.items():
        if stem is not None:
            is_unclear = pictures[stem] > 1 or masks[stem] > 1
        else:  # a JSON or a table may speak of any picture
            is_unclear = has_same_names and not _is_picture(path)
        if is_unclear:
            refuse(Refusal(path.name, _UNCLEAR))
        else:
            clear.append(path)
    return clear


def lay_together(files: Sequence[Path], folder: Path, refuse: Callable[[Refusal], None]) -> list[Path]:
    """Put single files side by side, as hard links where the disk can do it, else as copies.

    Args:
        files: of any folders.
        folder: where to; there, and empty.
        refuse: gets the files that cannot be read.
    Returns:
        Folders in `folder`: one, and another one for each further file of the same name.
    Raises:
        OSError: the disk is full or fails.
    """
    together: list[Path] = []
    seen: dict[str, int] = {}
    for path in files:
        key = path.name.casefold()
        number = seen[key] = seen.get(key, -1) + 1
        if number == len(together):
            together.append(folder / str(number))
            together[number].mkdir()
        target = together[number] / path.name
        try:
            _link_or_copy(path, target)
        except OSError as error:
            if is_disk_trouble(error):
                raise
            refuse(Refusal(str(path), f"It cannot be read ({error.strerror}); check its permissions."))
    return together


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _link_or_copy(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # another disk, or one without links
        try:
            shutil.copyfile(path, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
