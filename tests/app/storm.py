"""Servers that can be killed, and visitors who save in them without pause, as the workbench's page does.

A server is forked by a helper that has gradio and the page imported already: that takes a second, not four.  Run as a
program, this file is that helper; it reads a workspace's folder a line and starts a server for each.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from app.store.records import Mask
from app.ui.workbench_protocol import mask_json
from tests.app.store.processes import mask_of

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_S: Final = 120.0  # a busy machine is no failure


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    pid: int
    url: str

    def kill(self) -> None:
        """No goodbye: SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Save:
    """A save that a visitor sent; its number makes the mask anew and is its save_id too."""

    digest: str
    size_hw: tuple[int, int]
    seed: int

    def mask(self) -> Mask:
        return mask_of(self.seed, self.size_hw)

    def request(self) -> dict[str, Any]:
        """As the page sends it."""
        return {
            "digest": self.digest, "label": "anomalous", "mask": mask_json(self.mask()), "author": "storm",
            "based_on": 0, "edited": True, "save_id": str(self.seed),
        }  # fmt: skip


@dataclass(slots=True)
class Storm:
    """Visitors who save on and on until the server is gone."""

    images: Sequence[tuple[str, tuple[int, int]]]  # digest and size_hw
    acknowledged: dict[int, tuple[Save, int]] = field(default_factory=dict)  # by seed: with the revision's number
    pending: list[Save] = field(default_factory=list)  # sent, and nothing came back
    refused: list[str] = field(default_factory=list)

    def rage(self, url: str, seeds: Sequence[int]) -> list[threading.Thread]:
        """Start a visitor for each seed."""
        call = Call(url)
        visitors = [threading.Thread(target=self._save_on, args=(call, seed), daemon=True) for seed in seeds]
        for visitor in visitors:
            visitor.start()
        return visitors

    def send_again(self, url: str) -> None:
        """What was not acknowledged is sent again under the same save_id, as the page does."""
        call, again = Call(url), self.pending
        self.pending = []
        with httpx.Client(timeout=60) as client:
            for save in again:
                self._take(save, call(client, "save", save.request()))

    def _save_on(self, call: Call, seed: int) -> None:
        random = np.random.default_rng(seed)
        with httpx.Client(timeout=60) as client:
            while True:
                seed += 1
                save = Save(*self.images[int(random.integers(len(self.images)))], seed)
                try:
                    answer = call(client, "save", save.request())
                except httpx.TransportError:
                    self.pending.append(save)
                    return
                self._take(save, answer)

    def _take(self, save: Save, answer: dict[str, Any]) -> None:
        if "revision" in answer:
            self.acknowledged[save.seed] = save, int(answer["revision"]["number"])
        else:
            self.refused.append(str(answer.get("error", answer)))


class Call:
    """The workbench's functions at a server, through the route that the page uses."""

    def __init__(self, url: str) -> None:
        """Look up the workbench among the page's components."""
        self._url = f"{url}gradio_api/component_server"
        components = httpx.get(f"{url}config", timeout=60).json()["components"]
        (self._id,) = (one["id"] for one in components if one["props"].get("elem_id") == "workbench")

    def __call__(self, client: httpx.Client, name: str, request: dict[str, Any]) -> dict[str, Any]:
        body = {"data": request, "component_id": self._id, "fn_name": name, "session_hash": "storm"}
        answer = client.post(self._url, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def servers() -> Iterator[Servers]:
    """Start the helper, and end it and whatever it still runs."""
    command = [sys.executable, "-m", "tests.app.storm"]
    helper = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Servers(helper)
    finally:
        helper.kill()
        helper.wait()


@dataclass(frozen=True, slots=True)
class Servers:
    """The helper that starts servers."""

    helper: subprocess.Popen[str]

    def start(self, folder: Path) -> Server:
        """Start a server and wait until it answers."""
        assert self.helper.stdin is not None
        assert self.helper.stdout is not None
        print(folder, file=self.helper.stdin, flush=True)
        is_there, _, _ = select.select([self.helper.stdout], [], [], _START_S)
        assert is_there, "the server did not start"
        return Server(**json.loads(self.helper.stdout.readline()))


def _serve(folder: Path) -> None:
    from app.store.workspace import Workspace
    from app.ui.engine import Engine
    from app.ui.launch import Address, start
    from tests.app.fakes import FakeModel, loader, nowhere

    workspace = Workspace.open(folder)
    _, url = start(Engine(nowhere(), load=loader(FakeModel())), workspace, Address(port=None))
    print(json.dumps({"pid": os.getpid(), "url": url}), flush=True)
    threading.Event().wait()


def _fork_for_each_line() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the killed
    children = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _serve(Path(line.strip()))
        children.append(pid)


if __name__ == "__main__":
    import app.ui.launch  # noqa: F401 - what takes long is done once

    _fork_for_each_line()
