"""Settings of the program: flags over the environment, the environment over defaults.  No torch, no gradio."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.errors import ExpectedError

if TYPE_CHECKING:
    from models.weights import WeightsLocation

VERSION: Final = "0.1.0"
DEVICES: Final = ("auto", "cpu", "cuda", "mps")

_SWITCHES: Final = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConfig:
    """Where things are and how the app is reached."""

    weights_dir: Path = Path("weights")
    device: str = "auto"  # one of DEVICES
    host: str = "127.0.0.1"
    port: int = 7860
    allow_hub: bool = False  # whether weights may be fetched from the hub
    workspace: Path = Path("workspace")  # folder of the pictures and corrections
    database: str | None = None  # URL of the workspace's database; None = a SQLite file in its folder

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ExpectedError(f"There is no device {self.device!r}; choose one of: {', '.join(DEVICES)}.")
        if not 0 <= self.port <= 65_535:
            raise ExpectedError(f"There is no port {self.port}; choose one from 1024 to 65535, or 0 for any free one.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> AppConfig:
        """Read ODDITY_WEIGHTS, _DEVICE, _HOST, _PORT, _ALLOW_HUB, _WORKSPACE and _DATABASE (each after ODDITY).

        In a Hugging Face Space (SPACE_ID is set) the page is served to the Space's proxy, the hub may be used, and the
        workspace lies on the Space's storage, where there is one.

        Raises:
            ExpectedError: a variable holds something that it cannot mean.
        """
        in_space = bool(environment.get("SPACE_ID"))
        return cls(
            weights_dir=Path(environment.get("ODDITY_WEIGHTS") or "weights"),
            device=environment.get("ODDITY_DEVICE") or "auto",
            host=environment.get("ODDITY_HOST") or ("0.0.0.0" if in_space else "127.0.0.1"),
            port=_whole_number(environment, "ODDITY_PORT", default=7860),
            allow_hub=_switch(environment, "ODDITY_ALLOW_HUB", default=in_space),
            workspace=Path(environment.get("ODDITY_WORKSPACE") or _default_workspace(in_space)),
            database=environment.get("ODDITY_DATABASE") or None,
        )

    def location(self, *, backbone_path: Path | None = None, head_path: Path | None = None) -> WeightsLocation:
        """Where weights may come from.

        Args:
            backbone_path: a backbone file that goes before everything else.
            head_path: a head file that is used instead of the shipped one.
        """
        from models.weights import WeightsLocation

        return WeightsLocation(
            weights_dir=self.weights_dir,
            allow_hub=self.allow_hub,
            backbone_path=backbone_path,
            head_path=head_path,
        )


def resolve_device(device: str) -> str:
    """Turn "auto" into the fastest device of this machine, and check any other.  Imports torch.

    Args:
        device: one of DEVICES.
    Returns:
        "cpu", "cuda" or "mps".
    Raises:
        ExpectedError: this machine has no such device.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, is_there in present.items() if is_there)
    if not present.get(device, False):
        usable = ", ".join(name for name, is_there in present.items() if is_there)
        raise ExpectedError(f"Device {device!r} was asked for, but torch finds only: {usable}; choose one of those.")
    return device


def _default_workspace(in_space: bool) -> str:
    """Storage that outlives a restart where a Space has it, else a folder beside the program."""
    return "/data/workspace" if in_space and os.access("/data", os.W_OK) else "workspace"


def _whole_number(environment: Mapping[str, str], name: str, *, default: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise ExpectedError(f"{name} is {text!r}, which is not a whole number; set it to one, or unset it.") from error


def _switch(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name)
    if not text:
        return default
    if text.lower() not in _SWITCHES:
        raise ExpectedError(f"{name} is {text!r}, which is neither yes nor no; set it to 1 or 0, or unset it.")
    return _SWITCHES[text.lower()]
