"""The options of every command that works on a workspace, and how they are turned into an open one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from app.config import AppConfig

if TYPE_CHECKING:
    from app.store.workspace import Workspace


def add_workspace_options(parser: argparse.ArgumentParser) -> None:
    """Declare --workspace and --database."""
    parser.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help="folder of pictures and annotations (default: ODDITY_WORKSPACE, else workspace)",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="database of the workspace, such as postgresql://USER@HOST/NAME"
        " (default: ODDITY_DATABASE, else the file oddity.db in the workspace)",
    )


def open_workspace(args: argparse.Namespace, *, create: bool = True) -> Workspace:
    """Open the workspace that the options name; options go over the environment.

    Args:
        args: parsed with the options of `add_workspace_options`.
        create: whether a workspace is made where there is none.
    Returns:
        The workspace; close it, or use it as a context manager.
    Raises:
        StoreError: it is not there, cannot be made, or its database cannot be reached.
        ExpectedError: the environment holds a setting that means nothing.
    """
    from app.store.workspace import Workspace

    config = AppConfig.from_environment()
    folder = args.workspace if args.workspace is not None else config.workspace
    database_url = args.database if args.database is not None else config.database
    return Workspace.open(folder, database_url, create=create)
