"""What a workspace teaches: the newest label of every picture, and which pictures are kept back to check the result.

Two files with the same pixels are one picture.  The split goes by picture, never by crop, and by the picture's own
digest, so that a picture that was kept back once stays kept back.  Reads the workspace and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from models.data.pictures import picture_from_bytes
from models.errors import DataError, ExpectedError

if TYPE_CHECKING:
    from app.store.records import Revision, StoredImage
    from app.store.workspace import Workspace

How = Literal["held out", "leave one out", "none"]

FEWEST_TO_HOLD_OUT: Final = 8  # fewer pictures are left out one at a time instead
_ONE_IN: Final = 5  # pictures of a label is held out
_MOST_HELD_OUT: Final = 10  # of a label; more would say little more, and could not be taught
_NAMED: Final = 3  # at most so many pictures are called by name in one note
_WAY_OUT: Final = "confirm or correct pictures in Correct, two of them at least"


@dataclass(frozen=True, slots=True)
class TaughtPicture:
    """A labelled picture of the workspace."""

    digest: str  # of the image, as the workspace knows it
    number: int  # of the revision that counts
    name: str
    is_anomalous: bool
    mask_digest: str | None  # of the marked pixels; None: normal, or anomalous without marks
    pixels: str  # SHA-256 of the RGB pixels, the same for every file of this picture

    @property
    def is_marked(self) -> bool:
        """Whether every pixel's label is known."""
        return not self.is_anomalous or self.mask_digest is not None


@dataclass(frozen=True, slots=True)
class Taught:
    """Everything that the newest labels teach."""

    pictures: tuple[TaughtPicture, ...]  # by `pixels`
    notes: tuple[str, ...]  # sentences: what was left out, what contradicted itself, what cannot be learnt from this


@dataclass(frozen=True, slots=True)
class Split:
    """Which pictures are taught and which tell when to stop."""

    how: How
    taught: tuple[TaughtPicture, ...]  # that the new head learns from
    checked: tuple[TaughtPicture, ...]  # held out, or left out one at a time: they decide when to stop
    reported: tuple[TaughtPicture, ...]  # those of them that no ancestor was taught: they say what it is worth


