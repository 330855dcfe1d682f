/**
 * What a pointer does to the annotation.  A tool gets points in continuous image coordinates and never sees the screen.
 *
 * @typedef {{x: number, y: number, window: [number, number], time: number, shift: boolean, subtract: boolean}} Point
 * @typedef {{annotation: import('./annotation.js').Annotation, stage: import('./stage.js').Stage,
 *   settings: {size: number, fraction: number, polygon: 'add' | 'subtract'}, scale: {low: number, high: number, odds?: boolean} | null,
 *   say: (text: string) => void}} Bench what tools work on.
 */

import { ANOMALOUS } from './cells.js';
import { regionAt } from './components.js';
import { wandSpans } from './map.js';
import { polygonSpans, strokeSpans } from './shapes.js';

const DOUBLE_MS = 400;
const NEAR_PX = 8; // of the screen: a click this near to the first corner closes the polygon

/** Paints, or erases with value 0; Alt, the right button and a pen's other end do the opposite. */
export class Brush {
  undoable = true;

  constructor(bench, value) {
    this.bench = bench;
    this.value = value;
    this.last = null;
    this.active = false;
  }

  down(point) {
    const { annotation } = this.bench;
    annotation.begin();
    this.active = true;
    this.now = point.subtract ? 1 - this.value : this.value;
    const from = point.shift && this.last?.of === annotation ? this.last : point;
    this.#segment(from, point);
  }

  move(point) {
    if (!this.active) return;
    if (!this.bench.annotation.open) this.bench.annotation.begin(); // something else ended the step
    this.#segment(this.last, point);
  }

  up() {
    if (this.active) this.bench.annotation.end();
    this.active = false;
  }

  #segment(from, to) {
    const { annotation, settings } = this.bench;
    const { width, height } = annotation;
    annotation.paint(strokeSpans(from.x, from.y, to.x, to.y, settings.size, width, height), this.now);
    this.last = { x: to.x, y: to.y, of: annotation };
  }
}

/** Corners by clicks; Enter, a double click or a click on the first corner closes it. */
export class Polygon {
  undoable = false;

  constructor(bench) {
    this.bench = bench;
    this.points = [];
    this.subtract = false;
    this.lastClick = null;
  }

  get isOpen() {
    return this.points.length > 0;
  }

  down(point) {
    const before = this.lastClick;
    this.lastClick = point;
    this.subtract = point.subtract || this.bench.settings.polygon === 'subtract';
    const twice = before && point.time - before.time < DOUBLE_MS && apart(before.window, point.window) < NEAR_PX;
    const first = this.points.length >= 3 && this.bench.stage.view.toScreen(...this.points[0]);
    if (this.isOpen && (twice || (first && apart(first, point.window) < NEAR_PX))) this.close();
    else {
      this.points.push([point.x, point.y]);
      this.draw();
    }
  }

  move() {}

  up() {}

  hover(point) {
    if (this.isOpen) this.draw([point.x, point.y]);
  }

  close() {
    const { annotation, say } = this.bench;
    if (this.points.length < 3) return say('A polygon needs three points.');
    const spans = polygonSpans(this.points, annotation.width, annotation.height);
    annotation.begin();
    annotation.paint(spans, this.subtract ? 0 : 1);
    annotation.end();
    return this.cancel();
  }

  /** The image is saved or left: an open polygon is work too. */
  settle() {
    if (this.points.length < 3) return this.cancel();
    this.close();
    return this.bench.say('The open polygon was closed and is part of the mask.');
  }

  removeLast() {
    this.points.pop();
    this.draw();
  }

  cancel() {
    this.points = [];
    this.lastClick = null;
    this.draw();
  }

  draw(hover = null) {
    const subtract = this.subtract || this.bench.settings.polygon === 'subtract';
    this.bench.stage.pointers.showPolygon(this.points, this.bench.stage.view, { hover, subtract });
  }
}

/** Takes all that is like the point on the anomaly map; its slider goes on adjusting the newest click. */
export class Wand {
  undoable = true;

  constructor(bench) {
    this.bench = bench;
    this.seed = null;
  }

  down(point) {
    const { annotation, say } = this.bench;
    if (!annotation.map) return say('There is no anomaly map for this image.');
    this.seed = { x: Math.floor(point.x), y: Math.floor(point.y), value: point.subtract ? 0 : 1 };
    annotation.begin(); // a new click never replaces the one before
    return this.#take();
  }

  /** The slider moved. */
  adjust() {
    if (!this.seed || !this.bench.annotation.canAdjust('wand')) return;
    this.bench.annotation.beginAdjusting('wand');
    this.#take();
  }

  move() {}

  up() {}

  #take() {
    const { annotation, settings, scale } = this.bench;
    const { width, height, map } = annotation;
    const spans = wandSpans(map, width, height, this.seed.x, this.seed.y, scale, settings.fraction);
    annotation.open.slider = 'wand';
    annotation.paint(spans, this.seed.value);
    annotation.end();
  }
}

/** Drops the region of the mask under the point, or brings back what was dropped of the proposal there. */
export class KeepOrDrop {
  undoable = true;

  constructor(bench) {
    this.bench = bench;
  }

  down(point) {
    const { say } = this.bench;
    if (!this.drop(point) && !this.#bringBack(point)) say('There is no region here.');
  }

  move() {}

  up() {}

  /** @returns {boolean} whether there was a region of the mask. */
  drop({ x, y }) {
    const { annotation } = this.bench;
    const { cells, width, height } = annotation;
    const region = regionAt(cells, width, height, Math.floor(x), Math.floor(y));
    if (region) annotation.paint(region.spans, 0);
    return Boolean(region);
  }

  #bringBack({ x, y }) {
    const { annotation } = this.bench;
    const { cells, proposal, width, height } = annotation;
    const region = proposal && regionAt(proposal, width, height, Math.floor(x), Math.floor(y));
    if (!region) return false;
    if ((cells[Math.floor(y) * width + Math.floor(x)] & ANOMALOUS) === 0) annotation.paint(region.spans, 1);
    return true;
  }
}

function apart([ax, ay], [bx, by]) {
  return Math.hypot(ax - bx, ay - by);
}
