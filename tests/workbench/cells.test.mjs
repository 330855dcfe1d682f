import assert from 'node:assert/strict';
import test from 'node:test';

import {
  PatchBuilder, applyPatch, area, boxPadded, boxUnion, cellsOf, maskOf, paint, replaceMask, repropose, revertPatch,
} from '../../app/ui/workbench/cells.js';
import { strokeSpans } from '../../app/ui/workbench/shapes.js';
import { drawn, grid, randomMask, randomNumbers } from './grids.mjs';

test('painting marks pixels as anomalous and decided, erasing as normal and decided', () => {
  const { cells, w, h } = grid('..#', '##.');

  const painted = paint(cells, w, h, [{ y: 0, x0: 1, x1: 3 }], 1);
  const erased = paint(cells, w, h, [{ y: 1, x0: 0, x1: 1 }], 0);

  assert.deepEqual(cells, grid('.++', '-#.').cells);
  assert.deepEqual([painted.changedPixels, painted.maskPixels, painted.box], [2, 1, { x0: 1, y0: 0, x1: 3, y1: 1 }]);
  assert.deepEqual([erased.changedPixels, erased.maskPixels, erased.box], [1, 1, { x0: 0, y0: 1, x1: 1, y1: 2 }]);
});

test('painting what is painted already is no change', () => {
  const { cells, w, h } = grid('++', '..');

  assert.equal(paint(cells, w, h, [{ y: 0, x0: 0, x1: 2 }], 1), null);
  assert.equal(paint(cells, w, h, [], 1), null);
});

test('spans are cut at the border and rows outside are left out', () => {
  const { cells, w, h } = grid('...', '...', '...');
  const spans = [{ y: -1, x0: 0, x1: 3 }, { y: 3, x0: 0, x1: 3 }, { y: 1, x0: -9, x1: 1 }, { y: 1, x0: 2, x1: 9 }];

  paint(cells, w, h, spans, 1);

  assert.deepEqual(drawn(cells, w), ['...', '#.#', '...']);
});

test('the box of a patch encloses its changed pixels, also of runs over several rows', () => {
  const { cells, w, h } = grid('.....', '.....', '.....', '.....');
  const builder = new PatchBuilder(cells, w, h);
  builder.set(8, 12, 1); // from (3, 1) over the end of the row to (1, 2)

  assert.deepEqual(builder.finish().box, { x0: 0, y0: 1, x1: 5, y1: 3 });

  builder.used = 0;
  builder.set(17, 19, 1); // (2, 3) and (3, 3)
  assert.deepEqual(builder.finish().box, { x0: 2, y0: 3, x1: 4, y1: 4 });
});

test('a patch whose runs went over each other is taken back to the first values', () => {
  const { cells, w, h } = grid('.#-+.');
  const before = cells.slice();
  const builder = new PatchBuilder(cells, w, h);
  builder.setSpan(0, 0, 5, 3);
  builder.setSpan(0, 1, 4, 2);
  builder.setSpan(0, 2, 4, 0);
  builder.setSpan(0, 3, 4, 1);
  const after = cells.slice();
  assert.deepEqual(after, grid('+-.#+').cells);
  const patch = builder.finish();

  revertPatch(cells, patch);
  assert.deepEqual(cells, before);
  applyPatch(cells, patch);
  assert.deepEqual(cells, after);
});

test('replacing a mask by hand decides the pixels that change and leaves the others as they were', () => {
  const { cells, w, h } = grid('.#-+');

  const patch = replaceMask(cells, w, h, Uint8Array.of(1, 1, 0, 0), { touch: true });

  assert.deepEqual(cells, grid('+#--').cells);
  assert.equal(patch.changedPixels, 2);
});

test('replacing a mask by one that nobody decided clears what was decided', () => {
  const { cells, w, h } = grid('.#-+');

  const patch = replaceMask(cells, w, h, Uint8Array.of(1, 1, 0, 0), { touch: false });

  assert.deepEqual(cells, grid('##..').cells);
  assert.equal(patch.changedPixels, 3); // 2 is now 0, too
  assert.equal(replaceMask(cells, w, h, Uint8Array.of(1, 1, 0, 0), { touch: false }), null);
});

test('proposing again takes values from the threshold on and keeps decided pixels', () => {
  const { cells, w, h } = grid('.#-+', '.#-+');
  const map = Float32Array.of(0.5, 0.25, 0.5, 0.25, 0.25, 0.5, 0.25, 0.5);

  const patch = repropose(cells, w, h, map, 0.5);

  assert.deepEqual(cells, grid('#.-+', '.#-+').cells);
  assert.deepEqual([patch.changedPixels, patch.box], [2, { x0: 0, y0: 0, x1: 2, y1: 1 }]);
  assert.equal(repropose(cells, w, h, map, 0.5), null);
});

test('a threshold is compared as float32, as numpy and torch do', () => {
  const { cells, w, h } = grid('.');

  repropose(cells, w, h, Float32Array.of(0.7), 0.7); // float32(0.7) is 0.699999988, below the float64 0.7

  assert.deepEqual(drawn(cells, w), ['#']);
});

