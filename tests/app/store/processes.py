"""What the processes of the store's tests do: save, and write down what was acknowledged.

Each is a process of its own, forked by a helper that has the store imported already; that takes milliseconds, not a
second.  What was saved can be told from the acknowledgement alone: its seed makes the mask anew.
"""

from __future__ import annotations

import io
import itertools
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import Engine, event

from app.store.records import NewRevision, Saved
from app.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A save that came back."""

    digest: str
    number: int
    seed: int  # of its mask; also its save_id
    based_on: int
    overtaken: tuple[int, ...]  # numbers of the revisions that it was told of


def forking() -> ForkServerContext:
    """The context that starts such processes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "scipy.ndimage"])
    return context


def picture(number: int, size_hw: tuple[int, int]) -> bytes:
    """A PNG like no other of these."""
    pixels = np.random.default_rng(number).integers(0, 255, (*size_hw, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def mask_of(seed: int, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask that belongs to a seed: noise of 4 x 4 pixels, which cannot be guessed and hardly be compressed."""
    height, width = size_hw
    noise = np.random.default_rng(seed).random((height // 4 + 1, width // 4 + 1)) < 0.5
    return noise.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]


def storm(folder: Path, digests: Sequence[str], seed: int, acknowledgements: Path, *, threads: int) -> None:
    """Save on and on from several threads, until killed."""
    workspace = Workspace.open(folder)
    with acknowledgements.open("a", encoding="utf-8") as file:
        workers = [
            threading.Thread(target=_save_forever, args=(workspace, digests, seed + worker * 10_000, file))
            for worker in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


def _save_forever(workspace: Workspace, digests: Sequence[str], seed: int, file: io.TextIOWrapper) -> None:
    random = np.random.default_rng(seed)
    while True:
        seed += 1
        digest = digests[int(random.integers(len(digests)))]
        acknowledge(file, save(workspace, digest, seed, based_on=0, author="storm"), seed)


def save_and_die(folder: Path, database_url: str | None, digest: str, seed: int, step: int) -> None:
    """Save once, and be killed right before the given step; the last step is the acknowledgement.

    Args:
        folder: of the workspace.
        database_url: of the workspace.
        digest: of the image.
        seed: of the mask; also the save_id.
        step: see `_die_at`.
    """
    with Workspace.open(folder, database_url) as workspace:
        at_step = _die_at(step, folder)
        save(workspace, digest, seed, based_on=0, author="short-lived")
        at_step()


def open_and_die(folder: Path, step: int) -> None:
    """Make a workspace, and be killed right before the given step; see `_die_at`."""
    _die_at(step, folder)
    Workspace.open(folder).close()


def _die_at(step: int, folder: Path) -> Callable[..., None]:
    """Have this process killed right before its `step`th effect: on a file of the folder, or on a database.

    Returns:
        A function that counts as one more step.
    """
    counted = itertools.count(1)

    def at_step(*_: object) -> None:
        if next(counted) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def at_event(name: str, arguments: tuple[object, ...]) -> None:
        if name in {"open", "os.mkdir", "os.rename", "os.remove"} and str(arguments[0]).startswith(str(folder)):
            at_step()

    sys.addaudithook(at_event)
    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, at_step)
    return at_step


def write_in_turns(folder: Path, database_url: str | None, writer: int, start: Barrier, acknowledgements: Path) -> None:
    """Save 50 corrections, 5 images at a time: first look at the five, then save them, so that others come between."""
    with Workspace.open(folder, database_url) as workspace, acknowledgements.open("w", encoding="utf-8") as file:
        digests = [image.digest for image in workspace.images()]
        start.wait(120)
        for turn in range(10):
            chosen = [digests[(writer * 3 + turn * 5 + step) % len(digests)] for step in range(5)]
            seen = {digest: _newest_number(workspace, digest) for digest in chosen}
            for step, digest in enumerate(chosen):
                seed = writer * 1000 + turn * 5 + step
                saved = save(workspace, digest, seed, based_on=seen[digest], author=f"writer {writer}")
                acknowledge(file, saved, seed)


def acknowledge(file: io.TextIOWrapper, saved: Saved, seed: int) -> None:
    """Put a save on record, on the disk, once it has come back."""
    revision = saved.revision
    overtaken = tuple(sorted(other.number for other in saved.overtaken))
    line = Acknowledged(revision.image_digest, revision.number, seed, revision.based_on, overtaken)
    os.write(file.fileno(), (json.dumps(asdict(line)) + "\n").encode())
    os.fsync(file.fileno())


def read_acknowledgements(path: Path) -> Iterator[Acknowledged]:
    """Those that were written whole."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            record = json.loads(line)
            yield Acknowledged(**{**record, "overtaken": tuple(record["overtaken"])})


def _newest_number(workspace: Workspace, digest: str) -> int:
    newest = workspace.newest(digest)
    return 0 if newest is None else newest.number


def save(workspace: Workspace, digest: str, seed: int, *, based_on: int, author: str) -> Saved:
    """Save the mask of a seed, with the seed for its save_id."""
    mask = mask_of(seed, workspace.image(digest).size_hw)
    new = NewRevision(label="anomalous", mask=mask, author=author, based_on=based_on, save_id=str(seed))
    return workspace.save(digest, new)
