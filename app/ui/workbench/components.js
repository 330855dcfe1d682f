/**
 * Regions and holes of a mask.  Only bit 0 of cells counts.
 *
 * Rows are cut into runs of equal pixels and runs that touch are joined (union-find), so that time grows with the
 * pixels once and with the runs from there on.  Regions are 8-connected, holes 4-connected: a thin diagonal line is one
 * region, and what it encloses is enclosed.
 *
 * @typedef {{x0: number, y0: number, x1: number, y1: number}} Box right and bottom exclusive.
 * @typedef {{y: number, x0: number, x1: number}} Span
 */

export { grownMask, shrunkMask } from './discs.js';

/** Runs of pixels equal to `wanted`: left, right (exclusive) and root of each, and where each row's runs begin. */
class Runs {
  constructor(cells, w, h, wanted, diagonal) {
    this.h = h;
    this.rows = new Int32Array(h + 1);
    this.#cut(cells, w, h, wanted);
    this.root = new Int32Array(this.count);
    for (let i = 0; i < this.count; i++) this.root[i] = i;
    for (let y = 1; y < h; y++) this.#joinRows(y, diagonal ? 1 : 0);
    // A root comes before its runs, so one pass from the front finishes the job.
    for (let i = 0; i < this.count; i++) this.root[i] = this.root[this.root[i]];
  }

  #cut(cells, w, h, wanted) {
    let [left, right, used] = [new Int32Array(1024), new Int32Array(1024), 0];
    for (let y = 0; y < h; y++) {
      const end = (y + 1) * w;
      const start = y * w;
      let i = start;
      for (;;) {
        while (i < end && (cells[i] & 1) !== wanted) i++;
        if (i === end) break;
        if (used === left.length) [left, right] = [doubled(left), doubled(right)];
        left[used] = i - start;
        while (i < end && (cells[i] & 1) === wanted) i++;
        right[used++] = i - start;
      }
      this.rows[y + 1] = used;
    }
    [this.left, this.right, this.count] = [left, right, used];
  }

  /** Join the runs of row y with those of the row above that they touch; reach 1 counts corners too. */
  #joinRows(y, reach) {
    const { left, right, rows } = this;
    let above = rows[y - 1];
    let here = rows[y];
    while (above < rows[y] && here < rows[y + 1]) {
      if (left[above] < right[here] + reach && left[here] < right[above] + reach) this.#join(above, here);
      if (right[above] < right[here]) above++;
      else here++;
    }
  }

  #find(i) {
    const root = this.root;
    while (root[i] !== i) {
      root[i] = root[root[i]];
      i = root[i];
    }
    return i;
  }

  #join(a, b) {
    const [rootA, rootB] = [this.#find(a), this.#find(b)];
    if (rootA < rootB) this.root[rootB] = rootA;
    else this.root[rootA] = rootB;
  }

  /** Pixels of each component, at the index of its root. */
  areas() {
    const areas = new Float64Array(this.count);
    for (let i = 0; i < this.count; i++) areas[this.root[i]] += this.right[i] - this.left[i];
    return areas;
  }

  /** Spans of the runs whose root is marked with 1. */
  spans(marked) {
    const spans = [];
    for (let y = 0; y < this.h; y++) {
      for (let i = this.rows[y]; i < this.rows[y + 1]; i++) {
        if (marked[this.root[i]]) spans.push({ y, x0: this.left[i], x1: this.right[i] });
      }
    }
    return spans;
  }
}