test('values that are not numbers are never anomalous', () => {
  const { cells, w, h } = grid('.#');

  repropose(cells, w, h, Float32Array.of(NaN, NaN), 0.5);

  assert.deepEqual(drawn(cells, w), ['..']);
});

test('proposing again at any threshold never changes a decided pixel and sets every other one', () => {
  const random = randomNumbers(5);
  const [w, h] = [37, 23];
  const cells = Uint8Array.from({ length: w * h }, () => Math.floor(random() * 4));
  const map = Float32Array.from({ length: w * h }, random);
  for (let round = 0; round < 50; round++) {
    const [before, threshold] = [cells.slice(), random() * 1.2 - 0.1];
    repropose(cells, w, h, map, threshold);
    const expected = before.map((cell, i) => (cell >= 2 ? cell : Number(map[i] >= threshold)));
    assert.deepEqual(cells, expected);
  }
});

test('taking back any sequence of changes restores every bit, and doing it again too', () => {
  const [w, h] = [41, 29];
  for (let seed = 0; seed < 30; seed++) {
    const random = randomNumbers(seed);
    const cells = Uint8Array.from({ length: w * h }, () => Math.floor(random() * 4));
    const states = [cells.slice()];
    const patches = [];
    for (let step = 0; step < 40; step++) {
      const patch = randomChange(random, cells, w, h);
      if (patch) patches.push(patch);
      if (patch) states.push(cells.slice());
    }
    for (let i = patches.length - 1; i >= 0; i--) {
      revertPatch(cells, patches[i]);
      assert.deepEqual(cells, states[i]);
    }
    for (let i = 0; i < patches.length; i++) {
      applyPatch(cells, patches[i]);
      assert.deepEqual(cells, states[i + 1]);
    }
  }
});

test('a patch counts exactly the pixels that changed, all within its box', () => {
  const [w, h] = [41, 29];
  const random = randomNumbers(77);
  const cells = new Uint8Array(w * h);
  for (let step = 0; step < 100; step++) {
    const before = cells.slice();
    const patch = randomChange(random, cells, w, h);
    const changed = [...cells.keys()].filter((i) => cells[i] !== before[i]);
    const inMask = changed.filter((i) => (cells[i] ^ before[i]) & 1);
    assert.deepEqual([patch?.changedPixels ?? 0, patch?.maskPixels ?? 0], [changed.length, inMask.length]);
    if (patch) assert.deepEqual(patch.box, boxAround(changed, w));
  }
});

function randomChange(random, cells, w, h) {
  const kind = Math.floor(random() * 3);
  if (kind === 0) return repropose(cells, w, h, Float32Array.from({ length: w * h }, random), random());
  if (kind === 1) return replaceMask(cells, w, h, randomMask(random, w, h), { touch: random() < 0.5 });
  const [x0, y0, x1, y1] = [random() * w, random() * h, random() * w, random() * h];
  return paint(cells, w, h, strokeSpans(x0, y0, x1, y1, 1 + Math.floor(random() * 9), w, h), Number(random() < 0.5));
}

function boxAround(pixels, w) {
  const xs = pixels.map((i) => i % w);
  const ys = pixels.map((i) => Math.floor(i / w));
  return { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs) + 1, y1: Math.max(...ys) + 1 };
}

test('a saved mask is decided where it differs from its proposal, and everywhere when there is none', () => {
  const [mask, proposal] = [Uint8Array.of(0, 1, 0, 1), Uint8Array.of(0, 1, 1, 0)];

  assert.deepEqual(cellsOf(mask, proposal), grid('.#-+').cells);
  assert.deepEqual(cellsOf(mask, null), grid('-+-+').cells);
});

test('area and mask read bit 0 alone', () => {
  const { cells } = grid('.#-+');

  assert.equal(area(cells), 2);
  assert.deepEqual([...maskOf(cells)], [0, 1, 0, 1]);
});

test('boxes are joined and padded within the picture', () => {
  const [a, b] = [{ x0: 1, y0: 5, x1: 3, y1: 6 }, { x0: 2, y0: 0, x1: 9, y1: 2 }];

  assert.deepEqual(boxUnion(a, b), { x0: 1, y0: 0, x1: 9, y1: 6 });
  assert.deepEqual([boxUnion(a, null), boxUnion(null, b), boxUnion(null, null)], [a, b, null]);
  assert.deepEqual(boxPadded(a, 2, 4, 7), { x0: 0, y0: 3, x1: 4, y1: 7 });
});

test('arrays of another size are refused', () => {
  assert.throws(() => paint(new Uint8Array(5), 2, 3, [], 1), /2 x 3 pixels need 6 cells, got 5/);
  assert.throws(() => replaceMask(new Uint8Array(6), 2, 3, new Uint8Array(5)), /5 pixels, not 6/);
  assert.throws(() => repropose(new Uint8Array(6), 2, 3, new Float32Array(5), 0), /5 values, not 6/);
});
