/**
 * Every change to cells as something that can be taken back.
 *
 * Cells are one byte a pixel, row after row: bit 0 is the mask, bit 1 says that a person decided this pixel.
 * Whatever changes cells goes through a PatchBuilder, so that the change can be undone bit for bit.
 *
 * @typedef {{x0: number, y0: number, x1: number, y1: number}} Box right and bottom exclusive.
 */

export const ANOMALOUS = 1;
export const TOUCHED = 2;

const SHORT = 24; // up to here a plain loop is faster than TypedArray.fill

/** A change to cells, as runs in the order in which they were written: (first cell, length << 4 | old << 2 | new). */
export class Patch {
  /**
   * @param {Uint32Array} runs
   * @param {Box} box
   * @param {number} changedPixels
   * @param {number} maskPixels how many of them changed in the mask itself; the others only became decided, or not.
   */
  constructor(runs, box, changedPixels, maskPixels) {
    this.runs = runs;
    this.box = box;
    this.changedPixels = changedPixels;
    this.maskPixels = maskPixels;
  }

  get bytes() {
    return this.runs.byteLength;
  }
}

/** Writes into cells and remembers what was there. */
export class PatchBuilder {
  /**
   * @param {Uint8Array} cells
   * @param {number} w
   * @param {number} h
   */
  constructor(cells, w, h) {
    if (cells.length !== w * h) throw new RangeError(`${w} x ${h} pixels need ${w * h} cells, got ${cells.length}`);
    this.cells = cells;
    this.w = w;
    this.h = h;
    this.runs = new Uint32Array(64);
    this.used = 0;
  }

  /**
   * Note that cells[start] to cells[end - 1] all go from one value to another, and write the new one.
   *
   * @param {number} start
   * @param {number} end exclusive.
   * @param {number} oldValue what all of them hold now.
   * @param {number} newValue
   */
  record(start, end, oldValue, newValue) {
    if (this.used === this.runs.length) {
      const larger = new Uint32Array(this.runs.length * 2);
      larger.set(this.runs);
      this.runs = larger;
    }
    this.runs[this.used++] = start;
    this.runs[this.used++] = ((end - start) << 4) | (oldValue << 2) | newValue;
    fillRun(this.cells, start, end, newValue);
  }

  /**
   * Set cells[start] to cells[end - 1] to a value.
   *
   * @param {number} start
   * @param {number} end exclusive.
   * @param {number} newValue 0 to 3.
   */
  set(start, end, newValue) {
    const cells = this.cells;
    let i = start;
    while (i < end) {
      const old = cells[i];
      const first = i++;
      while (i < end && cells[i] === old) i++;
      if (old !== newValue) this.record(first, i, old, newValue);
    }
  }

  /**
   * Set pixels of one row, as far as they lie inside the picture.
   *
   * @param {number} y
   * @param {number} x0
   * @param {number} x1 exclusive.
   * @param {number} value 0 to 3.
   */
  setSpan(y, x0, x1, value) {
    if (y < 0 || y >= this.h) return;
    const left = x0 < 0 ? 0 : x0;
    const right = x1 > this.w ? this.w : x1;
    if (left < right) this.set(y * this.w + left, y * this.w + right, value);
  }

  /** @returns {Patch|null} null when nothing changed. */
  finish() {
    if (this.used === 0) return null;
    const runs = this.runs.slice(0, this.used);
    const w = this.w;
    let [x0, x1, first, last, changed, inMask] = [w, 0, this.cells.length, 0, 0, 0];
    for (let i = 0; i < runs.length; i += 2) {
      const start = runs[i];
      const length = runs[i + 1] >>> 4;
      const left = start % w;
      if (start < first) first = start;
      if (start + length > last) last = start + length;
      if (left + length > w) {
        x0 = 0;
        x1 = w;
      }
      if (left < x0) x0 = left;
      if (left + length > x1) x1 = left + length > w ? w : left + length;
      changed += length;
      if (((runs[i + 1] >> 2) ^ runs[i + 1]) & ANOMALOUS) inMask += length;
    }
    const box = { x0, y0: Math.floor(first / w), x1, y1: Math.floor((last - 1) / w) + 1 };
    return new Patch(runs, box, changed, inMask);
  }
}

function fillRun(cells, start, end, value) {
  if (end - start > SHORT) cells.fill(value, start, end);
  else for (let i = start; i < end; i++) cells[i] = value;
}

/**
 * @param {Uint8Array} cells as they were before the patch.
 * @param {Patch} patch
 * @returns {Box} where cells changed.
 */
export function applyPatch(cells, patch) {
  const runs = patch.runs;
  for (let i = 0; i < runs.length; i += 2) {
    fillRun(cells, runs[i], runs[i] + (runs[i + 1] >>> 4), runs[i + 1] & 3);
  }
  return patch.box;
}

/**
 * Take a patch back, last run first: a later run may have gone over an earlier one.
 *
 * @param {Uint8Array} cells as they were after the patch.
 * @param {Patch} patch
 * @returns {Box} where cells changed.
 */
export function revertPatch(cells, patch) {
  const runs = patch.runs;
  for (let i = runs.length - 2; i >= 0; i -= 2) {
    fillRun(cells, runs[i], runs[i] + (runs[i + 1] >>> 4), (runs[i + 1] >> 2) & 3);
  }
  return patch.box;
}
