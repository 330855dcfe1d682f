/** The mask as pixels to draw: RGBA of a box, ready for putImageData. */

const COLOUR = [255, 64, 64];
const DIFF_COLOURS = { both: [255, 255, 255], added: [0, 158, 115], removed: [213, 94, 0] }; // told apart by all eyes

/**
 * The mask's outline within a box: its pixels that have one of their four neighbours outside the mask or the picture.
 *
 * @param {Uint8Array} cells only bit 0 counts.
 * @param {number} w
 * @param {number} h
 * @param {{x0: number, y0: number, x1: number, y1: number}} box
 * @returns {Uint8Array} 0 or 1 for every pixel of the box, row after row.
 */
export function outlineOf(cells, w, h, box) {
  const outline = new Uint8Array((box.x1 - box.x0) * (box.y1 - box.y0));
  let at = 0;
  for (let y = box.y0; y < box.y1; y++) {
    const edge = y === 0 || y === h - 1;
    for (let x = box.x0; x < box.x1; x++, at++) {
      const i = y * w + x;
      if (!(cells[i] & 1)) continue;
      if (edge || x === 0 || x === w - 1) outline[at] = 1;
      else outline[at] = ~(cells[i - 1] & cells[i + 1] & cells[i - w] & cells[i + w]) & 1;
    }
  }
  return outline;
}

/**
 * Draw a box of the mask.
 *
 * @param {Uint8Array} cells only bit 0 counts.
 * @param {number} w
 * @param {{x0: number, y0: number, x1: number, y1: number}} box
 * @param {object} [options]
 * @param {number[]} [options.colour] red, green, blue of the mask.
 * @param {number} [options.alpha] 0 = clear, 1 = opaque.
 * @param {boolean} [options.outline] only the outline, in full colour; a change shows one pixel around itself too.
 * @param {Uint8Array|null} [options.reference] compare with this mask, 0 or 1 for every pixel.
 * @param {{both: number[], added: number[], removed: number[]}} [options.diffColours] of pixels that are in both masks,
 *   only in the cells, only in the reference.
 * @returns {Uint8ClampedArray} RGBA of the box.
 */
export function drawCells(cells, w, box, options = {}) {
  const { colour = COLOUR, alpha = 0.5, outline = false, reference = null, diffColours = DIFF_COLOURS } = options;
  const rgba = new Uint8ClampedArray((box.x1 - box.x0) * (box.y1 - box.y0) * 4);
  const pixels = new Uint32Array(rgba.buffer);
  const clear = 0;
  if (reference) {
    const { both, added, removed } = diffColours;
    const table = Uint32Array.of(clear, packed(added, alpha), packed(removed, alpha), packed(both, alpha));
    fillCompared(cells, reference, w, box, table, pixels);
  } else if (outline) {
    const edge = outlineOf(cells, w, cells.length / w, box);
    const table = Uint32Array.of(clear, packed(colour, 1));
    for (let i = 0; i < edge.length; i++) pixels[i] = table[edge[i]];
  } else {
    fillPlain(cells, w, box, Uint32Array.of(clear, packed(colour, alpha)), pixels);
  }
  return rgba;
}

function fillPlain(cells, w, box, table, pixels) {
  let at = 0;
  for (let y = box.y0; y < box.y1; y++) {
    const end = y * w + box.x1;
    for (let i = y * w + box.x0; i < end; i++) pixels[at++] = table[cells[i] & 1];
  }
}

function fillCompared(cells, reference, w, box, table, pixels) {
  let at = 0;
  for (let y = box.y0; y < box.y1; y++) {
    const end = y * w + box.x1;
    for (let i = y * w + box.x0; i < end; i++) pixels[at++] = table[(cells[i] & 1) | ((reference[i] & 1) << 1)];
  }
}

/** A colour as one number, in the byte order of this machine. */
function packed([red, green, blue], alpha) {
  return new Uint32Array(Uint8Array.of(red, green, blue, Math.round(alpha * 255)).buffer)[0];
}
