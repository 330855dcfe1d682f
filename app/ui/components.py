"""Components that Gradio lacks: an undecoded picture input, a choice with disabled entries, the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from models.errors import PictureError


def picture_input(**settings: Any) -> gr.Image:
    """A picture input whose events must be connected with preprocess=False.

    Gradio would decode the file: 16-bit pictures would turn black and white, and a file that is no picture would end
    in its error instead of our loader's sentence.  (Not a subclass: Gradio writes a stub beside a subclass's source.)

    Args:
        settings: those of gr.Image.
    """
    return gr.Image(type="filepath", image_mode=None, format="png", **settings)


def uploaded_path(payload: dict[str, Any] | None) -> str | None:
    """The path of the untouched file in what a picture input sends, or None when it is empty.

    Raises:
        PictureError: no uploaded file came with it.
    """
    if payload is None:
        return None
    path = payload.get("path")
    # Gradio checks only payloads that are marked as files; without the mark a caller could name any path of the server.
    if not isinstance(path, str) or not Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise PictureError("The picture did not arrive as a file; upload it again.")
    return path


_PICKER_HTML = """
<fieldset class="picker">
  <legend>Backbone</legend>
  {{#each value.options}}
  <div class="option {{#unless this.ready}}missing{{/unless}}">
    <label>
      <input type="radio" name="backbone" value="{{this.name}}"
        {{#if this.chosen}}checked{{/if}} {{#unless this.ready}}disabled{{/unless}}>
      <span class="title">{{this.title}}</span>
      <span class="state">{{this.state}}</span>
    </label>
    {{#if this.how}}<details><summary>how to get it</summary><p>{{this.how}}</p></details>{{/if}}
  </div>
  {{/each}}
</fieldset>
"""

_PICKER_JS = """
element.addEventListener('change', (event) => {
  if (event.target.name === 'backbone') trigger('select', {name: event.target.value});
});
"""


def preset_picker(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """A choice of presets of which some cannot be chosen; those say why and what to do (gr.Radio cannot).

    Args:
        value: from `presets.picker_value`; Handlebars escapes it.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(value, html_template=_PICKER_HTML, js_on_load=_PICKER_JS, elem_id=elem_id)


_VERDICT_HTML = """
<section class="verdict {{value.tone}}" aria-live="polite">
  <div class="score"><span class="number">{{value.score}}</span><span class="unit">{{value.unit}}</span></div>
  <div class="judgement">
    <span class="badge">{{value.verdict}}</span>
    <div class="gauge" title="{{value.gauge_title}}">
      <i class="band suspicious" style="left:{{value.suspicious_at}}%; right:{{value.above_threshold}}%"></i>
      <i class="band anomalous" style="left:{{value.threshold_at}}%"></i>
      <b style="left:{{value.score_at}}%"></b>
    </div>
  </div>
  <div class="how"><p>{{value.how}}</p><p class="spent">{{value.spent}}</p></div>
</section>
"""


def verdict_panel(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """Score, verdict and one line on how they came about.

    Args:
        value: from `views.verdict_value`; Handlebars escapes it.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(value, html_template=_VERDICT_HTML, js_on_load=None, elem_id=elem_id)


_HEADER_HTML = """
<header class="masthead">
  <h1>Oddity</h1><p>Zero-shot anomaly inspection</p>
  <span class="engine {{value.state}}" role="status"><i></i>{{value.text}}</span>
</header>
"""


def masthead(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """The page's first line: its name and which engine is loaded.

    Args:
        value: from `engine.EngineStatus.value`; Handlebars escapes it.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(value, html_template=_HEADER_HTML, js_on_load=None, elem_id=elem_id)
