/** Masks grown or shrunk by a disc, in a time that does not depend on its radius.  Only bit 0 of cells counts. */

const MOST_GROWTH = 1000; // keeps distances in 16 bits; far beyond what a person would ask for

/**
 * The mask and every pixel at most r away from it, centre to centre.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @param {number} r radius of the disc in pixels, up to 1000.
 * @returns {Uint8Array} 0 or 1 for every pixel.
 */
export function grownMask(cells, w, h, r) {
  return near(cells, w, h, r, 1);
}

/**
 * The pixels of the mask that are more than r away from any background pixel.  What lies beyond the picture's border
 * is unknown and takes nothing away: a defect cut by the border keeps its side there.
 *
 * @param {Uint8Array} cells
 * @param {number} w
 * @param {number} h
 * @param {number} r radius of the disc in pixels, up to 1000.
 * @returns {Uint8Array} 0 or 1 for every pixel.
 */
export function shrunkMask(cells, w, h, r) {
  const mask = near(cells, w, h, r, 0);
  for (let i = 0; i < mask.length; i++) mask[i] ^= 1;
  return mask;
}

/**
 * Pixels at most r away from a pixel equal to `wanted`.  The distance within a column is swept down and up; a pixel
 * with distance d in its column then covers sqrt(r * r - d * d) pixels to its left and right, swept along the row.
 */
function near(cells, w, h, r, wanted) {
  const radius = Math.min(Math.max(r, 0), MOST_GROWTH);
  const far = Math.floor(radius) + 1;
  const reach = new Int32Array(far + 1).fill(-1);
  for (let d = 0; d < far; d++) reach[d] = Math.floor(Math.sqrt(radius * radius - d * d));
  const distance = columnDistances(cells, w, h, wanted, far);
  const covered = new Uint8Array(w * h);
  for (let start = 0; start < w * h; start += w) coverRow(distance, covered, start, w, reach);
  return covered;
}

function columnDistances(cells, w, h, wanted, far) {
  const n = w * h;
  const distance = new Uint16Array(n);
  for (let i = 0; i < w && i < n; i++) distance[i] = (cells[i] & 1) === wanted ? 0 : far;
  for (let i = w; i < n; i++) {
    const above = distance[i - w];
    distance[i] = (cells[i] & 1) === wanted ? 0 : above < far ? above + 1 : far;
  }
  for (let i = n - w - 1; i >= 0; i--) {
    const below = distance[i + w] + 1;
    if (below < distance[i]) distance[i] = below;
  }
  return distance;
}

function coverRow(distance, covered, start, w, reach) {
  let until = -1;
  for (let x = 0; x < w; x++) {
    const to = x + reach[distance[start + x]];
    if (to > until) until = to;
    if (x <= until) covered[start + x] = 1;
  }
  let from = w;
  for (let x = w - 1; x >= 0; x--) {
    const to = x - reach[distance[start + x]];
    if (to < from) from = to;
    if (x >= from) covered[start + x] = 1;
  }
}
