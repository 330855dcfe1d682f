"""The Teach tab: what there is to learn from and the button on the left, what comes of it beside and below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.ui.teach_choices import MOST_STEPS, QUICK, mode_choices, teachable
from app.ui.teach_components import counts_panel, job_panel, metrics_panel
from app.ui.teach_handlers import Seen, TeachDesk
from app.ui.teach_job_view import job_value
from app.ui.teach_tools import TeachTools, build_tools
from app.ui.teach_versions_panel import VersionsPanel, build_versions
from app.ui.teach_views import Counts, counts_value, metrics_value


@dataclass(frozen=True, slots=True)
class TeachTab:
    """The tab's components."""

    seen: gr.State
    chosen: gr.State  # the version that panels and buttons are about
    finished: gr.State  # the version that was taught last while the page looked on
    timer: gr.Timer
    counts: gr.HTML
    to_correct: gr.Button
    preset: gr.Dropdown
    mode: gr.Radio
    flips: gr.Checkbox
    steps: gr.Number
    teach: gr.Button
    cancel: gr.Button
    resume: gr.Button
    job: gr.HTML
    metrics: gr.HTML
    use: gr.Button
    keep: gr.Button
    draw: gr.Button
    sheet: gr.Image
    versions: VersionsPanel
    tools: TeachTools
    told: gr.Textbox

    def followed(self) -> list[Any]:
        """The components that `teach_handlers.Followed` is for, in its order."""
        return [self.job, self.cancel, self.resume, self.timer, self.seen, self.chosen, self.finished]

    def overview(self) -> list[Any]:
        """The components that `teach_handlers.Overview` is for, in its order."""
        panel = self.versions
        return [
            self.chosen, self.counts, self.teach, self.metrics, self.use, self.keep, self.draw,
            panel.table, panel.activate, panel.roll_back, panel.delete, panel.export, panel.left, panel.right,
        ]  # fmt: skip


def build_teach_tab(desk: TeachDesk) -> TeachTab:
    """Put the tab where the caller's layout is; `teach_events.connect` makes it work.

    Args:
        desk: what the handlers work with.
    """
    presets = teachable(desk.annotator.proposer.inspector.statuses())
    seen, chosen, finished, timer = gr.State(Seen()), gr.State(""), gr.State(""), gr.Timer(1.0, active=False)
    with gr.Row(elem_id="teach", equal_height=False):
        with gr.Column(scale=0, min_width=340, elem_id="teach-settings"):
            counts = counts_panel(counts_value(Counts(), "the version in use"), "teach-counts")
            to_correct = gr.Button("Correct pictures", size="sm", elem_id="teach-to-correct")
            first = presets[0][1]
            preset = gr.Dropdown(presets, value=first, label="What is taught", elem_id="teach-preset")
            mode = gr.Radio(mode_choices(first), value=QUICK, label="How", elem_id="teach-mode")
            flips = gr.Checkbox(
                label="Objects without a fixed pose (mirrored and turned copies are shown too)", elem_id="teach-flips"
            )
            with gr.Accordion("Steps", open=False, elem_id="teach-more"):
                steps = gr.Number(
                    None, label="Steps at most", info="Empty: the mode's own; it stops early by itself.",
                    minimum=1, maximum=MOST_STEPS, precision=0, elem_id="teach-steps",
                )  # fmt: skip
            with gr.Row(elem_classes="pair"):
                teach = gr.Button("Teach", variant="primary", elem_id="teach-start", interactive=False, scale=2)
                cancel = gr.Button("Cancel", variant="stop", elem_id="teach-cancel", visible=False, scale=1)
            resume = gr.Button("Go on where it stopped", size="sm", elem_id="teach-resume", visible=False)
        with gr.Column(scale=1, min_width=520, elem_id="teach-results"):
            job = job_panel(job_value([], []), "teach-job")
            metrics = metrics_panel(metrics_value(None, "", False), "teach-metrics")
            with gr.Row(elem_classes="decision"):
                use = gr.Button("Use the new one", size="sm", elem_id="teach-use", interactive=False)
                keep = gr.Button("Keep the old one", size="sm", elem_id="teach-keep", interactive=False)
                draw = gr.Button("Show the held-out pictures", size="sm", elem_id="teach-draw", interactive=False)
            # Plain text: names are people's.
            told = gr.Textbox(
                "", interactive=False, container=False, show_label=False, lines=1, max_lines=3, elem_id="teach-told",
                label="What was done last",
            )  # fmt: skip
            sheet = gr.Image(
                label="Held-out pictures, before and after", format="png", interactive=False, visible=False,
                elem_id="teach-sheet", buttons=["fullscreen"],
            )  # fmt: skip
    with gr.Column(elem_id="teach-below"):
        versions = build_versions()
        tools = build_tools()
    return TeachTab(
        seen, chosen, finished, timer, counts, to_correct, preset, mode, flips, steps, teach, cancel, resume, job,
        metrics, use, keep, draw, sheet, versions, tools, told,
    )  # fmt: skip


def build_teach_problem(problem: str) -> None:
    """What stands in the tab's place where there is no workspace.

    Args:
        problem: why, in a sentence.
    """
    gr.Textbox(
        f"{problem}\nInspect works as ever; Teach needs a workspace. Choose its folder with --workspace.",
        label="Teach is not available",
        interactive=False,
        lines=2,
        elem_id="teach-problem",
    )
