/** Cells as runs of equal ones: 24 megapixels become a few kilobytes in milliseconds, and that at once. Pure. */

/**
 * @param {Uint8Array} cells values 0 to 3
 * @returns {?Uint32Array} length * 4 + value of each run; null where that would take more room than the cells
 */
export function toRuns(cells) {
  const most = Math.max(16, cells.length >> 2);
  let runs = new Uint32Array(16);
  let count = 0;
  for (let start = 0; start < cells.length; ) {
    const end = endOfRun(cells, start);
    if (count === most) return null;
    if (count === runs.length) runs = grown(runs, Math.min(most, count * 2));
    runs[count] = (end - start) * 4 + cells[start];
    count += 1;
    start = end;
  }
  return runs.slice(0, count);
}

/** The cells that `toRuns` was given. */
export function fromRuns(runs, length) {
  const cells = new Uint8Array(length);
  let at = 0;
  for (const run of runs) {
    const end = at + Math.floor(run / 4);
    if (run % 4) cells.fill(run % 4, at, end);
    at = end;
  }
  if (at !== length) throw new Error(`The runs hold ${at} cells, not ${length}.`);
  return cells;
}

function endOfRun(cells, start) {
  const value = cells[start];
  let at = start + 1;
  const step = 32; // most runs are long: look at the far end of a stretch only after all of it
  while (at + step <= cells.length && isEven(cells, at, step, value)) at += step;
  while (at < cells.length && cells[at] === value) at += 1;
  return at;
}

function isEven(cells, at, step, value) {
  let differs = 0;
  for (let i = at; i < at + step; i += 1) differs |= cells[i] ^ value;
  return differs === 0;
}

function grown(runs, length) {
  const larger = new Uint32Array(length);
  larger.set(runs);
  return larger;
}
