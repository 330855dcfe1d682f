"""The named endpoint `list_versions`, which reads only; teaching itself is for the page and the command line."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.store.versions import Version
from app.store.workspace import Workspace
from app.ui.errors import shows_errors
from models.registry import DEFAULT_PRESET, get_preset


def build_teach_api(workspace: Workspace) -> None:
    """Add the endpoint to the caller's Blocks; nothing of it is seen on the page.

    Args:
        workspace: whose versions.
    """

    @shows_errors
    def list_versions(preset: str) -> dict[str, Any]:
        """List the taught versions of a preset, newest first.

        Args:
            preset: a preset's name, "visualad-dinov2-small" by default.

        Returns:
            JSON: versions (id, name, parent, mode, created_at, author, corrections, metrics), and the id of the active
            one, "" for the shipped head.
        """
        name = get_preset(preset or DEFAULT_PRESET).name
        shelf = workspace.versions
        return {"versions": [_json(version) for version in shelf.list(name)], "active": shelf.active(name) or ""}

    with gr.Row(visible=False):
        gr.Button("list_versions").click(
            list_versions,
            [gr.Textbox(DEFAULT_PRESET, label="preset")],
            [gr.JSON(label="versions")],
            api_name="list_versions",
            concurrency_id="lists",
            concurrency_limit=4,
        )


def _json(version: Version) -> dict[str, Any]:
    return {
        "id": version.id,
        "name": version.name,
        "parent": version.parent,
        "mode": version.mode,
        "created_at": version.created_at.isoformat(),
        "author": version.author,
        "corrections": len(version.revisions),
        "metrics": dict(version.metrics),
    }
