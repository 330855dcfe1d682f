"""The Teach tab's own components: what there is to learn from, the job with its curve, before and after, versions."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from app.ui.components import template

_COUNTS_HTML: Final = template("""
<section class="teach-counts">
  <h2>Corrections to learn from</h2>
  <ul>
    {{#each value.counts}}
    <li class="[[value.counts[{{@index}}].kind]]">
      <b>[[value.counts[{{@index}}].number]]</b><span>[[value.counts[{{@index}}].what]]</span>
    </li>
    {{/each}}
  </ul>
  <p>[[value.sentence]]</p>
</section>
""")

_JOB_HTML: Final = template("""
<section class="job [[value.tone]]">
  <header>
    <span class="badge" role="status">[[value.badge]]</span>
    <b>[[value.title]]</b><span class="spent">[[value.spent]]</span>
  </header>
  <p class="doing">[[value.doing]]</p>
  {{#if value.has_bar}}
  <div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100"
    aria-valuenow="[[value.percent]]"><i style="width:[[value.percent]]%"></i></div>
  {{/if}}
  {{#if value.curve}}
  <svg class="curve" viewBox="0 0 [[value.curve.width]] [[value.curve.height]]" role="img"
    aria-label="[[value.curve.title]]">
    {{#each value.curve.ticks}}
    <line class="grid" x1="[[value.curve.left]]" x2="[[value.curve.right]]"
      y1="[[value.curve.ticks[{{@index}}].y]]" y2="[[value.curve.ticks[{{@index}}].y]]"></line>
    <text class="tick" text-anchor="end" x="[[value.curve.left - 6]]"
      y="[[value.curve.ticks[{{@index}}].y + 4]]">[[value.curve.ticks[{{@index}}].text]]</text>
    {{/each}}
    {{#each value.curve.lines}}
    <polyline class="line [[value.curve.lines[{{@index}}].kind]]"
      points="[[value.curve.lines[{{@index}}].points]]"></polyline>
    {{/each}}
    {{#each value.curve.dots}}
    <circle class="dot" r="3" cx="[[value.curve.dots[{{@index}}].x]]" cy="[[value.curve.dots[{{@index}}].y]]"></circle>
    {{/each}}
    <text class="tick" x="[[value.curve.left]]" y="[[value.curve.height - 4]]">[[value.curve.first]]</text>
    <text class="tick" text-anchor="end" x="[[value.curve.right]]"
      y="[[value.curve.height - 4]]">[[value.curve.last]]</text>
  </svg>
  <p class="legend"><span class="training">loss while learning</span>
    {{#if value.curve.dots}}<span class="held-out">loss on held-out corrections</span>{{/if}}</p>
  {{/if}}
  {{#if value.waiting}}
  <h3>Waiting</h3>
  <ol>
    {{#each value.waiting}}
    <li><span>[[value.waiting[{{@index}}].title]]</span>
      <button type="button" data-job="[[value.waiting[{{@index}}].id]]">Take out</button></li>
    {{/each}}
  </ol>
  {{/if}}
</section>
""")

_JOB_JS: Final = """
element.addEventListener('click', (event) => {
  const id = event.target.dataset?.job;
  if (id) trigger('select', {id});
});
"""

_METRICS_HTML: Final = template("""
<section class="before-after [[value.tone]]">
  <h2>[[value.title]]</h2>
  <p class="sentence">[[value.sentence]]</p>
  {{#if value.rows}}
  <table>
    <thead>
      <tr><th rowspan="2" scope="col">Measure</th>
        {{#each value.sets}}<th colspan="3" scope="colgroup">[[value.sets[{{@index}}].title]]</th>{{/each}}</tr>
      <tr>
        {{#each value.sets}}
        <th scope="col">Before</th><th scope="col">After</th><th scope="col">Change</th>
        {{/each}}
      </tr>
    </thead>
    <tbody>
      {{#each value.rows}}
      <tr><th scope="row">[[value.rows[{{@index}}].name]]</th>
        {{#each this.cells}}
        <td class="[[value.rows[{{@../index}}].cells[{{@index}}].tone]]"
          >[[value.rows[{{@../index}}].cells[{{@index}}].text]]</td>
        {{/each}}
      </tr>
      {{/each}}
    </tbody>
  </table>
  {{/if}}
  {{#each value.notes}}<p class="note">[[value.notes[{{@index}}].text]]</p>{{/each}}
</section>
""")

_VERSIONS_HTML: Final = template("""
<section class="versions">
  <table>
    <thead><tr>
      <th scope="col">Version</th><th scope="col">Built on</th><th scope="col">How</th><th scope="col">When</th>
      <th scope="col">Who</th><th scope="col">Corrections</th><th scope="col">Held out: before → after</th>
    </tr></thead>
    <tbody>
      {{#each value.rows}}
      <tr class="[[value.rows[{{@index}}].tone]]">
        <th scope="row"><label style="padding-left:[[value.rows[{{@index}}].indent]]px">
          <input type="radio" name="version" value="[[value.rows[{{@index}}].id]]" {{#if this.chosen}}checked{{/if}}>
          <span>[[value.rows[{{@index}}].name]]</span>
          {{#if this.active}}<em>in use</em>{{/if}}</label></th>
        <td>[[value.rows[{{@index}}].parent]]</td><td>[[value.rows[{{@index}}].how]]</td>
        <td>[[value.rows[{{@index}}].when]]</td><td class="who">[[value.rows[{{@index}}].who]]</td>
        <td class="count">[[value.rows[{{@index}}].corrections]]</td>
        <td class="count">[[value.rows[{{@index}}].held_out]]</td>
      </tr>
      {{/each}}
    </tbody>
  </table>
</section>
""")

_VERSIONS_JS: Final = """
element.addEventListener('change', (event) => {
  if (event.target.name === 'version') trigger('select', {id: event.target.value});
});
"""


def _html(value: dict[str, Any], html_template: str, js_on_load: str | None, elem_id: str) -> gr.HTML:
    """A component that looks as the tab's style sheet says, not as Gradio's for texts."""
    return gr.HTML(value, html_template=html_template, js_on_load=js_on_load, apply_default_css=False, elem_id=elem_id)


def counts_panel(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """How many corrections there are, of which kind.

    Args:
        value: from `teach_views.counts_value`.
        elem_id: for the style sheet and the tests.
    """
    return _html(value, _COUNTS_HTML, None, elem_id)


def job_panel(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """What is being taught now, how far it is and what waits; "select" tells which waiting job is to be taken out.

    Args:
        value: from `teach_job_view.job_value`.
        elem_id: for the style sheet and the tests.
    """
    return _html(value, _JOB_HTML, _JOB_JS, elem_id)


def metrics_panel(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """A version's numbers beside those of what it was built on.

    Args:
        value: from `teach_views.metrics_value`.
        elem_id: for the style sheet and the tests.
    """
    return _html(value, _METRICS_HTML, None, elem_id)


def versions_table(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """All versions of a preset, the shipped head last; "select" tells which one was chosen.

    Args:
        value: from `teach_version_views.versions_value`.
        elem_id: for the style sheet and the tests.
    """
    return _html(value, _VERSIONS_HTML, _VERSIONS_JS, elem_id)


_SUGGESTIONS_HTML: Final = template("""
<section class="suggestions">
  <p>[[value.sentence]]</p>
  {{#if value.items}}
  <ul>
    {{#each value.items}}
    <li><button type="button" data-digest="[[value.items[{{@index}}].digest]]">
      <span class="thumb">{{#if this.picture}}<img alt="" src="[[value.items[{{@index}}].picture]]">{{/if}}</span>
      <b>[[value.items[{{@index}}].name]]</b>
      <span class="score">[[value.items[{{@index}}].score]]</span>
      <span class="why">[[value.items[{{@index}}].why]]</span>
    </button></li>
    {{/each}}
  </ul>
  {{/if}}
</section>
""")

_SUGGESTIONS_JS: Final = """
element.addEventListener('click', (event) => {
  const id = event.target.closest('[data-digest]')?.dataset.digest;
  if (id) trigger('select', {id});
});
"""


def suggestions_panel(value: dict[str, Any], elem_id: str) -> gr.HTML:
    """The pictures to label next; "select" tells which one is to be opened.

    Args:
        value: from `teach_tool_views.suggestions_value`.
        elem_id: for the style sheet and the tests.
    """
    return _html(value, _SUGGESTIONS_HTML, _SUGGESTIONS_JS, elem_id)
