"""From Inspect to Correct: the picture on screen becomes an image of the workspace and is opened in the workbench."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import gradio as gr

from app.services.annotating import Annotator
from app.ui.correct_tab import CorrectTab
from app.ui.errors import shows_errors
from app.ui.session import Session
from app.ui.workbench_component import open_image
from app.ui.workbench_server import account_of
from models.errors import PictureError


def connect_correct_this(
    button: gr.Button, session: gr.State, tabs: gr.Tabs, tab_id: str, tab: CorrectTab, annotator: Annotator
) -> None:
    """Make the button of the Inspect tab open the session's picture in Correct.

    Args:
        button: in the Inspect tab.
        session: the visitor's state.
        tabs: of the page.
        tab_id: the Correct tab's.
        tab: its components.
        annotator: whose workspace gets the picture.
    """

    def correct(session: Session, request: gr.Request) -> tuple[Any, str, dict[str, Any]]:
        digest = add_picture(annotator, session, account_of(request))
        return gr.Tabs(selected=tab_id), session.preset, open_image(digest, session.preset)

    button.click(
        shows_errors(correct),
        session,
        [tabs, tab.preset, tab.workbench],
        show_progress="hidden",
        api_visibility="private",
    )


def add_picture(annotator: Annotator, session: Session, author: str) -> str:
    """Put the session's picture into the workspace and return its digest.

    Raises:
        PictureError: no picture is on screen, or its file is gone.
        StoreError: the workspace cannot be written to.
    """
    if session.picture is None:
        raise PictureError("There is nothing to correct yet; choose a picture first.")
    try:
        data = Path(session.picture.path).read_bytes()
    except OSError as error:
        raise PictureError(f"{session.picture.name} is no longer kept on the server; choose it again.") from error
    if hashlib.sha256(data).hexdigest() != session.picture.digest:
        raise PictureError(f"{session.picture.name} has changed on the server; choose the picture again.")
    return annotator.workspace.add_image(data, session.picture.name, author=author, origin="Inspect").image.digest