function doubled(array) {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/**
 * All regions of the mask.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @returns {Array<{area: number, box: Box, point: [number, number]}>} largest first, equal ones from the top; the point
 *   is a pixel of the region, in the middle of its longest row.
 */
export function regions(cells, w, h) {
  const runs = new Runs(cells, w, h, 1, true);
  const found = new Map();
  for (let y = 0; y < h; y++) {
    for (let i = runs.rows[y]; i < runs.rows[y + 1]; i++) {
      const [left, right, root] = [runs.left[i], runs.right[i], runs.root[i]];
      if (root === i) {
        found.set(i, { area: 0, box: { x0: left, y0: y, x1: right, y1: y + 1 }, point: [left, y], longest: 0 });
      }
      addRun(found.get(root), y, left, right);
    }
  }
  const list = Array.from(found.values(), ({ area, box, point }) => ({ area, box, point }));
  return list.sort((a, b) => b.area - a.area);
}

function addRun(region, y, left, right) {
  const { box } = region;
  region.area += right - left;
  if (left < box.x0) box.x0 = left;
  if (right > box.x1) box.x1 = right;
  box.y1 = y + 1;
  if (right - left > region.longest) {
    region.longest = right - left;
    region.point = [(left + right - 1) >> 1, y];
  }
}

/**
 * Spans of all regions smaller than an area.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @param {number} minArea in pixels; regions of exactly this area are kept.
 * @returns {Span[]}
 */
export function smallRegionSpans(cells, w, h, minArea) {
  const runs = new Runs(cells, w, h, 1, true);
  const areas = runs.areas();
  const marked = new Uint8Array(runs.count);
  for (let i = 0; i < runs.count; i++) marked[i] = areas[i] < minArea ? 1 : 0;
  return runs.spans(marked);
}

/**
 * Spans of the holes: background that is cut off from the picture's border.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @returns {Span[]}
 */
export function holeSpans(cells, w, h) {
  const runs = new Runs(cells, w, h, 0, false);
  const marked = new Uint8Array(runs.count).fill(1);
  for (let y = 0; y < h; y++) {
    const outer = y === 0 || y === h - 1;
    for (let i = runs.rows[y]; i < runs.rows[y + 1]; i++) {
      if (outer || runs.left[i] === 0 || runs.right[i] === w) marked[runs.root[i]] = 0;
    }
  }
  return runs.spans(marked);
}

/**
 * The region that a pixel belongs to.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @param {number} x
 * @param {number} y
 * @returns {{spans: Span[], area: number, box: Box}|null} null when the pixel is not in the mask.
 */
export function regionAt(cells, w, h, x, y) {
  if (x < 0 || y < 0 || x >= w || y >= h || !(cells[y * w + x] & 1)) return null;
  const seen = new Uint8Array(w * h);
  const spans = [];
  const box = { x0: x, y0: y, x1: x + 1, y1: y + 1 };
  const waiting = [y * w + x];
  let area = 0;
  while (waiting.length) {
    const seed = waiting.pop();
    if (seen[seed]) continue;
    const row = Math.floor(seed / w);
    const span = runAround(cells, w, row, seed);
    seen.fill(1, row * w + span.x0, row * w + span.x1);
    spans.push(span);
    area += span.x1 - span.x0;
    widen(box, span);
    if (row > 0) seedRow(cells, seen, w, row - 1, span, waiting);
    if (row < h - 1) seedRow(cells, seen, w, row + 1, span, waiting);
  }
  return { spans, area, box };
}

function runAround(cells, w, row, at) {
  let [left, right] = [at, at + 1];
  while (left > row * w && cells[left - 1] & 1) left--;
  while (right < (row + 1) * w && cells[right] & 1) right++;
  return { y: row, x0: left - row * w, x1: right - row * w };
}

function widen(box, { y, x0, x1 }) {
  if (x0 < box.x0) box.x0 = x0;
  if (x1 > box.x1) box.x1 = x1;
  if (y < box.y0) box.y0 = y;
  if (y >= box.y1) box.y1 = y + 1;
}

/** Push one pixel of every unseen run of a row that touches the span, corners included. */
function seedRow(cells, seen, w, row, span, waiting) {
  const end = row * w + Math.min(w, span.x1 + 1);
  let inside = false;
  for (let i = row * w + Math.max(0, span.x0 - 1); i < end; i++) {
    const on = (cells[i] & 1) === 1;
    if (on && !inside && !seen[i]) waiting.push(i);
    inside = on;
  }
}
