"""The command line: one table of sub-commands, each a module that is imported only when it is asked for.

A command module has `add_arguments(parser)` and `run(args) -> int`, the exit code.  Exit codes: 0 done, 1 done in part,
2 an error that a person can act on, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol, cast

from app.config import VERSION
from models.errors import ExpectedError


class CommandModule(Protocol):
    """What a module in app.commands offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit code."""


@dataclass(frozen=True, slots=True)
class Command:
    """A sub-command: where its code is, and what it is for."""

    module: str
    summary: str


COMMANDS: Final[Mapping[str, Command]] = MappingProxyType({
    "serve": Command("app.commands.serve", "open the app in a browser page"),
    "inspect": Command("app.commands.inspect", "inspect pictures and print their scores"),
    "weights": Command("app.commands.weights", "list the presets and get their weights"),
    "evaluate": Command("app.commands.evaluate", "measure a preset on a data set"),
    "bench": Command("app.commands.bench", "measure how long inspection takes"),
    "export": Command("app.commands.export", "write a preset as one ONNX file"),
    "train": Command("app.commands.train", "train a head on synthetic anomalies"),
    "ablate": Command("app.commands.ablate", "train and measure the rows of the paper's ablations"),
    "data": Command("app.commands.data", "fetch and show the pictures that training uses"),
    "workspace": Command("app.commands.workspace", "check a workspace, list its pictures, show their history"),
    "teach": Command("app.commands.teach", "teach a preset from a workspace's corrections"),
    "versions": Command("app.commands.versions", "list, activate, compare, import and export taught versions"),
    "import-data": Command("app.commands.import_data", "take pictures and annotations into a workspace"),
    "export-data": Command("app.commands.export_data", "write a workspace's annotations for other programs"),
    "screenshot": Command("app.commands.screenshot", "take a picture of the app's page"),
})  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None = those of this process.
    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        chosen = next((word for word in arguments if not word.startswith("-")), None)
        command = _load(chosen) if chosen in COMMANDS else None
        args = _parser(chosen, command).parse_args(arguments)
        assert command is not None, "argparse lets no unknown command through"
        exit_code = command.run(args)
        sys.stdout.flush()  # here, where a closed pipe is handled
        return exit_code
    except ExpectedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; Python would complain at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _load(name: str | None) -> CommandModule:
    assert name is not None
    return cast(CommandModule, importlib.import_module(COMMANDS[name].module))


def _parser(chosen: str | None, command: CommandModule | None) -> argparse.ArgumentParser:
    """Every command is listed, only the chosen one gets its options: listing them needs no import."""
    parser = argparse.ArgumentParser(prog="python -m app", description="Oddity: see where a picture is anomalous.")
    parser.add_argument("--version", action="version", version=f"oddity {VERSION}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, entry in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=entry.summary, description=entry.summary.capitalize() + ".")
        if name == chosen and command is not None:
            command.add_arguments(subparser)
    return parser
