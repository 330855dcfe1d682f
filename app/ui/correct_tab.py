"""The Correct tab: a toolbar for import, proposals and export, and the workbench below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.store.exchange.formats import FORMATS
from app.ui.correct_handlers import CorrectDesk
from app.ui.downloads import CLICK
from app.ui.errors import shows_errors, shows_errors_of_steps
from app.ui.folder_import import arrived_zip, folder_import, refuse
from app.ui.presets import proposal_choices
from app.ui.workbench_component import refresh, use_preset, workbench
from app.ui.workbench_server import account_of
from models.registry import DEFAULT_PRESET

_PROGRESS = gr.Progress()
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# One visitor's import or export must not hold up another's pictures; the database serialises what has to be.
_FILES: dict[str, Any] = {"concurrency_id": "files", "concurrency_limit": 2, "api_visibility": "private"}


@dataclass(frozen=True, slots=True)
class CorrectTab:
    """The tab's components."""

    preset: gr.Dropdown
    files: gr.UploadButton
    folder: gr.HTML
    propose: gr.Button
    stop: gr.Button
    format: gr.Dropdown
    export: gr.Button
    exported: gr.DownloadButton
    status: gr.Textbox
    report: gr.Textbox
    workbench: gr.HTML


def build_correct_tab(desk: CorrectDesk) -> CorrectTab:
    """Put the tab where the caller's layout is and connect it.

    Args:
        desk: what the handlers work with.
    """
    statuses = desk.annotator.proposer.inspector.statuses()
    with gr.Row(elem_id="correct-toolbar", elem_classes="toolbar", equal_height=True):
        files = gr.UploadButton(
            "Import pictures or a zip", file_count="multiple", size="sm", scale=0, elem_id="import-files", min_width=170
        )
        folder = folder_import("Import a folder", "import-folder")
        preset = _choice(proposal_choices(statuses), DEFAULT_PRESET, "Proposals by", "correct-preset")
        propose = gr.Button("Propose for all", size="sm", scale=0, elem_id="propose-all", min_width=120)
        stop = gr.Button(
            "Stop", size="sm", scale=0, elem_id="propose-stop", min_width=70, variant="stop", visible=False
        )
        status = gr.Textbox(
            "", interactive=False, container=False, show_label=False, lines=1, max_lines=1, scale=1, min_width=120,
            elem_id="correct-status", label="What was done last",
        )  # fmt: skip
        choices = [(entry.title, name) for name, entry in FORMATS.items()]
        format_name = _choice(choices, next(iter(FORMATS)), "Export format", "export-format")
        export = gr.Button("Export", size="sm", scale=0, elem_id="export", min_width=80)
        exported = gr.DownloadButton(visible="hidden", elem_id="exported")
    # Plain text: what a file is called must not become markup.
    report = gr.Textbox(
        visible=False, interactive=False, container=False, show_label=False, lines=2, max_lines=6,
        elem_id="correct-report", label="Report",
    )  # fmt: skip
    bench = workbench(desk.annotator, DEFAULT_PRESET, "workbench")
    tab = CorrectTab(preset, files, folder, propose, stop, format_name, export, exported, status, report, bench)
    _connect_import(tab, desk)
    _connect_proposals(tab, desk)
    _connect_export(tab, desk)
    return tab


def build_problem(problem: str) -> None:
    """What stands in the tab's place where there is no workspace.

    Args:
        problem: why, in a sentence.
    """
    gr.Textbox(
        f"{problem}\nInspect works as ever; Correct needs a workspace. Choose its folder with --workspace.",
        label="Correct is not available",
        interactive=False,
        lines=2,
        elem_id="correct-problem",
    )


def _choice(choices: list[tuple[str, str]], value: str, label: str, elem_id: str) -> gr.Dropdown:
    return gr.Dropdown(
        choices, value=value, label=label, show_label=False, container=False, scale=0, min_width=250, elem_id=elem_id
    )


def _told(text: str) -> tuple[str, Any]:
    """Values of status and report: the first line, and the whole where there is more to read."""
    lines = text.splitlines()
    return lines[0], gr.update(value=text, visible=len(lines) > 1, lines=min(6, len(lines)))


def _connect_import(tab: CorrectTab, desk: CorrectDesk) -> None:
    """Uploads go into the workspace; what was refused stands in the report."""

    def take_in(paths: list[str] | None, preset: str, request: gr.Request, progress: gr.Progress = _PROGRESS) -> Any:
        def tell(done: int, total: int) -> None:
            progress((done, max(total, 1)), desc="Importing", unit="images")

        return *_told(desk.take_in(paths, account_of(request), tell)), refresh(preset)

    def take_in_folder(preset: str, event: gr.EventData, request: gr.Request, progress: gr.Progress = _PROGRESS) -> Any:
        with arrived_zip(event) as path:
            return take_in([str(path)], preset, request, progress)

    shown: dict[str, Any] = {
        "outputs": [tab.status, tab.report, tab.workbench], "show_progress_on": tab.status, **_FILES,
    }  # fmt: skip
    tab.files.upload(shows_errors(take_in), [tab.files, tab.preset], **shown)
    tab.folder.upload(shows_errors(take_in_folder), tab.preset, **shown)
    tab.folder.refuse(shows_errors(refuse), concurrency_limit=None, **_QUIET)


def _connect_proposals(tab: CorrectTab, desk: CorrectDesk) -> None:
    """Another preset proposes from now on; all images at once can be stopped between two of them."""

    def propose_all(preset: str) -> Iterator[Any]:
        for text in desk.propose_all(preset):
            yield _told(text)

    def running(is_running: bool) -> tuple[Any, Any]:
        return gr.update(visible=not is_running), gr.update(visible=is_running)

    tab.preset.input(use_preset, tab.preset, tab.workbench, **_QUIET)
    buttons = [tab.propose, tab.stop]
    started = tab.propose.click(lambda: running(True), None, buttons, **_QUIET)
    # Apart from "model": the inspector's lock takes turns picture by picture, so nobody waits for the whole queue.
    proposing = started.then(
        shows_errors_of_steps(propose_all),
        tab.preset,
        [tab.status, tab.report],
        concurrency_id="propose-all",
        concurrency_limit=1,
        **_QUIET,
    )
    proposing.then(lambda: running(False), None, buttons, **_QUIET)
    tab.stop.click(lambda: running(False), None, buttons, cancels=[proposing], **_QUIET)


def _connect_export(tab: CorrectTab, desk: CorrectDesk) -> None:
    """The zip is made by a button; a hidden download button then hands it to the browser."""

    def make_zip(format_name: str) -> tuple[str, str, Any]:
        path, text = desk.export(format_name)
        return path, *_told(text)

    tab.export.click(
        shows_errors(make_zip),
        tab.format,
        [tab.exported, tab.status, tab.report],
        show_progress_on=tab.status,
        **_FILES,
    ).success(fn=None, js=CLICK % "exported")
