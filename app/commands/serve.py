"""`python -m app serve`: the page in a browser; the model is loaded once the page is up."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from app.commands.options import add_engine_options, config_from
from models.errors import ExpectedError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for any free one (default: 7860)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--mcp", action="store_true", help="also serve `inspect` to MCP clients")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head to use instead of the shipped one")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file that goes first")
    parser.add_argument("--workspace", type=Path, metavar="DIR", help="folder of the corrections (default: workspace)")
    parser.add_argument("--database", metavar="URL", help="the workspace's database (default: SQLite in its folder)")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until stopped.

    Raises:
        ExpectedError: the environment holds a setting that means nothing, or the port is taken.
    """
    config = config_from(args)
    given = {"host": args.host, "port": args.port, "workspace": args.workspace, "database": args.database}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    print("Starting the page …", file=sys.stderr, flush=True)

    from app.services.opening import open_workspace
    from app.ui.engine import Engine
    from app.ui.launch import Address, serve

    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    address = Address(host=config.host, port=config.port or None, open_browser=args.open, mcp=args.mcp)
    workspace = open_workspace(config.workspace, config.database)
    if isinstance(workspace, ExpectedError):
        print(f"Correct is not available: {workspace}", file=sys.stderr, flush=True)
    serve(Engine(where, config.device), workspace, address)
    return 0
