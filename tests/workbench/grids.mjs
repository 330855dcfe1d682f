/** Small masks drawn as text, and the slow and plain ways to the same answers. */

/**
 * @param {...string} rows '#' is the mask, '.' is not, '+' and '-' are the same decided by a person.
 * @returns {{cells: Uint8Array, w: number, h: number}}
 */
export function grid(...rows) {
  const cells = Uint8Array.from(rows.join(''), (letter) => '.#-+'.indexOf(letter));
  return { cells, w: rows[0].length, h: rows.length };
}

/** @returns {string[]} the mask as rows of '.' and '#'. */
export function drawn(mask, w) {
  const rows = [];
  for (let start = 0; start < mask.length; start += w) {
    rows.push(Array.from(mask.subarray(start, start + w), (cell) => '.#'[cell & 1]).join(''));
  }
  return rows;
}

/** @returns {Uint8Array} 1 in the spans; fails where a span leaves the picture or covers a pixel twice. */
export function filled(spans, w, h) {
  const mask = new Uint8Array(w * h);
  for (const { y, x0, x1 } of spans) {
    const fits = y >= 0 && y < h && x0 >= 0 && x0 < x1 && x1 <= w;
    if (!fits) throw new Error(`span ${y}: ${x0}-${x1} outside ${w}x${h}`);
    for (let x = x0; x < x1; x++) {
      if (mask[y * w + x]) throw new Error(`pixel ${x},${y} covered twice`);
      mask[y * w + x] = 1;
    }
  }
  return mask;
}

/** @returns {() => number} numbers in [0, 1), the same for the same seed. */
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** @returns {Uint8Array} a random mask. */
export function randomMask(random, w, h, share = 0.5) {
  return Uint8Array.from({ length: w * h }, () => (random() < share ? 1 : 0));
}

/** @returns {Set<number>} pixels joined to one, by recursion. */
export function flooded(cells, w, h, x, y, { diagonal, wanted = 1 }) {
  const found = new Set();
  const visit = (px, py) => {
    if (px < 0 || py < 0 || px >= w || py >= h) return;
    const at = py * w + px;
    if ((cells[at] & 1) !== wanted || found.has(at)) return;
    found.add(at);
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) if (diagonal || dx === 0 || dy === 0) visit(px + dx, py + dy);
    }
  };
  visit(x, y);
  return found;
}
