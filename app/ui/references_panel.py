"""The panel "Normal pictures for reference": drop what normal looks like, and how it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.services.reference_fusing import UNCALIBRATED_WEIGHT
from app.ui import reference_views as views
from app.ui.components import template
from app.ui.session import Session

_LIST_HTML = template("""
<div class="references">
  {{#if value.pictures}}
  <ul>
    {{#each value.pictures}}
    <li>
      <img src="[[value.pictures[{{@index}}].thumbnail]]" alt="[[value.pictures[{{@index}}].name]]"
        title="[[value.pictures[{{@index}}].name]]">
      <button type="button" data-digest="[[value.pictures[{{@index}}].digest]]" title="Remove"
        aria-label="Remove [[value.pictures[{{@index}}].name]]">&times;</button>
    </li>
    {{/each}}
  </ul>
  <p class="count">[[value.count]] <button type="button" data-all="yes">Remove all</button></p>
  {{/if}}
  {{#each value.told}}<p class="told">[[value.told[{{@index}}].text]]</p>{{/each}}
</div>
""")

_LIST_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.all) trigger('clear', {});
  else if (button.dataset.digest) trigger('remove', {digest: button.dataset.digest});
});
"""

_SAYS_HTML = template("""
<div class="references-say" aria-live="polite">
  <p>[[value.what]]</p>
  {{#each value.doubts}}<p class="doubt">[[value.doubts[{{@index}}].text]]</p>{{/each}}
</div>
""")


@dataclass(frozen=True, slots=True)
class ReferencePanel:
    """The panel's components."""

    accordion: gr.Accordion
    files: gr.File
    from_workspace: gr.Button
    pictures: gr.HTML
    says: gr.HTML
    weight: gr.Slider
    by_rule: gr.Button
    rotations: gr.Checkbox
    flips: gr.Checkbox

    def inputs(self) -> list[Any]:
        """The components whose values are part of `Controls`, in its order."""
        return [self.rotations, self.flips]

    def of_result(self) -> list[Any]:
        """The components that every redraw changes, in the order of `shown.Shown`."""
        return [self.says, self.weight, self.by_rule]

    def outputs(self, session: gr.State) -> list[Any]:
        """The components that `reference_handlers.References` is for, in its order."""
        return [session, self.accordion, self.pictures, self.says]


def build_references_panel() -> ReferencePanel:
    """Put the panel where the caller's layout is."""
    with gr.Accordion(views.TITLE, open=False, elem_id="references") as accordion:
        files = gr.File(
            label="Normal pictures", show_label=False, file_count="multiple", height=96, elem_id="reference-files"
        )
        from_workspace = gr.Button("", size="sm", elem_id="references-workspace", visible=False)
        pictures = gr.HTML(
            views.list_value((), ()), html_template=_LIST_HTML, js_on_load=_LIST_JS, elem_id="reference-list"
        )
        says = gr.HTML(views.says_value(Session()), html_template=_SAYS_HTML, js_on_load=None, elem_id="references-say")
        with gr.Group():
            weight = gr.Slider(
                0.0,
                1.0,
                value=UNCALIBRATED_WEIGHT,
                step=0.01,
                label="Weight of the normal pictures",
                info="0 = the method alone, 1 = the normal pictures alone",
                interactive=False,
                elem_id="reference-weight",
                buttons=[],
            )
            by_rule = gr.Button("Back to the rule", size="sm", interactive=False, elem_id="reference-rule")
        with gr.Row(elem_classes="pair"):
            rotations = gr.Checkbox(
                label="Turned", info="lies any way round", elem_id="references-turned", min_width=90
            )
            flips = gr.Checkbox(label="Mirrored", info="either side up", elem_id="references-mirrored", min_width=90)
    return ReferencePanel(accordion, files, from_workspace, pictures, says, weight, by_rule, rotations, flips)
