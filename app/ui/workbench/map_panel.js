/** The corner of the image that says which map is shown, on which scale, and lets one choose another. */

import { button, slider } from './controls.js';
import { h } from './dom.js';

const MOST_LAYERS = 9; // as many as there are keys

export class MapPanel {
  /** @param {import('./bench.js').Bench} bench */
  constructor(bench) {
    this.bench = bench;
    this.choices = h('div', { class: 'choices', role: 'group', 'aria-label': 'Map' });
    this.ramp = h('canvas', { width: 256, height: 1 });
    this.low = h('span', {});
    this.high = h('span', {});
    this.opacity = slider({
      id: 'map-opacity', label: 'Map opacity', title: 'Opacity of the map',
      min: 0, max: 100, step: 1, value: 65, unit: '%', oninput: (percent) => bench.set({ mapOpacity: percent / 100 }),
    });
    this.element = h('div', { class: 'map-panel', 'data-testid': 'map-panel', hidden: true },
      this.choices, h('div', { class: 'ramp' }, this.low, this.ramp, this.high), this.opacity.element);
  }

  /** Another image has other layers. */
  measure() {
    const { pictures } = this.bench;
    if (!pictures) return;
    const layers = pictures.layers.slice(0, MOST_LAYERS).map(({ layer }, i) => this.#choice('layer', i + 1, `${layer}`,
      `Map of layer ${layer} (${i + 1})`));
    this.choices.replaceChildren(
      h('span', { class: 'name' }, 'Map'), this.#choice('map', undefined, 'fused', 'Fused map (M)'),
      layers.length ? h('span', { class: 'name' }, 'layer') : '', ...layers);
    const image = new ImageData(256, 1);
    const { palette } = pictures;
    for (let i = 0; palette && i < 256; i += 1) image.data.set([...palette.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    this.ramp.getContext('2d').putImageData(image, 0, 0);
  }

  refresh() {
    const { annotation, settings, pictures } = this.bench;
    this.element.hidden = !annotation || settings.map === null;
    if (this.element.hidden) return;
    const { low, high } = pictures.bounds(settings.map);
    this.low.textContent = low.toPrecision(3);
    this.high.textContent = high.toPrecision(3);
    this.opacity.show(settings.mapOpacity * 100);
    for (const choice of this.choices.querySelectorAll('button')) {
      choice.setAttribute('aria-pressed', String(choice.dataset.map === String(settings.map)));
    }
  }

  #choice(command, argument, label, title) {
    const which = argument ?? 'fused';
    const element = button({
      id: `map-${which}`, title, label, toggles: true, onclick: () => this.bench.run(command, argument),
    });
    element.dataset.map = which;
    return element;
  }
}
