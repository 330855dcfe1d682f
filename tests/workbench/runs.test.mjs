import assert from 'node:assert/strict';
import test from 'node:test';

import { fromRuns, toRuns } from '../../app/ui/workbench/runs.js';

test('cells become the lengths and values of their runs', () => {
  const cells = Uint8Array.of(...Array(40).fill(0), 3, 3, 1, ...Array(7).fill(2));

  const runs = toRuns(cells);

  assert.deepEqual([...runs], [40 * 4, 2 * 4 + 3, 1 * 4 + 1, 7 * 4 + 2]);
  assert.deepEqual(fromRuns(runs, 50), cells);
});

test('cells of any shape come back as they were', () => {
  let state = 7;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let length = 0; length < 700; length += 37) {
    const cells = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const end = at + 1 + Math.floor(random() ** 3 * 150);
      cells.fill(Math.floor(random() * 4), at, end);
      at = end;
    }
    const runs = toRuns(cells);
    if (runs) assert.deepEqual(fromRuns(runs, length), cells);
    else assert.ok(length > 64);
  }
});

test('cells that change at every pixel have no runs worth keeping', () => {
  const noise = Uint8Array.from({ length: 1000 }, (_, i) => i % 2);

  assert.equal(toRuns(noise), null);
});

test('runs of another length are refused instead of being taken for a mask', () => {
  assert.throws(() => fromRuns(Uint32Array.of(4 * 4 + 1), 5), /The runs hold 4 cells, not 5/);
});