class PixelDigests:
    """The digests of pictures' RGB pixels, remembered in a folder, so that a file is decoded once."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        """Open what is remembered.

        Args:
            workspace: whose images.
            folder: made if it is not there.
        Raises:
            DataError: the folder cannot be used.
        """
        from models.training.record_file import RecordFile

        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder} cannot be made ({error.strerror}); check the disk of the workspace.") from error
        self._workspace = workspace
        self._records = RecordFile(folder / "pixels.bin", hashlib.sha256().digest_size)

    def __call__(self, digest: str) -> str:
        """The digest of an image's pixels, hex.

        Raises:
            StoreError: there is no such image, or its file is missing or damaged.
            PictureError: its file cannot be read as a picture.
        """
        place = self._records.get_or_make(digest, lambda: self._computed(digest))
        return self._records.read(place).tobytes().hex()

    def _computed(self, digest: str) -> bytes:
        rgb = picture_from_bytes(self._workspace.image_bytes(digest), digest).rgb
        return hashlib.sha256(f"{rgb.shape} ".encode() + rgb.tobytes()).digest()


def gather(workspace: Workspace, pixels_of: Callable[[str], str]) -> Taught:
    """Every picture with a label that can be taught.

    Args:
        workspace: whose newest revisions count; confirmed normals too, those labelled unsure not.
        pixels_of: a picture's pixel digest, as `PixelDigests` gives it.
    Returns:
        The pictures; those that contradict each other, or cannot be read, are told in notes.
    Raises:
        DataError: fewer than two pictures are labelled; the sentence says what there is.
    """
    groups: dict[str, list[tuple[StoredImage, Revision]]] = {}
    notes: list[str] = []
    unsure: list[str] = []
    for image, revision in workspace.annotated():
        if revision.label == "unsure":
            unsure.append(image.name)
            continue
        try:
            groups.setdefault(pixels_of(image.digest), []).append((image, revision))
        except ExpectedError as error:
            notes.append(f"{image.name} is left out: {error}")
            continue
        notes += _overtaken(workspace, image, revision)
    pictures = tuple(_counted(pixels, group, notes) for pixels, group in sorted(groups.items()))
    if unsure:
        notes.append(f"Labelled unsure, so left out: {_names(unsure)}.")
    _require_enough(pictures, sum(len(group) for group in groups.values()), len(unsure))
    return Taught(pictures, (*notes, *_one_sided(pictures)))


def split(taught: Sequence[TaughtPicture], taught_before: Collection[str], held_before: Collection[str]) -> Split:
    """Decide which pictures are taught and which are kept back.

    From eight pictures on, about one in five of each label is held out, ten at most.  A picture that an ancestor was
    taught is never held out, one that was held out for an ancestor stays so, and half of the new ones or more are
    taught.
    With fewer than eight, or where nothing new can be held out, pictures are left out one at a time and all are taught.

    Args:
        taught: of `gather`.
        taught_before: pixel digests that the parent or an ancestor of it was taught.
        held_before: pixel digests that were held out for one of those.
    Returns:
        The split; the same pictures and ancestors always give the same one.
    """
    ordered = sorted(taught, key=_draw)
    new = [picture for picture in ordered if picture.pixels not in taught_before]
    if len(ordered) >= FEWEST_TO_HOLD_OUT and (held := _held_out(ordered, new, held_before)):
        rest = tuple(picture for picture in ordered if picture not in held)
        return Split("held out", rest, tuple(held), tuple(held))
    if new:
        left_out = tuple(new[: FEWEST_TO_HOLD_OUT - 1])
        return Split("leave one out", tuple(ordered), left_out, left_out)
    return Split("none", tuple(ordered), tuple(ordered[: FEWEST_TO_HOLD_OUT - 1]), ())


def _held_out(
    ordered: list[TaughtPicture], new: list[TaughtPicture], held_before: Collection[str]
) -> list[TaughtPicture]:
    held = [picture for picture in new if picture.pixels in held_before]
    fresh = [picture for picture in new if picture.pixels not in held_before]
    room = len(fresh) // 2
    for is_anomalous in (True, False):
        of_label = sum(picture.is_anomalous == is_anomalous for picture in ordered)
        wanted = min(max(1, round(of_label / _ONE_IN)), _MOST_HELD_OUT) if of_label > 1 else 0
        wanted -= sum(picture.is_anomalous == is_anomalous for picture in held)
        # Marked ones first: without marks only the picture's score can be checked.
        candidates = sorted((p for p in fresh if p.is_anomalous == is_anomalous), key=lambda p: not p.is_marked)
        chosen = candidates[: max(0, min(wanted, room))]
        held += chosen
        room -= len(chosen)
    return held


def _draw(picture: TaughtPicture) -> str:
    """A number drawn for each picture, always the same one."""
    return hashlib.sha256(f"held out {picture.pixels}".encode()).hexdigest()


def _counted(pixels: str, group: list[tuple[StoredImage, Revision]], notes: list[str]) -> TaughtPicture:
    """The one label of all files of a picture: the newest; one with marks where they agree otherwise."""
    by_age = sorted(group, key=lambda found: (found[1].saved_at, found[0].digest), reverse=True)
    image, revision = by_age[0]
    for other, older in by_age[1:]:
        if older.label != revision.label or _disagree(older.mask_digest, revision.mask_digest):
            notes.append(
                f"{image.name} and {other.name} are the same picture and are labelled differently; "
                f"{image.name} is the newer label and counts."
            )
            break
    if revision.label == "anomalous" and revision.mask_digest is None:
        marked = (found for found in by_age if found[1].label == "anomalous" and found[1].mask_digest is not None)
        image, revision = next(marked, (image, revision))
    is_anomalous = revision.label == "anomalous"
    return TaughtPicture(
        digest=image.digest,
        number=revision.number,
        name=image.name,
        is_anomalous=is_anomalous,
        mask_digest=revision.mask_digest if is_anomalous else None,
        pixels=pixels,
    )


def _disagree(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _overtaken(workspace: Workspace, image: StoredImage, newest: Revision) -> list[str]:
    """A note where somebody else's other label was saved while the newest one was being made."""
    if newest.number - newest.based_on <= 1:
        return []
    between = [one for one in workspace.history(image.digest) if newest.based_on < one.number < newest.number]
    for other in between:
        differs = other.label != newest.label or _disagree(other.mask_digest, newest.mask_digest)
        if other.kind == "save" and other.author != newest.author and differs:
            return [
                f"{image.name} was labelled differently by {other.author or 'somebody'} and "
                f"{newest.author or 'somebody'} at the same time; revision {newest.number} is the newer and counts."
            ]
    return []


def _require_enough(pictures: Sequence[TaughtPicture], files: int, unsure: int) -> None:
    if not pictures:
        only = f" (only {unsure} as unsure)" if unsure else ""
        raise DataError(f"Nothing is labelled yet{only}, so there is nothing to learn from; {_WAY_OUT}.")
    if len(pictures) == 1:
        same = f", though in {files} files," if files > 1 else ""
        raise DataError(
            f"Only one picture is labelled{same} ({pictures[0].name}), and what is learnt from one cannot be checked "
            f"on another; {_WAY_OUT}."
        )


def _one_sided(pictures: Sequence[TaughtPicture]) -> list[str]:
    unmarked = [picture.name for picture in pictures if not picture.is_marked]
    notes = []
    if unmarked:
        notes.append(f"Anomalous without marked pixels, so only their label is taught: {_names(unmarked)}.")
    if not any(picture.is_anomalous for picture in pictures):
        notes.append(
            "All labelled pictures are normal: this can lower false alarms, and what anomalies look like comes from "
            "synthetic pictures alone."
        )
    if all(picture.is_anomalous for picture in pictures):
        notes.append(
            "All labelled pictures are anomalous: this can make such anomalies stand out, and what is normal comes "
            "from synthetic pictures alone; confirm some normal ones, or false alarms may rise."
        )
    return notes


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
