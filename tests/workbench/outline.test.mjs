import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RIM, sample, trace } from '../../app/ui/workbench/outline.js';

const lines = (bytes, columns, signs = '.#') =>
  Array.from({ length: bytes.length / columns }, (_, y) =>
    Array.from(bytes.subarray(y * columns, (y + 1) * columns), (value) => signs[value]).join(''));

test('enlarged, a pixel shows as a square where the view puts it', () => {
  const cells = Uint8Array.of(0, 3, 2, 0); // 2 x 2: the right upper pixel is masked, the left lower one only touched
  const shown = sample(cells, { width: 2, height: 2 }, { scale: 2, x: 1, y: 0 }, { x0: 0, y0: -1, x1: 6, y1: 4 });
  assert.deepEqual(lines(shown, 6), ['......', '...##.', '...##.', '......', '......']);
});

test('reduced, one masked pixel is enough for the screen to show it', () => {
  const cells = new Uint8Array(64); // 8 x 8 on 2 x 2
  cells[5 * 8 + 6] = 1;
  const shown = sample(cells, { width: 8, height: 8 }, { scale: 0.25, x: 0, y: 0 }, { x0: 0, y0: 0, x1: 2, y1: 2 });
  assert.deepEqual(lines(shown, 2), ['..', '.#']);
});

test('the outline has a light line inside the mask and a dark one around it', () => {
  const columns = 9;
  const shown = new Uint8Array(columns * 9);
  for (let y = 3; y < 6; y += 1) shown.fill(1, y * columns + 3, y * columns + 6);
  const out = new Uint32Array((columns - 2 * RIM) * (9 - 2 * RIM));
  trace(out, shown, columns, { inside: 1, around: 2 }, 1);
  assert.deepEqual(lines(out, columns - 2 * RIM, '.io'), ['.ooo.', 'oiiio', 'oi.io', 'oiiio', '.ooo.']);
});
