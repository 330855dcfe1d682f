"""Components that Gradio lacks: an undecoded picture input, a choice with disabled entries, the verdict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeGuard

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
    if not is_uploaded(path):
        raise PictureError("The picture did not arrive as a file; upload it again.")
    return path


def uploaded_paths(payload: Any) -> list[str]:
    """The paths of the untouched files in what a file input sends.

    Raises:
        PictureError: no uploaded files came with it.
    """
    if payload is None:
        return []
    if not isinstance(payload, list) or not all(isinstance(entry, dict) for entry in payload):
        raise PictureError("The pictures did not arrive as files; upload them again.")
    return [path for path in map(uploaded_path, payload) if path is not None]


def is_uploaded(path: object) -> TypeGuard[str]:
    """Whether this is the path of something in the folder where Gradio keeps uploads."""
    return isinstance(path, str) and Path(path).resolve().is_relative_to(Path(get_upload_folder()).resolve())


# Gradio runs what Handlebars makes of a template once more, as a JavaScript template literal, and Handlebars lets `${`
# and backslashes through: a path or an error's sentence in {{value}} would be run as a script.  So texts never become
# part of the template: [[value.name]] stands for an expression that reads and escapes them when the literal is run.
_ESCAPED = "${String(%s ?? '').replace(/[&<>\"'`]/g, (sign) => '&#' + sign.charCodeAt() + ';')}"


def template(html: str) -> str:
    """A template for gr.HTML; Handlebars decides with {{#if}} and {{#each}} what is there, [[expression]] is a text."""
    return re.sub(r"\[\[(.+?)\]\]", lambda found: _ESCAPED % found[1], html)


_PICKER_HTML = template("""
<fieldset class="picker">
  <legend>Backbone</legend>
  {{#each value.options}}
  <div class="option {{#unless this.ready}}missing{{/unless}}">
    <label>
      <input type="radio" name="backbone" value="[[value.options[{{@index}}].name]]"
        {{#if this.chosen}}checked{{/if}} {{#unless this.ready}}disabled{{/unless}}>
      <span class="title">[[value.options[{{@index}}].title]]</span>
      <span class="state">[[value.options[{{@index}}].state]]</span>
    </label>
    {{#if this.how}}<details><summary>how to get it</summary><p>[[value.options[{{@index}}].how]]</p></details>{{/if}}
  </div>
  {{/each}}
</fieldset>
""")

_PICKER_JS = """
element.addEventListener('change', (event) => {
  if (event.target.name === 'backbone') trigger('select', {name: event.target.value});
});
"""


def preset_picker(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """A choice of presets of which some cannot be chosen; those say why and what to do (gr.Radio cannot).

    Args:
        value: from `presets.picker_value`.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(value, html_template=_PICKER_HTML, js_on_load=_PICKER_JS, elem_id=elem_id)


_VERDICT_HTML = template("""
<section class="verdict [[value.tone]]" aria-live="polite">
  <div class="score"><span class="number">[[value.score]]</span><span class="unit">[[value.unit]]</span></div>
  <div class="judgement">
    <span class="badge">[[value.verdict]]</span>
    <div class="gauge" title="[[value.gauge_title]]">
      <i class="band suspicious" style="left:[[value.suspicious_at]]%; right:[[value.above_threshold]]%"></i>
      <i class="band anomalous" style="left:[[value.threshold_at]]%"></i>
      <b style="left:[[value.score_at]]%"></b>
    </div>
  </div>
  <div class="how"><p>[[value.how]]</p><p class="spent">[[value.spent]]</p></div>
</section>
""")


def verdict_panel(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """Score, verdict and one line on how they came about.

    Args:
        value: from `views.verdict_value`.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(value, html_template=_VERDICT_HTML, js_on_load=None, elem_id=elem_id)


_HEADER_HTML = template("""
<header class="masthead">
  <h1>Oddity</h1><p>Zero-shot anomaly inspection</p>
  <span class="engine [[value.state]]" role="status"><i></i>[[value.text]]</span>
</header>
""")


def masthead(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """The page's first line: its name and which engine is loaded.

    Args:
        value: from `engine.EngineStatus.value`.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(value, html_template=_HEADER_HTML, js_on_load=None, elem_id=elem_id)
