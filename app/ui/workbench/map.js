/** Anomaly maps: at the picture's size, in colour, as a wand; and masks compared. */

import { regionAt } from './components.js';

/**
 * Enlarge a map as torch's bilinear interpolation without aligned corners does.  The steps are rounded to float32 where
 * torch rounds them on a CPU with fused multiply-add: both then propose the same pixels at the same threshold.
 *
 * @param {Float32Array} map mh * mw values.
 * @param {number} mh
 * @param {number} mw
 * @param {number} h
 * @param {number} w
 * @returns {Float32Array} h * w values.
 */
export function upsample(map, mh, mw, h, w) {
  if (map.length !== mh * mw) throw new RangeError(`a map of ${mh} x ${mw} has ${mh * mw} values, got ${map.length}`);
  const columns = taps(mw, w);
  const rows = taps(mh, h);
  const full = new Float32Array(h * w);
  let [upper, lower] = [new Float32Array(w), new Float32Array(w)];
  let [upperRow, lowerRow] = [-1, -1];
  for (let y = 0; y < h; y++) {
    const [first, second] = [rows.first[y], rows.second[y]];
    if (first !== upperRow) {
      if (first === lowerRow) [upper, lower, lowerRow] = [lower, upper, -1];
      else stretchRow(map, first * mw, columns, upper);
      upperRow = first;
    }
    if (second !== lowerRow) {
      stretchRow(map, second * mw, columns, lower);
      lowerRow = second;
    }
    blendRows(upper, lower, rows.rest[y], rows.share[y], full, y * w);
  }
  return full;
}

/** For each output position the two inputs it lies between and the shares of both. */
function taps(size, outSize) {
  const scale = Math.fround(size / outSize);
  const first = new Int32Array(outSize);
  const second = new Int32Array(outSize);
  const rest = new Float32Array(outSize);
  const share = new Float32Array(outSize);
  for (let i = 0; i < outSize; i++) {
    const at = Math.max(0, Math.fround(Math.fround(scale * (i + 0.5)) - 0.5));
    first[i] = Math.min(Math.floor(at), size - 1);
    second[i] = Math.min(first[i] + 1, size - 1);
    share[i] = Math.min(1, at - first[i]);
    rest[i] = 1 - share[i];
  }
  return { first, second, rest, share };
}

function stretchRow(map, start, { first, second, rest, share }, out) {
  for (let x = 0; x < out.length; x++) {
    out[x] = rest[x] * map[start + first[x]] + Math.fround(share[x] * map[start + second[x]]);
  }
}

function blendRows(upper, lower, rest, share, out, start) {
  for (let x = 0; x < upper.length; x++) out[start + x] = rest * upper[x] + Math.fround(share * lower[x]);
}

/**
 * Everything like the pixel pointed at: 8-connected to it, with at least a share of its height above the low end.
 *
 * @param {Float32Array} map a value for every pixel.
 * @param {number} w
 * @param {number} h
 * @param {number} x
 * @param {number} y
 * @param {{low: number, odds?: boolean}} scale its low end is the value of normal pixels; with odds heights are log-odds.
 * @param {number} fraction in [0, 1]: 1 takes only what is as high, 0 everything above the low end.
 * @returns {Array<{y: number, x0: number, x1: number}>} spans with the point in them; none for a point outside.
 */
export function wandSpans(map, w, h, x, y, { low, odds = false }, fraction) {
  if (x < 0 || y < 0 || x >= w || y >= h) return [];
  const value = map[y * w + x];
  const wanted = odds
    ? probability(logOdds(low) + fraction * (logOdds(value) - logOdds(low)))
    : low + fraction * (value - low);
  const threshold = Math.min(value, wanted); // rounding must not lose the point itself
  const like = new Uint8Array(w * h);
  for (let i = 0; i < like.length; i++) like[i] = map[i] >= threshold ? 1 : 0;
  const region = regionAt(like, w, h, x, y);
  return region ? region.spans : [];
}

/** log(p / (1 - p)) of a probability, kept away from 0 and 1 as the server does it. */
export function logOdds(p) {
  const kept = Math.min(1 - 1e-6, Math.max(1e-6, p));
  return Math.log(kept / (1 - kept));
}

function probability(odds) {
  return 1 / (1 + Math.exp(-odds));
}

/**
 * @param {Uint8Array} cells only bit 0 counts.
 * @param {Uint8Array} other 0 or 1 for every pixel.
 * @returns {{intersection: number, union: number, iou: number, onlyA: number, onlyB: number}} two empty masks: iou 1.
 */
export function compare(cells, other) {
  if (cells.length !== other.length) throw new RangeError(`masks of ${cells.length} and ${other.length} pixels`);
  let [inA, inB, intersection] = [0, 0, 0];
  for (let i = 0; i < cells.length; i++) {
    const a = cells[i] & 1;
    const b = other[i] & 1;
    inA += a;
    inB += b;
    intersection += a & b;
  }
  const union = inA + inB - intersection;
  const iou = union ? intersection / union : 1;
  return { intersection, union, iou, onlyA: inA - intersection, onlyB: inB - intersection };
}

/**
 * @param {Float32Array} map
 * @param {number} low value of the palette's first colour; what lies below shows it too.
 * @param {number} high value of the palette's last colour; what lies above shows it too.
 * @param {Uint8Array} palette 256 colours of red, green and blue.
 * @param {number} alpha 0 = clear, 1 = opaque.
 * @returns {Uint8ClampedArray} RGBA.
 */
export function colourise(map, low, high, palette, alpha) {
  const rgba = new Uint8ClampedArray(map.length * 4);
  const pixels = new Uint32Array(rgba.buffer);
  const colours = packedColours(palette, Math.round(alpha * 255));
  const step = 255 / Math.max(high - low, 1e-12);
  for (let i = 0; i < map.length; i++) {
    const at = (map[i] - low) * step + 0.5;
    pixels[i] = colours[at > 255 ? 255 : at > 0 ? at | 0 : 0];
  }
  return rgba;
}

function packedColours(palette, opacity) {
  const bytes = new Uint8Array(1024);
  for (let i = 0; i < 256; i++) bytes.set([palette[3 * i], palette[3 * i + 1], palette[3 * i + 2], opacity], 4 * i);
  return new Uint32Array(bytes.buffer);
}
