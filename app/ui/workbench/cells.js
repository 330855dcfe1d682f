/**
 * The mask being edited and what a person or the model does to it.
 *
 * Cells are one byte a pixel, row after row: bit 0 is the mask, bit 1 says that a person decided this pixel.
 *
 * @typedef {{x0: number, y0: number, x1: number, y1: number}} Box right and bottom exclusive.
 * @typedef {{y: number, x0: number, x1: number}} Span pixels of one row, x1 exclusive.
 */

import { PatchBuilder, TOUCHED } from './patches.js';

export { ANOMALOUS, Patch, PatchBuilder, TOUCHED, applyPatch, revertPatch } from './patches.js';

/**
 * Paint or erase by hand: every pixel of the spans is decided from now on.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @param {Span[]} spans
 * @param {0|1} value
 * @returns {Patch|null} null when nothing changed.
 */
export function paint(cells, w, h, spans, value) {
  const builder = new PatchBuilder(cells, w, h);
  for (const span of spans) builder.setSpan(span.y, span.x0, span.x1, value | TOUCHED);
  return builder.finish();
}

/**
 * Take over a whole mask.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @param {Uint8Array} mask 0 or 1 for every pixel.
 * @param {{touch?: boolean}} [options] true: a person wanted this, so pixels that change become decided and the others
 *   stay as they were; false: nobody decided any pixel of the new mask.
 * @returns {Patch|null} null when nothing changed.
 */
export function replaceMask(cells, w, h, mask, { touch = true } = {}) {
  if (mask.length !== cells.length) throw new RangeError(`the new mask has ${mask.length} pixels, not ${cells.length}`);
  const builder = new PatchBuilder(cells, w, h);
  const n = cells.length;
  let i = 0;
  while (i < n) {
    const old = cells[i];
    const value = mask[i];
    if ((old & 1) === value && (touch || old < TOUCHED)) {
      i++;
      continue;
    }
    const first = i++;
    while (i < n && cells[i] === old && mask[i] === value) i++;
    builder.record(first, i, old, touch ? value | TOUCHED : value);
  }
  return builder.finish();
}

/**
 * Propose the mask again at another threshold; pixels that a person decided stay.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @param {Float32Array} map a value for every pixel.
 * @param {number} threshold pixels from here on are anomalous.
 * @returns {Patch|null} null when nothing changed.
 */
export function repropose(cells, w, h, map, threshold) {
  if (map.length !== cells.length) throw new RangeError(`the map has ${map.length} values, not ${cells.length}`);
  const builder = new PatchBuilder(cells, w, h);
  const from = Math.fround(threshold); // as numpy and torch compare float32 with a number
  for (let y = 0; y < h; y++) {
    const end = (y + 1) * w;
    let i = keptUntil(cells, map, y * w, end, from);
    while (i < end) {
      const first = i;
      i = changedUntil(cells, map, first, end, from);
      builder.record(first, i, cells[first], cells[first] ^ 1);
      i = keptUntil(cells, map, i, end, from);
    }
  }
  return builder.finish();
}

/** The first cell from i on that a proposal changes.  Small on purpose: engines compile what is called often. */
function keptUntil(cells, map, i, end, from) {
  while (i < end && (cells[i] >= TOUCHED || cells[i] === (map[i] >= from ? 1 : 0))) i++;
  return i;
}

/** The first cell after i that a proposal does not change in the same way. */
function changedUntil(cells, map, i, end, from) {
  const old = cells[i];
  while (i < end && cells[i] === old && old !== (map[i] >= from ? 1 : 0)) i++;
  return i;
}

/**
 * Cells of a mask that was saved earlier: what differs from the model's proposal was a person's decision.
 *
 * @param {Uint8Array} mask 0 or 1 for every pixel.
 * @param {Uint8Array|null} proposal 0 or 1 for every pixel; null: every pixel counts as decided.
 * @returns {Uint8Array}
 */
export function cellsOf(mask, proposal) {
  const cells = new Uint8Array(mask.length);
  if (proposal === null) for (let i = 0; i < cells.length; i++) cells[i] = mask[i] | TOUCHED;
  else for (let i = 0; i < cells.length; i++) cells[i] = mask[i] | ((mask[i] ^ proposal[i]) << 1);
  return cells;
}

/**
 * @param {Uint8Array} cells
 * @returns {Uint8Array} 0 or 1 for every pixel.
 */
export function maskOf(cells) {
  const mask = new Uint8Array(cells.length);
  for (let i = 0; i < mask.length; i++) mask[i] = cells[i] & 1;
  return mask;
}

/**
 * @param {Uint8Array} cells
 * @returns {number} pixels in the mask.
 */
export function area(cells) {
  let count = 0;
  for (let i = 0; i < cells.length; i++) count += cells[i] & 1;
  return count;
}

/**
 * @param {Box|null} a
 * @param {Box|null} b
 * @returns {Box|null} the smallest box around both; null when there is none.
 */
export function boxUnion(a, b) {
  if (!a || !b) return a || b;
  return {
    x0: Math.min(a.x0, b.x0), y0: Math.min(a.y0, b.y0), x1: Math.max(a.x1, b.x1), y1: Math.max(a.y1, b.y1),
  };
}

/**
 * @param {Box} box
 * @param {number} by pixels on every side.
 * @param {number} w
 * @param {number} h
 * @returns {Box} the larger box, cut at the picture's border.
 */
export function boxPadded(box, by, w, h) {
  return {
    x0: Math.max(0, box.x0 - by),
    y0: Math.max(0, box.y0 - by),
    x1: Math.min(w, box.x1 + by),
    y1: Math.min(h, box.y1 + by),
  };
}
