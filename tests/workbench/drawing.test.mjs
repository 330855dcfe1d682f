import assert from 'node:assert/strict';
import test from 'node:test';

import { drawCells, outlineOf } from '../../app/ui/workbench/drawing.js';
import { drawn, grid, randomMask, randomNumbers } from './grids.mjs';

test('the outline is the pixels of the mask beside its outside, the border included', () => {
  const { cells, w, h } = grid('.....', '.###.', '.#+#.', '.###.', '-....');
  const box = { x0: 0, y0: 0, x1: w, y1: h };

  assert.deepEqual(drawn(outlineOf(cells, w, h, box), w), ['.....', '.###.', '.#.#.', '.###.', '.....']);
  const full = grid('###', '###', '###');
  assert.deepEqual(drawn(outlineOf(full.cells, 3, 3, { x0: 0, y0: 0, x1: 3, y1: 3 }), 3), ['###', '#.#', '###']);
});

test('the outline of a box is that part of the whole outline', () => {
  const random = randomNumbers(41);
  const [w, h] = [17, 13];
  const cells = randomMask(random, w, h, 0.8);
  const whole = outlineOf(cells, w, h, { x0: 0, y0: 0, x1: w, y1: h });
  const box = { x0: 3, y0: 2, x1: 11, y1: 13 };

  const part = outlineOf(cells, w, h, box);

  part.forEach((cell, i) => assert.equal(cell, whole[(2 + Math.floor(i / 8)) * w + 3 + (i % 8)]));
});

test('the mask is drawn in its colour and nothing elsewhere', () => {
  const { cells, w } = grid('..##', '.+-.');

  const rgba = drawCells(cells, w, { x0: 1, y0: 0, x1: 3, y1: 2 }, { colour: [10, 20, 30], alpha: 0.2 });

  const [on, off] = [[10, 20, 30, 51], [0, 0, 0, 0]];
  assert.deepEqual([...rgba], [...off, ...on, ...on, ...off]);
});

test('the outline is opaque, whatever the opacity', () => {
  const { cells, w, h } = grid('###', '###', '###');

  const rgba = drawCells(cells, w, { x0: 0, y0: 0, x1: w, y1: h }, { colour: [1, 2, 3], alpha: 0.1, outline: true });

  assert.deepEqual([...rgba.subarray(0, 4)], [1, 2, 3, 255]);
  assert.deepEqual([...rgba.subarray(16, 20)], [0, 0, 0, 0]);
});

test('comparing colours what both, only the cells and only the reference have', () => {
  const { cells, w, h } = grid('##-.');
  const diffColours = { both: [1, 1, 1], added: [2, 2, 2], removed: [3, 3, 3] };

  const rgba = drawCells(cells, w, { x0: 0, y0: 0, x1: w, y1: h }, {
    alpha: 1, reference: Uint8Array.of(1, 0, 1, 0), diffColours,
  });

  assert.deepEqual([...rgba], [1, 1, 1, 255, 2, 2, 2, 255, 3, 3, 3, 255, 0, 0, 0, 0]);
});
