import assert from 'node:assert/strict';
import test from 'node:test';

import { colourise, compare, logOdds, upsample, wandSpans } from '../../app/ui/workbench/map.js';
import { drawn, filled, flooded, grid, randomNumbers } from './grids.mjs';

test('doubling a map puts a quarter and three quarters between its values', () => {
  // Output i reads input (i + 0.5) / 2 - 0.5: -0.25 (clamped to 0), 0.25, 0.75, 1.25 (clamped to 1).
  assert.deepEqual([...upsample(Float32Array.of(0, 4), 1, 2, 1, 4)], [0, 1, 3, 4]);
  assert.deepEqual([...upsample(Float32Array.of(0, 4), 2, 1, 4, 1)], [0, 1, 3, 4]);
});

test('a map of 2 x 3 at 3 x 5 has the values of bilinear interpolation', () => {
  // F.interpolate(tensor([[[[0., 10., 20.], [40., 50., 60.]]]]), size=(3, 5), mode="bilinear", align_corners=False).
  // Columns read 0, 0.4, 1, 1.6, 2 and rows 0, 0.5, 1; the map is 10 x + 40 y.
  const expected = [0, 4, 10, 16, 20, 20, 24, 30, 36, 40, 40, 44, 50, 56, 60];

  const full = upsample(Float32Array.of(0, 10, 20, 40, 50, 60), 2, 3, 3, 5);

  full.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5, `${i}: ${value}`));
});

test('a map of the same size stays as it is', () => {
  const random = randomNumbers(21);
  const map = Float32Array.from({ length: 35 }, random);

  assert.deepEqual(upsample(map, 5, 7, 5, 7), map);
});

test('a map made smaller takes the two nearest values without averaging', () => {
  // Scale 8 / 2 = 4: outputs read 4 * 0.5 - 0.5 = 1.5 and 4 * 1.5 - 0.5 = 5.5.
  assert.deepEqual([...upsample(Float32Array.of(0, 10, 20, 90, 0, 5, 7, 90), 1, 8, 1, 2)], [15, 6]);
});

test('enlarged maps agree with four weighted neighbours at every pixel', () => {
  const random = randomNumbers(22);
  for (let round = 0; round < 60; round++) {
    const [mh, mw, h, w] = [12, 12, 40, 40].map((most) => 1 + Math.floor(random() * most));
    const map = Float32Array.from({ length: mh * mw }, random);
    const full = upsample(map, mh, mw, h, w);
    full.forEach((value, i) => {
      const [x, y] = [place(i % w, mw, w), place(Math.floor(i / w), mh, h)];
      let expected = 0;
      for (const row of [0, 1]) {
        for (const column of [0, 1]) {
          const weight = (row ? y.share : 1 - y.share) * (column ? x.share : 1 - x.share);
          expected += weight * map[Math.min(mh - 1, y.first + row) * mw + Math.min(mw - 1, x.first + column)];
        }
      }
      assert.ok(Math.abs(value - expected) < 1e-5);
    });
  }
});

function place(i, size, outSize) {
  const at = Math.max(0, ((i + 0.5) * size) / outSize - 0.5);
  return { first: Math.floor(at), share: at - Math.floor(at) };
}

test('a map of another size than it says is refused', () => {
  assert.throws(() => upsample(new Float32Array(5), 2, 3, 4, 4), /2 x 3 has 6 values, got 5/);
});

test('the wand takes what is joined and high enough above the low end', () => {
  const map = Float32Array.of(
    9, 5, 1, 1,
    1, 4, 1, 9,
    1, 1, 6, 1,
  );
  const wand = (fraction) => drawn(filled(wandSpans(map, 4, 3, 0, 0, { low: 1 }, fraction), 4, 3), 4);

  assert.deepEqual(wand(0.5), ['##..', '....', '....']); // from 1 + 0.5 * 8 = 5 on
  assert.deepEqual(wand(0.375), ['##..', '.#.#', '..#.']); // from 4 on, joined over corners
  assert.deepEqual(wand(1), ['#...', '....', '....']);
  assert.deepEqual(wand(0), ['####', '####', '####']);
});

