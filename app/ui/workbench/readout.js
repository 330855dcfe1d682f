/** Numbers about the image: the line below it, and the legend of the comparison above it. */

import { PREDICTION } from './bench.js';
import { h } from './dom.js';
import { compare } from './map.js';
import { DIFFERENCE_COLOURS } from './stage.js';

const count = new Intl.NumberFormat('en');
const plural = (number, word) => `${count.format(number)} ${word}${number === 1 ? '' : 's'}`;

export class Readout {
  /** @param {import('./bench.js').Bench} bench */
  constructor(bench) {
    this.bench = bench;
    const part = (id) => h('span', { 'data-testid': id });
    this.position = part('position');
    this.value = part('map-value');
    this.summary = part('summary');
    this.state = part('dirty');
    this.zoom = part('zoom');
    this.size = part('image-size');
    this.line = h('div', { class: 'status-line', 'data-testid': 'status' },
      this.position, this.value, h('span', { class: 'spring' }), this.summary, this.state,
      h('span', { class: 'spring' }), this.zoom, this.size);
    this.compared = null; // the reference that the legend shows
    this.legend = h('div', { class: 'legend', 'data-testid': 'legend', hidden: true });
  }

  showPointer(point) {
    const { annotation } = this.bench;
    const [x, y] = point ? [Math.floor(point.x), Math.floor(point.y)] : [-1, -1];
    const inside = annotation && x >= 0 && y >= 0 && x < annotation.width && y < annotation.height;
    this.position.textContent = inside ? `x ${x}  y ${y}` : 'x –  y –';
    const value = inside && annotation.map ? annotation.map[y * annotation.width + x].toFixed(this.#decimals()) : '–';
    this.value.textContent = annotation?.map ? `map ${value}` : '';
  }

  showView() {
    const { annotation, stage } = this.bench;
    const percent = stage.view.scale * 100;
    this.zoom.textContent = annotation ? `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %` : '';
    this.size.textContent = annotation ? `${annotation.width} × ${annotation.height} px` : '';
  }

  /** What costs a look at every pixel. */
  showRegions(regions) {
    const { annotation } = this.bench;
    if (!annotation) {
      this.summary.textContent = '';
      this.showComparison();
      return;
    }
    const area = regions.reduce((sum, region) => sum + region.area, 0);
    const share = this.#percent(area);
    const text = `${plural(regions.length, 'region')} · ${count.format(area)} px · ${share}`;
    this.summary.textContent = area ? text : 'Empty mask';
    this.showComparison();
  }

  showComparison() {
    const { bench } = this;
    const { annotation, settings, reference } = bench;
    this.compared = annotation && settings.compare ? reference : null;
    this.legend.hidden = !this.compared;
    if (this.legend.hidden) return;
    const { intersection, iou, onlyA, onlyB } = compare(annotation.cells, reference);
    const { removed, added, both } = DIFFERENCE_COLOURS;
    const there = bench.referenceName === PREDICTION ? 'predicted' : 'there';
    const row = (colour, text, pixels) => h('li', {},
      h('i', { style: `background: rgb(${colour.join(' ')})` }), h('span', {}, text),
      h('b', {}, `${count.format(pixels)} px`), h('b', {}, this.#percent(pixels)));
    this.legend.replaceChildren(
      h('header', {}, h('span', {}, `Compared with ${bench.referenceName}`),
        h('b', { 'data-testid': 'iou' }, `IoU ${iou.toFixed(3)}`)),
      h('ul', {}, row(removed, `only ${there}`, onlyB), row(added, 'only corrected', onlyA),
        row(both, 'both', intersection)));
  }

  refresh() {
    const { annotation, settings, reference } = this.bench;
    this.state.textContent = annotation?.dirty ? 'unsaved changes' : '';
    if (this.compared !== (annotation && settings.compare ? reference : null)) this.showComparison();
  }

  /** Four figures of the map's scale. */
  #decimals() {
    const { low, high } = this.bench.scale ?? { low: 0, high: 1 };
    return Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(high - low || 1))));
  }

  #percent(pixels) {
    const { width, height } = this.bench.annotation;
    const percent = (100 * pixels) / (width * height);
    return `${percent > 0 && percent < 0.01 ? '< 0.01' : percent.toFixed(2)} %`;
  }
}
