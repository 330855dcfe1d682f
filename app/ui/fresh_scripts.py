"""How browsers keep the workbench's scripts: they ask before each use.

Gradio sends them without Cache-Control, so a browser uses its copy for a tenth of the file's age without asking; after
an upgrade it would mix old modules with new ones.  A version in the entry's URL would not reach the modules it imports.
"""

from __future__ import annotations

from typing import Final

from gradio.route_utils import API_PREFIX
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.ui.workbench_component import SCRIPTS

_PATH: Final = f"{API_PREFIX}/file={SCRIPTS}"


class FreshScripts:
    """ASGI middleware that adds the header to answers from the scripts' folder."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or _PATH not in scope["path"]:
            await self._app(scope, receive, send)
            return

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["cache-control"] = "no-cache"
            await send(message)

        await self._app(scope, receive, send_with_header)