test('the wand always takes the pixel it points at', () => {
  const random = randomNumbers(23);
  for (let round = 0; round < 300; round++) {
    const [w, h] = [12, 9];
    const map = Float32Array.from({ length: w * h }, random);
    const [x, y] = [Math.floor(random() * w), Math.floor(random() * h)];
    const [low, fraction] = [random(), random()];
    const value = map[y * w + x];
    const threshold = low + fraction * (value - low);
    const joined = filled(wandSpans(map, w, h, x, y, { low }, fraction), w, h);
    assert.equal(joined[y * w + x], 1);
    if (threshold > value) continue; // pointing below the low end takes what is as high
    const expected = flooded(Uint8Array.from(map, (v) => Number(v >= threshold)), w, h, x, y, { diagonal: true });
    assert.deepEqual([...joined.keys()].filter((i) => joined[i]), [...expected].sort((a, b) => a - b));
  }
});

test('the wand outside the picture takes nothing', () => {
  for (const [x, y] of [[-1, 0], [2, 0], [0, -1], [0, 1]]) {
    assert.deepEqual(wandSpans(Float32Array.of(1, 1), 2, 1, x, y, { low: 0 }, 0.5), []);
  }
});

test('comparing counts pixels of the mask, whoever decided them', () => {
  const { cells } = grid('#+-.', '##..');
  const other = Uint8Array.of(1, 0, 1, 0, 1, 1, 0, 1);

  assert.deepEqual(compare(cells, other), { intersection: 3, union: 6, iou: 0.5, onlyA: 1, onlyB: 2 });
});

test('two empty masks agree', () => {
  assert.deepEqual(compare(new Uint8Array(4), new Uint8Array(4)), {
    intersection: 0, union: 0, iou: 1, onlyA: 0, onlyB: 0,
  });
  assert.throws(() => compare(new Uint8Array(4), new Uint8Array(5)), /masks of 4 and 5 pixels/);
});

test('colours run from the low to the high end and stay at the ends beyond them', () => {
  const palette = Uint8Array.from({ length: 768 }, (_, i) => (i % 3 === 0 ? i / 3 : i % 3)); // (i, 1, 2)

  const rgba = colourise(Float32Array.of(-9, 1, 2, 3, 99, NaN), 1, 3, palette, 0.4);

  // The middle is 127.5, rounded up; 0.4 * 255 = 102.
  const colours = [0, 0, 128, 255, 255, 0];
  assert.deepEqual([...rgba], colours.flatMap((at) => [at, 1, 2, 102]));
});

test('a scale without extent shows its two ends', () => {
  const palette = new Uint8Array(768).fill(7, 765);

  const rgba = colourise(Float32Array.of(0, 1, 2), 1, 1, palette, 1);

  assert.deepEqual([rgba[0], rgba[8]], [0, 7]);
});

test('the wand counts heights of probabilities in log-odds', () => {
  // Halfway in log-odds from 0.1 (-2.197) to 0.9 (2.197) lies 0.5; halfway in probability lies 0.5 too, so take a third:
  // -2.197 + 4.394 / 3 = -0.732, a probability of 0.3247, where a linear third would be 0.3667.
  const map = Float32Array.of(0.9, 0.35, 0.32);
  const found = wandSpans(map, 3, 1, 0, 0, { low: 0.1, odds: true }, 1 / 3);
  assert.deepEqual(found, [{ y: 0, x0: 0, x1: 2 }]);
  assert.deepEqual(wandSpans(map, 3, 1, 0, 0, { low: 0.1 }, 1 / 3), [{ y: 0, x0: 0, x1: 1 }]);
});

test('log-odds are those of the probability and stay finite', () => {
  assert.equal(logOdds(0.5), 0);
  assert.ok(Math.abs(logOdds(0.75) - Math.log(3)) < 1e-12);
  assert.ok(Math.abs(logOdds(0) - Math.log(1e-6 / (1 - 1e-6))) < 1e-9);
  assert.ok(Number.isFinite(logOdds(1)));
});
