/** The overlay that lists all keys, from the same table that decides what they do. */

import { h } from './dom.js';
import { GESTURES, KEYS } from './keys.js';

export class Help {
  constructor() {
    const groups = [...new Set(KEYS.map(({ group }) => group))];
    const sections = groups.map((name) => section(name, rowsOf(KEYS.filter(({ group }) => group === name))));
    const close = h('button', {
      type: 'button', class: 'close', title: 'Close the help', 'aria-label': 'Close the help',
      onclick: () => this.toggle(),
    }, '×');
    this.element = h(
      'div', { class: 'help', role: 'dialog', 'aria-label': 'Keys', 'data-testid': 'help', hidden: true, tabindex: -1 },
      h('header', {}, h('h3', {}, 'Keys'), h('p', {}, 'They act while the workbench has the focus.'), close),
      h('div', { class: 'sections' }, ...sections, section('Hands', GESTURES)),
    );
    this.before = null;
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Opening takes the focus, closing gives it back. */
  toggle() {
    this.element.hidden = this.isOpen;
    if (this.isOpen) {
      this.before = document.activeElement;
      this.element.focus({ preventScroll: true });
    } else this.before?.focus({ preventScroll: true });
  }
}

/** Layers are nine keys and one line. */
function rowsOf(keys) {
  const layers = keys.filter(({ command }) => command === 'layer');
  const rows = keys.filter((key) => !layers.includes(key) || key === layers[0]);
  return rows.map((key) => (key === layers[0] ? ['1 – 9', 'Map of a single layer'] : [key.label, key.title]));
}

function section(name, rows) {
  const lines = rows.flatMap(([key, what]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, what)]);
  return h('section', {}, h('h4', {}, name), h('dl', {}, ...lines));
}
