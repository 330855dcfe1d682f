/** The two rows above the image: tools, their settings, what changes the mask, and how it is seen. */

import { LARGEST_BRUSH } from './commands.js';
import { SQUARE, button, giveBackFocus, slider } from './controls.js';
import { h } from './dom.js';
import { titleOf } from './keys.js';

const LARGEST_RADIUS = 20;

const TOOLS = [
  ['brush', 'Brush'], ['erase', 'Erase'], ['polygon', 'Polygon'], ['wand', 'Wand'], ['keep', 'Keep / drop'],
];

export class Toolbar {
  /** @param {import('./bench.js').Bench} bench */
  constructor(bench) {
    this.bench = bench;
    this.buttons = []; // {element, command, argument, isOn}
    const names = { class: 'toolbar', role: 'toolbar', 'aria-label': 'Tools and settings', 'data-testid': 'toolbar' };
    this.element = h('div', names,
      h('div', { class: 'row' }, this.#tools(), this.#options(), this.#views()),
      h('div', { class: 'row' }, this.#history(), this.#filters(), h('span', { class: 'spring' }), this.#changes()));
  }

  refresh() {
    const { bench } = this;
    const { settings, annotation } = bench;
    for (const { element, command, argument, isOn } of this.buttons) {
      element.disabled = !bench.can(command, argument);
      if (isOn) element.setAttribute('aria-pressed', String(isOn(settings)));
    }
    this.sizeSlider.show(settings.size);
    this.fractionSlider.show(settings.fraction * 100);
    this.minArea.show(settings.minArea);
    this.opacity.show(settings.opacity * 100);
    this.radius.value = settings.radius;
    const painting = ['brush', 'erase'].includes(settings.tool);
    this.sizeSlider.element.hidden = !painting;
    this.fractionSlider.element.hidden = settings.tool !== 'wand';
    this.polygonModes.hidden = settings.tool !== 'polygon';
    this.hint.hidden = settings.tool !== 'keep';
    const { threshold } = this;
    if (annotation?.threshold !== threshold.value) threshold.show(annotation?.threshold ?? null);
    const still = !bench.isReady;
    for (const { range, number } of [this.sizeSlider, this.fractionSlider, this.minArea, this.opacity]) {
      range.disabled = still;
      number.disabled = still;
    }
    threshold.range.disabled = threshold.number.disabled = !bench.can('threshold');
    this.radius.disabled = still;
  }

  /** The open image has another map: its scale and its calibrated threshold bound the slider. */
  measure() {
    const { bench, threshold } = this;
    const { annotation, scale, calibrated } = bench;
    const isMarked = Boolean(annotation?.map) && calibrated !== null;
    this.mark.hidden = !isMarked;
    this.calibrate.hidden = !isMarked;
    const pixels = annotation ? annotation.width * annotation.height : 0;
    this.minArea.setBounds(0, Math.max(100, Math.round(pixels / 20)), 1);
    if (!annotation?.map) return;
    const [low, high] = boundsOf(annotation.map, scale, calibrated);
    threshold.setBounds(low, high, 10 ** Math.floor(Math.log10((high - low) / 500)));
    threshold.show(annotation.threshold);
    if (!isMarked) return;
    this.mark.style.setProperty('--at', String((calibrated - low) / (high - low)));
    this.mark.title = `Calibrated threshold: ${calibrated.toPrecision(4)}`;
  }

  #button(id, command, argument, { image, label, isOn } = {}) {
    const element = button({
      id, title: titleOf(command, argument), image, label, toggles: Boolean(isOn),
      onclick: () => this.bench.run(command, argument),
    });
    this.buttons.push({ element, command, argument, isOn });
    return element;
  }

  #tools() {
    const tool = ([name, label]) => {
      const [command, argument] = name === 'polygon' ? ['polygon', 'add'] : ['tool', name];
      const isOn = (settings) => settings.tool === name;
      return this.#button(`tool-${name}`, command, argument, { image: name, label, isOn });
    };
    return h('div', { class: 'group tools', role: 'group', 'aria-label': 'Tools' }, TOOLS.map(tool));
  }

  #options() {
    const { bench } = this;
    this.sizeSlider = slider({
      id: 'size', label: 'Size', title: 'Diameter of the brush in pixels of the image ([ and ])',
      min: 1, max: LARGEST_BRUSH, step: 1, value: 24, curve: SQUARE, unit: 'px', oninput: (size) => bench.set({ size }),
    });
    this.fractionSlider = slider({
      id: 'fraction', label: 'Level', title: 'How high pixels must be on the map, in % of the height where you clicked',
      min: 1, max: 100, step: 1, value: 60, unit: '%', oninput: (percent) => bench.set({ fraction: percent / 100 }),
    });
    const mode = (name, image, label) => this.#button(`polygon-${name}`, 'polygon', name,
      { image, label, isOn: ({ polygon }) => polygon === name });
    this.polygonModes = h('div', { class: 'group', role: 'group', 'aria-label': 'Polygon' },
      mode('add', 'plus', 'Add'), mode('subtract', 'minus', 'Subtract'));
    this.hint = h('span', { class: 'hint' }, 'Click a region to drop it; grey ones come back.');
    const options = [this.sizeSlider.element, this.fractionSlider.element, this.polygonModes, this.hint];
    return h('div', { class: 'options' }, options);
  }

  #views() {
    const { bench } = this;
    this.opacity = slider({
      id: 'opacity', label: 'Opacity', title: 'Opacity of the mask', min: 0, max: 100, step: 1, value: 50, unit: '%',
      oninput: (percent) => bench.set({ opacity: percent / 100, shown: true }),
    });
    return h('div', { class: 'together' }, this.opacity.element,
      h('div', { class: 'group', role: 'group', 'aria-label': 'View' },
        this.#button('hide', 'hide', undefined, { image: 'hide', isOn: ({ shown }) => !shown }),
        this.#button('outline', 'outline', undefined, { image: 'outline', isOn: ({ outline }) => outline }),
        this.#button('map', 'map', undefined, { image: 'map', isOn: ({ map }) => map === 'fused' }),
        this.#button('compare', 'compare', undefined, { image: 'compare', isOn: ({ compare }) => compare })),
      h('div', { class: 'group', role: 'group', 'aria-label': 'Zoom' },
        this.#button('zoom-out', 'zoomOut', undefined, { image: 'minus' }),
        this.#button('fit', 'fit', undefined, { image: 'fit' }),
        this.#button('zoom-in', 'zoomIn', undefined, { image: 'plus' })),
      h('div', { class: 'group' }, this.#button('help-button', 'help', undefined, { image: 'help' })));
  }

  #history() {
    return h('div', { class: 'group', role: 'group', 'aria-label': 'History' },
      this.#button('undo', 'undo', undefined, { image: 'undo' }),
      this.#button('redo', 'redo', undefined, { image: 'redo' }));
  }

  #filters() {
    const { bench } = this;
    this.threshold = slider({
      id: 'threshold', label: 'Threshold', title: 'Propose again from this value of the map on; what you painted stays',
      min: 0, max: 1, step: 0.001, value: null, oninput: (value) => bench.adjust('threshold', value),
      onchange: () => bench.endDrag(),
    });
    this.mark = h('i', { class: 'mark', 'data-testid': 'calibrated-mark', hidden: true });
    this.threshold.track.append(this.mark);
    this.calibrate = button({
      id: 'calibrate', title: 'Back to the calibrated threshold', label: 'Calibrated', onclick: () => {
        bench.adjust('threshold', bench.calibrated);
        bench.endDrag();
      },
    });
    this.calibrate.hidden = true;
    this.minArea = slider({
      id: 'min-area', label: 'Min area', title: 'Remove regions smaller than this many pixels',
      min: 0, max: 1000, step: 1, value: 0, curve: SQUARE, unit: 'px',
      oninput: (pixels) => bench.adjust('minArea', pixels), onchange: () => bench.endDrag(),
    });
    return h('div', { class: 'together' }, this.threshold.element, this.calibrate, this.minArea.element);
  }

  #changes() {
    this.radius = h('input', {
      type: 'number', class: 'number', min: 1, max: LARGEST_RADIUS, step: 1, value: 2, 'data-testid': 'radius',
      'aria-label': 'Pixels to grow or shrink by', title: 'Pixels to grow or shrink by, 1 to 20',
      onchange: () => {
        const radius = Math.round(Number(this.radius.value)) || 1;
        this.bench.set({ radius: Math.min(LARGEST_RADIUS, Math.max(1, radius)) });
      },
      onkeydown: (event) => ['Enter', 'Escape'].includes(event.key) && giveBackFocus(this.radius),
    });
    return h('div', { class: 'together' },
      h('div', { class: 'group', role: 'group', 'aria-label': 'Change the mask' },
        this.#button('fill-holes', 'fillHoles', undefined, { image: 'fillHoles', label: 'Fill holes' }),
        this.#button('shrink', 'shrink', undefined, { image: 'shrink', label: 'Shrink' }),
        h('span', { class: 'radius' }, this.radius, h('span', { class: 'unit' }, 'px')),
        this.#button('grow', 'grow', undefined, { image: 'grow', label: 'Grow' }),
        this.#button('snap', 'request', 'snap', { image: 'snap', label: 'Snap' })));
  }
}

/** The fixed scale, widened to what this map and its threshold need. */
function boundsOf(map, scale, calibrated) {
  let [low, high] = [scale?.low ?? Infinity, scale?.high ?? -Infinity];
  for (let i = 0; i < map.length; i += 1) {
    if (map[i] < low) low = map[i];
    if (map[i] > high) high = map[i];
  }
  if (calibrated !== null) [low, high] = [Math.min(low, calibrated), Math.max(high, calibrated)];
  return high > low ? [low, high] : [low, low + 1];
}
