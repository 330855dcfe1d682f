"""The named endpoints for corrections: what the Correct tab does, for gradio_client; MCP clients may only read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import gradio as gr

from app.services.annotating import Correction
from app.services.results import detailed_record, write_map_npy, write_mask_png
from app.store.masks import decode_png
from app.store.records import LABELS, STATES, Label, Mask
from app.store.rules import MAX_NOTE
from app.ui.components import picture_input, uploaded_path
from app.ui.correct_handlers import CorrectDesk
from app.ui.errors import shows_errors
from app.ui.workbench_protocol import Json, history_reply, item_json, queue_reply, saved_reply
from app.ui.workbench_requests import Fields, queue_request
from app.ui.workbench_server import account_of
from models.errors import DataError
from models.registry import DEFAULT_PRESET

Visibility = Literal["public", "undocumented"]
Handler = Callable[..., Any]


class CorrectApi:
    """The endpoints' handlers; their docstrings are the API's documentation."""

    def __init__(self, desk: CorrectDesk) -> None:
        """Serve a workspace."""
        self._desk = desk
        self._annotator = desk.annotator
        self._workspace = desk.annotator.workspace

    def add_image(self, file: dict[str, Any] | None, request: gr.Request) -> Json:
        """Add a picture to the workspace; one that is there already is recognised by its bytes.

        Args:
            file: the picture, in any common format.

        Returns:
            JSON: digest (names the image in every other call), name, width, height, state, and is_new.
        """
        path = uploaded_path(file)
        if path is None:
            raise DataError("No picture was sent; give one as `file`.")
        added = self._workspace.add_image(
            Path(path).read_bytes(), Path(path).name, author=account_of(request), origin="API"
        )
        return {**item_json(self._workspace.item(added.image.digest)), "is_new": added.is_new}

    def propose(self, digest: str, preset: str) -> tuple[Json, str, str]:
        """Get what a preset finds in an image of the workspace; stored once per preset, checkpoint and settings.

        Args:
            digest: the image.
            preset: a preset's name, "visualad-dinov2-small" by default; with "+normals" behind it the image is compared
                with the workspace's confirmed normals too.

        Returns:
            The result as JSON (proposal, score, threshold, verdict, regions), the mask as PNG, the map as float32 .npy.
        """
        wanted = Fields({"digest": digest}).digest()
        proposal, inspection = self._annotator.propose(wanted, preset or DEFAULT_PRESET)
        folder = self._desk.scratch.folder()
        record = detailed_record(inspection)
        record["picture"] = record.pop("path")  # gradio_client takes whatever has a "path" for a file to fetch
        record["proposal"] = proposal.id
        mask = write_mask_png(inspection, folder / f"{wanted[:12]}.mask.png")
        return record, str(mask), str(write_map_npy(inspection, folder / f"{wanted[:12]}.map.npy"))

    def save_correction(
        self,
        digest: str,
        label: str,
        mask: dict[str, Any] | None,
        author: str,
        note: str,
        based_on: float | None,
        classes: Any,
        proposal: float | None,
        request: gr.Request,
    ) -> Json:
        """Save a correction as a new revision; nothing is ever overwritten.

        Args:
            digest: the image.
            label: "normal" (with an empty mask or none), "anomalous" or "unsure".
            mask: a PNG of the image's size with 0 and 255 only; None = nobody marked the pixels.
            author: who corrected; the account's name goes first where people log in.
            note: free text.
            based_on: number of the revision you saw, 0 for none; later ones are listed in the answer.
            classes: names of regions, [{"x": 10, "y": 20, "name": "crack"}], each through a pixel of its region.
            proposal: number of the proposal that the mask started from, as `propose` gave it; 0 for none.

        Returns:
            JSON: revision, overtaken (revisions that others saved meanwhile), and item.
        """
        fields = Fields({
            "digest": digest, "label": label, "author": author, "note": note, "based_on": based_on,
            "classes": _list_of(classes), "proposal": proposal or None,
        })  # fmt: skip
        correction = Correction(
            label=cast(Label, fields.one_of("label", LABELS)),
            mask=_mask_of(mask),
            author=account_of(request) or fields.text("author"),
            classes=fields.classes(),
            note=fields.text("note", MAX_NOTE),
            based_on=fields.number("based_on"),
            proposal_id=fields.optional_number("proposal"),
            through_api=True,
        )
        saved = self._annotator.save(fields.digest(), correction)
        return saved_reply(saved, self._workspace.item(saved.revision.image_digest))

    def list_images(self, state: str, sort: str, offset: float, limit: float) -> Json:
        """List the workspace's images.

        Args:
            state: "new", "proposed", "corrected", "confirmed", "unsure", or "" for all.
            sort: "newest", "oldest", "score", "uncertainty", "benefit" (most to learn from first) or "name".
            offset: how many to leave out at the beginning.
            limit: how many to list, 200 at most.

        Returns:
            JSON: items, total (that match), counts (of every state) and version.
        """
        states = [state] if state else []
        asked = queue_request({"states": states, "sort": sort or "newest", "offset": offset, "limit": limit})
        return queue_reply(
            self._workspace.queue(states=asked.states, sort=asked.sort, offset=asked.offset, limit=asked.limit)
        )

    def history(self, digest: str) -> Json:
        """List all revisions of an image, newest first.

        Args:
            digest: the image.

        Returns:
            JSON: revisions.
        """
        return history_reply(self._workspace.history(Fields({"digest": digest}).digest()))

    def export(self, format: str) -> tuple[str, Json]:
        """Write every annotated image and its annotation as a zip.

        Args:
            format: "mvtec", "coco", "yolo-seg", "labelme", "label-studio", "hf-datasets" or "masks".

        Returns:
            The zip, and as JSON a report of what was left out.
        """
        path, text = self._desk.export(format)
        return path, {"report": text.splitlines()}


def build_correct_api(desk: CorrectDesk, *, writes: Visibility = "public") -> None:
    """Add the endpoints to the caller's Blocks; nothing of them is seen on the page.

    Args:
        desk: what the handlers work with.
        writes: "undocumented" keeps those that change the workspace from MCP clients.
    """
    api = CorrectApi(desk)
    files: dict[str, Any] = {"concurrency_id": "files", "concurrency_limit": 2}
    model: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": writes}
    reads: dict[str, Any] = {"concurrency_id": "lists", "concurrency_limit": 4}
    with gr.Row(visible=False):
        digest, preset = gr.Textbox(label="digest"), gr.Textbox(DEFAULT_PRESET, label="preset")
        record, report = gr.JSON(label="result"), gr.JSON(label="report")
        file_out, map_out = gr.File(label="file"), gr.File(label="map")
        correction = [
            digest,
            gr.Dropdown(list(LABELS), value="anomalous", label="label"),
            gr.File(label="mask"),
            gr.Textbox("", label="author"),
            gr.Textbox("", label="note"),
            gr.Number(0, label="based_on"),
            gr.JSON([], label="classes"),
            gr.Number(0, label="proposal"),
        ]
        listing = [
            gr.Dropdown(["", *STATES], value="", label="state"),
            gr.Textbox("newest", label="sort"),
            gr.Number(0, label="offset"),
            gr.Number(50, label="limit"),
        ]
        _add(api.add_image, [picture_input(label="file")], [record], files | {"api_visibility": writes})
        _add(api.propose, [digest, preset], [record, file_out, map_out], model)
        _add(api.save_correction, correction, [record], files | {"api_visibility": writes})
        _add(api.list_images, listing, [record], reads)
        _add(api.history, [digest], [record], reads)
        _add(api.export, [gr.Textbox("mvtec", label="format")], [file_out, report], files)


def _add(handler: Handler, inputs: list[Any], outputs: list[Any], settings: dict[str, Any]) -> None:
    """Name the endpoint as its handler is called; values arrive as they were sent."""
    name = handler.__name__
    gr.Button(name).click(shows_errors(handler), inputs, outputs, preprocess=False, api_name=name, **settings)


def _mask_of(payload: dict[str, Any] | None) -> Mask | None:
    path = uploaded_path(payload)
    return None if path is None else decode_png(Path(path).read_bytes(), "The mask")


def _list_of(classes: Any) -> Any:
    """Classes as a list; JSON text is read too."""
    if not isinstance(classes, str):
        return classes
    try:
        return json.loads(classes or "[]")
    except json.JSONDecodeError as error:
        raise DataError(f"`classes` is not JSON ({error}); send a list of {{x, y, name}}.") from error
