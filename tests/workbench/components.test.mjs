import assert from 'node:assert/strict';
import test from 'node:test';

import {
  grownMask, holeSpans, regionAt, regions, shrunkMask, smallRegionSpans,
} from '../../app/ui/workbench/components.js';
import { drawn, filled, flooded, grid, randomMask, randomNumbers } from './grids.mjs';

test('pixels that touch at a corner are one region', () => {
  const { cells, w, h } = grid('#...#', '.#...', '....#');

  assert.deepEqual(regions(cells, w, h).map(({ area }) => area), [2, 1, 1]);
});

test('regions come largest first with box and a pixel of theirs', () => {
  const { cells, w, h } = grid('##.....', '#...+++', '..-..##');

  assert.deepEqual(regions(cells, w, h), [
    { area: 5, box: { x0: 4, y0: 1, x1: 7, y1: 3 }, point: [5, 1] },
    { area: 3, box: { x0: 0, y0: 0, x1: 2, y1: 2 }, point: [0, 0] },
  ]);
});

test('an arm that comes back from below joins its region', () => {
  const { cells, w, h } = grid('#.#.#', '#.#.#', '#.###', '#.#..', '###..');

  assert.deepEqual(regions(cells, w, h).map(({ area }) => area), [15]);
});

test('regions of random masks are those of a flood from every pixel', () => {
  const random = randomNumbers(11);
  for (let round = 0; round < 200; round++) {
    const [w, h] = [1 + Math.floor(random() * 20), 1 + Math.floor(random() * 20)];
    const cells = randomMask(random, w, h, random());
    const found = regions(cells, w, h);
    const left = new Set([...cells.keys()].filter((i) => cells[i]));
    for (const { area, box, point: [x, y] } of found) {
      const expected = [...flooded(cells, w, h, x, y, { diagonal: true })];
      expected.forEach((i) => assert.ok(left.delete(i)));
      assert.equal(area, expected.length);
      assert.deepEqual(box, boxAround(expected, w));
    }
    assert.equal(left.size, 0);
    found.slice(1).forEach(({ area }, i) => assert.ok(area <= found[i].area));
  }
});

test('the region at a pixel is a flood from it', () => {
  const random = randomNumbers(12);
  for (let round = 0; round < 200; round++) {
    const [w, h] = [1 + Math.floor(random() * 20), 1 + Math.floor(random() * 20)];
    const cells = randomMask(random, w, h, random());
    const [x, y] = [Math.floor(random() * w), Math.floor(random() * h)];
    const found = regionAt(cells, w, h, x, y);
    const expected = [...flooded(cells, w, h, x, y, { diagonal: true })].sort((a, b) => a - b);
    if (expected.length === 0) {
      assert.equal(found, null);
      continue;
    }
    const mask = filled(found.spans, w, h);
    assert.deepEqual([...mask.keys()].filter((i) => mask[i]), expected);
    assert.deepEqual([found.area, found.box], [expected.length, boxAround(expected, w)]);
  }
});

function boxAround(pixels, w) {
  const xs = pixels.map((i) => i % w);
  const ys = pixels.map((i) => Math.floor(i / w));
  return { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs) + 1, y1: Math.max(...ys) + 1 };
}

test('there is no region outside the picture', () => {
  const { cells, w, h } = grid('##', '##');

  for (const [x, y] of [[-1, 0], [2, 0], [0, -1], [0, 2]]) assert.equal(regionAt(cells, w, h, x, y), null);
});

test('regions below the smallest area are found, those of just that area are not', () => {
  const { cells, w, h } = grid('#..##.', '...#..', '#.....', '#....#');

  const small = filled(smallRegionSpans(cells, w, h, 3), w, h);

  assert.deepEqual(drawn(small, w), ['#.....', '......', '#.....', '#....#']);
  assert.deepEqual(smallRegionSpans(cells, w, h, 1), []);
});

test('holes are background cut off from the border, and a diagonal of pixels closes one', () => {
  const { cells, w, h } = grid('.#...', '#.#..', '.#.##', '..#.#', '.##.#');

  const holes = filled(holeSpans(cells, w, h), w, h);

  // (3, 3) leads out over (3, 4); (1, 1) is closed by its four neighbours; (2, 2) by (1, 2), (3, 2), (2, 1), (2, 3).
  assert.deepEqual(drawn(holes, w), ['.....', '.#...', '..#..', '.....', '.....']);
});

test('holes of random masks are what a flood from the border does not reach', () => {
  const random = randomNumbers(13);
  for (let round = 0; round < 200; round++) {
    const [w, h] = [1 + Math.floor(random() * 18), 1 + Math.floor(random() * 18)];
    const cells = randomMask(random, w, h, 0.3 + random() * 0.6);
    const outside = new Set();
    for (let i = 0; i < w * h; i++) {
      const [x, y] = [i % w, Math.floor(i / w)];
      if (x > 0 && y > 0 && x < w - 1 && y < h - 1) continue;
      flooded(cells, w, h, x, y, { diagonal: false, wanted: 0 }).forEach((pixel) => outside.add(pixel));
    }
    const expected = cells.map((cell, i) => Number(!(cell & 1) && !outside.has(i)));
    assert.deepEqual(filled(holeSpans(cells, w, h), w, h), expected);
  }
});

test('a pixel grows to a disc', () => {
  const { cells, w, h } = grid('.....', '.....', '..+..', '..-..', '.....');

  assert.deepEqual(drawn(grownMask(cells, w, h, 1), w), ['.....', '..#..', '.###.', '..#..', '.....']);
  assert.deepEqual(drawn(grownMask(cells, w, h, 1.5), w), ['.....', '.###.', '.###.', '.###.', '.....']);
  assert.deepEqual(drawn(grownMask(cells, w, h, 2), w), ['..#..', '.###.', '#####', '.###.', '..#..']);
  assert.deepEqual(drawn(grownMask(cells, w, h, 0), w), drawn(cells, w));
});

test('shrinking takes nothing away from the side of the border', () => {
  const { cells, w, h } = grid('###..', '###..', '###..');

  assert.deepEqual(drawn(shrunkMask(cells, w, h, 1), w), ['##...', '##...', '##...']);
  const full = grid('###', '###');
  assert.deepEqual(shrunkMask(full.cells, 3, 2, 50), full.cells);
});

test('grown and shrunk random masks agree with every pair of pixels', () => {
  const random = randomNumbers(14);
  for (let round = 0; round < 150; round++) {
    const [w, h] = [1 + Math.floor(random() * 20), 1 + Math.floor(random() * 20)];
    const cells = randomMask(random, w, h, random() ** 3);
    const r = round % 2 ? Math.floor(random() * 7) : random() * 30;
    const near = (wanted) => cells.map((_, i) => Number(withinReach(cells, w, i, r, wanted)));
    assert.deepEqual(grownMask(cells, w, h, r), near(1), `grown by ${r}`);
    assert.deepEqual(shrunkMask(cells, w, h, r), near(0).map((cell) => 1 - cell), `shrunk by ${r}`);
  }
});

function withinReach(cells, w, at, r, wanted) {
  const [x, y] = [at % w, Math.floor(at / w)];
  return cells.some((cell, i) => cell === wanted && ((i % w) - x) ** 2 + (Math.floor(i / w) - y) ** 2 <= r * r);
}
