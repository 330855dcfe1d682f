"""What the workbench in the browser may call: one JSON object in, one out, and nothing is raised."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from app.services.annotating import Annotator
from app.store.errors import StoreError
from app.store.records import Saved
from app.ui.errors import UNEXPECTED
from app.ui.image_urls import image_url
from app.ui.workbench_protocol import (
    Json,
    history_reply,
    mask_json,
    opened_reply,
    queue_reply,
    saved_reply,
    thumbnails_reply,
)
from app.ui.workbench_requests import Fields, correction_request, queue_request
from models.errors import DataError, ExpectedError

_log = logging.getLogger(__name__)


class WorkbenchServer:
    """The workbench's functions; every method takes a request and the account that is logged in ("" for none)."""

    def __init__(self, annotator: Annotator) -> None:
        """Serve a workspace."""
        self._annotator = annotator
        self._workspace = annotator.workspace

    def functions(self) -> list[Callable[..., Json]]:
        """The functions as `gr.HTML(server_functions=...)` wants them."""
        table: dict[str, Callable[[object, str], Json]] = {
            "queue_page": self.queue_page,
            "thumbnails": self.thumbnails,
            "open_image": self.open_image,
            "save": self.save,
            "remove": self.remove,
            "restore": self.restore,
            "history": self.history,
            "revision_mask": self.revision_mask,
            "snap": self.snap,
            "changes": self.changes,
        }
        return [_answering(name, method) for name, method in table.items()]

    def queue_page(self, request: object, account: str) -> Json:
        """{states, sort, offset, limit} -> {items, total, counts, version, workspace}."""
        asked = queue_request(request)
        if asked.sort == "benefit" and asked.offset == 0:
            self._annotator.next_to_label.refresh_if_stale()
        page = self._workspace.queue(states=asked.states, sort=asked.sort, offset=asked.offset, limit=asked.limit)
        return {**queue_reply(page), "workspace": self._workspace.identity}

    def thumbnails(self, request: object, account: str) -> Json:
        """{digests} -> {thumbnails}."""
        return thumbnails_reply(self._annotator.thumbnails.many(Fields(request).digests()))

    def open_image(self, request: object, account: str) -> Json:
        """{digest, preset} -> everything the editor needs."""
        fields = Fields(request)
        digest = fields.digest()
        opened = self._annotator.open(digest, fields.text("preset"))
        return opened_reply(opened, image_url(opened.picture, self._workspace.image_path(digest)))

    def save(self, request: object, account: str) -> Json:
        """A correction -> {revision, overtaken, repeated, item}."""
        self._refuse_other_workspace(Fields(request).text("workspace"))
        digest, correction = correction_request(request, account)
        return self._saved(self._annotator.save(digest, correction))

    def remove(self, request: object, account: str) -> Json:
        """{digest, author, based_on, save_id} -> as `save`."""
        fields = Fields(request)
        deleted = self._workspace.delete(
            fields.digest(),
            author=account or fields.text("author"),
            based_on=fields.number("based_on"),
            save_id=fields.text("save_id"),
        )
        return self._saved(deleted)

    def restore(self, request: object, account: str) -> Json:
        """{digest, number, author, based_on, save_id} -> as `save`, and the mask."""
        fields = Fields(request)
        restored = self._workspace.restore(
            fields.digest(),
            fields.number("number", low=1),
            author=account or fields.text("author"),
            based_on=fields.number("based_on"),
            save_id=fields.text("save_id"),
        )
        return {**self._saved(restored), "mask": self._mask(restored.revision.mask_digest)}

    def history(self, request: object, account: str) -> Json:
        """{digest} -> {revisions}."""
        return history_reply(self._workspace.history(Fields(request).digest()))

    def revision_mask(self, request: object, account: str) -> Json:
        """{digest, number} -> {mask}."""
        fields = Fields(request)
        revision = self._workspace.revision(fields.digest(), fields.number("number", low=1))
        return {"mask": self._mask(revision.mask_digest)}

    def snap(self, request: object, account: str) -> Json:
        """{digest, mask} -> {mask}, its boundary moved to the image's edges."""
        fields = Fields(request)
        mask = fields.mask()
        if mask is None:
            raise DataError("There is no mask to move to the image's edges; paint a region first.")
        return {"mask": mask_json(self._annotator.snap(fields.digest(), mask))}

    def changes(self, request: object, account: str) -> Json:
        """{since} -> {version, changed, counts}."""
        since = Fields(request).number("since")
        page = self._workspace.queue(limit=1)
        changed = self._workspace.changed_since(since) if page.version > since else ()
        return {"version": page.version, "changed": list(changed), "counts": dict(page.counts)}

    def _refuse_other_workspace(self, identity: str) -> None:
        """A page may outlive its server: what was drawn in one workspace must not land in the next one."""
        if identity and identity != self._workspace.identity:
            raise StoreError(
                "The server keeps another workspace now; reload the page. Your work stays in this browser until the "
                "server is started with its workspace again."
            )

    def _saved(self, saved: Saved) -> Json:
        return saved_reply(saved, self._workspace.item(saved.revision.image_digest))

    def _mask(self, mask_digest: str | None) -> Json | None:
        return None if mask_digest is None else mask_json(self._workspace.mask(mask_digest))


def account_of(request: Any) -> str:
    """Who is logged in at the page that a request comes from, "" where nobody has to.

    Args:
        request: Gradio passes its own request to event handlers, and the web framework's to server functions.
    """
    username = getattr(request, "username", None)
    if isinstance(username, str):
        return username
    app = getattr(request, "app", None)
    tokens, cookie_id = getattr(app, "tokens", None), getattr(app, "cookie_id", None)
    if not tokens or cookie_id is None:
        return ""
    cookies = request.cookies
    token = cookies.get(f"access-token-{cookie_id}") or cookies.get(f"access-token-unsecure-{cookie_id}")
    return str(tokens.get(token) or "")


def _answering(name: str, method: Callable[[object, str], Json]) -> Callable[..., Json]:
    """The method under its public name; what it raises becomes {"error": sentence}."""

    def answer(request: Any, visit: gr.Request) -> Json:
        try:
            return method(request, account_of(visit))
        except ExpectedError as error:
            return {"error": str(error)}
        except Exception:  # noqa: BLE001 - the border to the browser: a sentence there, the traceback in the log
            _log.exception("unexpected error in %s", name)
            return {"error": UNEXPECTED}

    answer.__name__ = name
    return answer
