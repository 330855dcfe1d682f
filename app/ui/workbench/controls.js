/** A button and a slider with a number beside it. */

import { h } from './dom.js';
import { icon } from './icons.js';

/** A button that leaves the focus where it was when it is clicked, so that keys go on working. */
export function button({ id, title, image, label = '', onclick, toggles = false }) {
  const element = h(
    'button',
    { type: 'button', title, onclick, class: label && 'with-label', 'aria-label': title, 'data-testid': id },
    image && icon(image),
    label && h('span', { class: 'label' }, label),
  );
  if (toggles) element.setAttribute('aria-pressed', 'false');
  element.addEventListener('mousedown', (event) => event.preventDefault());
  return element;
}

/** A slider with a name and a number that can be typed; `oninput` while it moves, `onchange` when it rests. */
export function slider(options) {
  const { id, label, title, min, max, step, value, unit, oninput, onchange = () => {}, curve = LINEAR } = options;
  const range = h('input', { type: 'range', 'data-testid': id, title, 'aria-label': label });
  const number = h('input', {
    type: 'number', class: 'number', 'data-testid': `${id}-number`, title, 'aria-label': `${label}, number`,
  });
  const track = h('span', { class: 'track' }, range);
  const element = h('div', { class: `slider ${id}` },
    h('span', { class: 'label' }, label), track, number, unit && h('span', { class: 'unit' }, unit));
  const control = { element, range, number, track, value };
  control.setBounds = (low, high, by) => {
    Object.assign(range, { min: 0, max: 1000, step: 1 });
    Object.assign(number, { min: low, max: high, step: by });
    Object.assign(control, { low, high, by });
  };
  control.show = (next) => {
    control.value = next;
    const { low, high } = control;
    range.value = next === null ? 0 : 1000 * curve.toTrack(Math.min(high, Math.max(low, next)), low, high);
    number.value = next === null ? '' : tidy(next, control.by);
    range.style.setProperty('--at', `${range.value / 10}%`);
    range.setAttribute('aria-valuetext', number.value);
  };
  const take = (next) => {
    control.show(Math.min(control.high, Math.max(control.low, snapped(next, control.by))));
    oninput(control.value);
  };
  const stepBy = (sign) => take((control.value ?? control.low) + sign * control.by);
  range.addEventListener('input', () => take(curve.fromTrack(range.value / 1000, control.low, control.high)));
  range.addEventListener('change', () => onchange(control.value));
  range.addEventListener('keydown', (event) => {
    const sign = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!sign || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    stepBy(sign);
    onchange(control.value);
  });
  number.addEventListener('change', () => {
    if (number.value === '' || !Number.isFinite(Number(number.value))) return control.show(control.value);
    take(Number(number.value));
    return onchange(control.value);
  });
  number.addEventListener('keydown', (event) => {
    if (['Enter', 'Escape'].includes(event.key)) giveBackFocus(number);
  });
  control.setBounds(min, max, step);
  control.show(value);
  return control;
}

export const LINEAR = {
  toTrack: (value, low, high) => (high > low ? (value - low) / (high - low) : 0),
  fromTrack: (at, low, high) => low + at * (high - low),
};

/** Finer at the small end: for sizes over several powers of ten. */
export const SQUARE = {
  toTrack: (value, low, high) => Math.sqrt(LINEAR.toTrack(value, low, high)),
  fromTrack: (at, low, high) => LINEAR.fromTrack(at * at, low, high),
};

/** Leave a field, which takes its value over, so that keys work again. */
export function giveBackFocus(field) {
  const editor = field.closest('[tabindex]');
  if (editor) editor.focus({ preventScroll: true });
  else field.blur();
}

function snapped(value, by) {
  return Number(tidy(Math.round(value / by) * by, by));
}

/** As many decimals as the step has. */
function tidy(value, by) {
  return value.toFixed(Math.max(0, Math.ceil(-Math.log10(by) - 1e-9)));
}
