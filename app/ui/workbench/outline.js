/**
 * The mask's outline at the screen's resolution, so that it is equally thin at every zoom.  No DOM.
 *
 * A window is a rectangle of the screen in device pixels, with one byte per pixel and a rim of RIM pixels around it.
 */

import { ANOMALOUS } from './cells.js';

export const RIM = 2;

/**
 * Which device pixels of a window show a masked pixel.
 *
 * When an image pixel is smaller than a device pixel, one masked pixel is enough: thin scratches keep their outline.
 *
 * @param {Uint8Array} cells - of the whole image.
 * @param {{width: number, height: number}} size - of the image.
 * @param {{scale: number, x: number, y: number}} view - device pixels per image pixel, and where the image begins.
 * @param {{x0: number, y0: number, x1: number, y1: number}} box - of the screen in device pixels, rim included.
 * @returns {Uint8Array} 1 where the mask shows.
 */
export function sample(cells, { width, height }, view, box) {
  const columns = box.x1 - box.x0;
  const rows = box.y1 - box.y0;
  const out = new Uint8Array(columns * rows);
  const imageX = (x) => Math.floor((x + 0.5 - view.x) / view.scale);
  const imageY = (y) => Math.floor((y + 0.5 - view.y) / view.scale);
  if (view.scale >= 1) {
    const xs = Int32Array.from({ length: columns }, (_, i) => imageX(box.x0 + i));
    for (let row = 0; row < rows; row += 1) {
      const y = imageY(box.y0 + row);
      if (y < 0 || y >= height) continue;
      for (let i = 0, at = row * columns; i < columns; i += 1, at += 1) {
        const x = xs[i];
        if (x >= 0 && x < width) out[at] = cells[y * width + x] & ANOMALOUS;
      }
    }
    return out;
  }
  const x0 = Math.max(0, Math.floor((box.x0 - view.x) / view.scale));
  const x1 = Math.min(width, Math.ceil((box.x1 - view.x) / view.scale));
  const y0 = Math.max(0, Math.floor((box.y0 - view.y) / view.scale));
  const y1 = Math.min(height, Math.ceil((box.y1 - view.y) / view.scale));
  if (x1 <= x0) return out;
  const targets = Int32Array.from({ length: x1 - x0 }, (_, i) =>
    Math.min(columns - 1, Math.max(0, Math.floor((x0 + i + 0.5) * view.scale + view.x) - box.x0)));
  for (let y = y0; y < y1; y += 1) {
    const row = Math.floor((y + 0.5) * view.scale + view.y) - box.y0;
    if (row < 0 || row >= rows) continue;
    const base = row * columns;
    const line = y * width + x0;
    for (let i = 0; i < targets.length; i += 1) if (cells[line + i] & ANOMALOUS) out[base + targets[i]] = 1;
  }
  return out;
}

/**
 * Draw the outline of what `sample` found: a light line inside the mask and a dark one around it.
 *
 * @param {Uint32Array} out - the window without its rim.
 * @param {Uint8Array} shown - from `sample`, with the rim.
 * @param {number} columns - of `shown`.
 * @param {{inside: number, around: number}} colours - packed pixels.
 * @param {number} thickness - of the light line, 1 or 2 device pixels.
 */
export function trace(out, shown, columns, { inside, around }, thickness) {
  const rows = shown.length / columns;
  const far = thickness * columns;
  let at = 0;
  for (let y = RIM; y < rows - RIM; y += 1) {
    for (let x = RIM, i = y * columns + RIM; x < columns - RIM; x += 1, i += 1, at += 1) {
      if (shown[i]) {
        out[at] = shown[i - thickness] & shown[i + thickness] & shown[i - far] & shown[i + far] ? 0 : inside;
      } else {
        out[at] = shown[i - 1] | shown[i + 1] | shown[i - columns] | shown[i + columns] ? around : 0;
      }
    }
  }
}
