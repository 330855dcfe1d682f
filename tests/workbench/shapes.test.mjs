import assert from 'node:assert/strict';
import test from 'node:test';

import { polygonSpans, strokeSpans } from '../../app/ui/workbench/shapes.js';
import { drawn, filled, randomNumbers } from './grids.mjs';

const stroke = (x0, y0, x1, y1, diameter, w, h) => drawn(filled(strokeSpans(x0, y0, x1, y1, diameter, w, h), w, h), w);
const polygon = (points, w, h) => drawn(filled(polygonSpans(points, w, h), w, h), w);

/** Square of the distance between a pixel's centre and the segment between two pixels' centres. */
function squaredDistance(px, py, ax, ay, bx, by) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / length));
  return (px - ax - t * dx) ** 2 + (py - ay - t * dy) ** 2;
}

test('a dot of three pixels is a square, of five a square without corners', () => {
  assert.deepEqual(stroke(2.5, 2.5, 2.5, 2.5, 3, 5, 5), ['.....', '.###.', '.###.', '.###.', '.....']);
  assert.deepEqual(stroke(2.5, 2.5, 2.5, 2.5, 5, 5, 5), ['.###.', '#####', '#####', '#####', '.###.']);
});

test('where in its pixel the pointer is makes no difference', () => {
  assert.deepEqual(stroke(2, 2, 2.99, 2.01, 3, 5, 5), stroke(2.5, 2.5, 2.5, 2.5, 3, 5, 5));
});

test('a brush of one pixel draws the line of Bresenham', () => {
  assert.deepEqual(stroke(0.5, 0.5, 5.5, 2.5, 1, 6, 3), ['##....', '..##..', '....##']);
  assert.deepEqual(stroke(0.5, 0.5, 0.5, 2.5, 1, 2, 3), ['#.', '#.', '#.']);
  assert.deepEqual(stroke(2.5, 0.5, 0.5, 2.5, 1, 3, 3), ['..#', '.#.', '#..']);
  assert.deepEqual(stroke(1.5, 1.5, 1.5, 1.5, 1, 3, 3), ['...', '.#.', '...']);
});

test('lines of one pixel have one pixel at each step of the longer axis, the nearest', () => {
  const random = randomNumbers(3);
  const [w, h] = [40, 30];
  for (let round = 0; round < 500; round++) {
    const [ax, ay, bx, by] = [random() * w, random() * h, random() * w, random() * h].map(Math.floor);
    const mask = filled(strokeSpans(ax + random(), ay + random(), bx, by, 1, w, h), w, h);
    const steps = Math.max(Math.abs(bx - ax), Math.abs(by - ay));
    assert.equal(mask.reduce((sum, cell) => sum + cell), steps + 1);
    for (let k = 0; k <= steps; k++) {
      const [x, y] = [ax + ((bx - ax) * k) / (steps || 1), ay + ((by - ay) * k) / (steps || 1)];
      const near = [Math.floor(x), Math.ceil(x)].flatMap((px) => [Math.floor(y), Math.ceil(y)].map((py) => [px, py]));
      assert.ok(near.some(([px, py]) => mask[py * w + px] && Math.max(Math.abs(px - x), Math.abs(py - y)) <= 0.5));
    }
  }
});

test('a stroke covers exactly the pixels whose centre is within half its diameter', () => {
  const random = randomNumbers(4);
  const [w, h] = [48, 40];
  for (let round = 0; round < 1500; round++) {
    const coordinates = [random() * w * 2 - w / 2, random() * h * 2 - h / 2, random() * w * 2 - w / 2, random() * h];
    const diameter = round % 3 ? 2 + Math.floor(random() * 19) : 1.01 + random() * 20;
    const mask = filled(strokeSpans(...coordinates, diameter, w, h), w, h);
    const [ax, ay, bx, by] = coordinates.map(Math.floor);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const excess = squaredDistance(x, y, ax, ay, bx, by) - (diameter * diameter) / 4;
        if (Math.abs(excess) < 1e-9) continue; // on the rim, where the reference rounds
        assert.equal(mask[y * w + x], Number(excess < 0), `${x},${y} of ${[ax, ay, bx, by, diameter]}`);
      }
    }
  }
});

test('pixels exactly on the rim belong to the stroke', () => {
  // Diameter 10 around (6, 6): (3, 4) and (5, 0) away are exactly 5.
  const mask = filled(strokeSpans(6.5, 6.5, 6.5, 6.5, 10, 13, 13), 13, 13);

  const at = ([dx, dy]) => mask[(6 + dy) * 13 + 6 + dx];

  assert.deepEqual([[5, 0], [0, 5], [3, 4], [4, 3], [-3, 4], [-4, -3]].map(at), [1, 1, 1, 1, 1, 1]);
  assert.deepEqual([[5, 1], [4, 4], [-1, -5]].map(at), [0, 0, 0]);
  // From (6, 6) to (14, 12) the sides lie 5 times (3, -4) / 5 away: (7, -1) is on one of them.
  const slanted = filled(strokeSpans(6.5, 6.5, 14.5, 12.5, 10, 20, 20), 20, 20);
  assert.deepEqual([slanted[5 * 20 + 13], slanted[5 * 20 + 14]], [1, 0]);
  // Two pixels above and below a level stroke of diameter 4, and at its ends.
  assert.deepEqual(stroke(2.5, 3.5, 5.5, 3.5, 4, 9, 7), [
    '.........', '..####...', '.######..', '########.', '.######..', '..####...', '.........',
  ]);
});

test('a stroke drawn backwards is the same stroke', () => {
  const random = randomNumbers(6);
  for (let round = 0; round < 300; round++) {
    const [x0, y0, x1, y1] = [random() * 30, random() * 30, random() * 30, random() * 30];
    const diameter = 1 + Math.floor(random() * 8);
    assert.deepEqual(stroke(x0, y0, x1, y1, diameter, 30, 30), stroke(x1, y1, x0, y0, diameter, 30, 30));
  }
});

test('strokes beside the picture and strokes to nowhere paint nothing', () => {
  assert.deepEqual(strokeSpans(-50, -50, -20, 90, 8, 20, 20), []);
  assert.deepEqual(strokeSpans(30, 3, 50, 3, 8, 20, 20), []);
  assert.deepEqual(strokeSpans(NaN, 3, 50, 3, 8, 20, 20), []);
  assert.deepEqual(strokeSpans(1, 3, Infinity, 3, 8, 20, 20), []);
});

test('a polygon covers the pixels whose centre is inside', () => {
  assert.deepEqual(polygon([[1, 1], [4, 1], [4, 3], [1, 3]], 5, 4), ['.....', '.###.', '.###.', '.....']);
  assert.deepEqual(polygon([[0, 0], [4, 0], [0, 4]], 4, 4), ['###.', '##..', '#...', '....']);
});

test('what a polygon goes around twice is outside', () => {
  const [outer, inner] = [[[0, 0], [5, 0], [5, 5], [0, 5], [0, 0]], [[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]];

  assert.deepEqual(polygon([...outer, ...inner], 5, 5), ['#####', '#####', '##.##', '#####', '#####']);
});

test('polygons agree with ray casting at every pixel centre', () => {
  const random = randomNumbers(8);
  const [w, h] = [30, 26];
  for (let round = 0; round < 300; round++) {
    const corner = () => [random() * 1.6 * w - 0.3 * w, random() * 1.6 * h - 0.3 * h];
    const points = Array.from({ length: 3 + Math.floor(random() * 8) }, corner);
    const mask = filled(polygonSpans(points, w, h), w, h);
    for (let i = 0; i < w * h; i++) assert.equal(mask[i], castRay(points, (i % w) + 0.5, Math.floor(i / w) + 0.5));
  }
});

function castRay(points, x, y) {
  let inside = 0;
  points.forEach(([ax, ay], i) => {
    const [bx, by] = points[(i + 1) % points.length];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) inside ^= 1;
  });
  return inside;
}

test('polygons that share edges share no pixel and leave none out', () => {
  const random = randomNumbers(9);
  for (let round = 0; round < 100; round++) {
    // Corners on pixel centres and pixel corners are where ties happen.
    const middle = [Math.floor(random() * 40) / 2, Math.floor(random() * 40) / 2];
    const corners = [[0, 0], [20, 0], [20, 20], [0, 20]];
    const count = new Uint8Array(400);
    corners.forEach((corner, i) => {
      const triangle = [corner, middle, corners[(i + 1) % 4]];
      const mask = filled(polygonSpans(i % 2 ? triangle : triangle.reverse(), 20, 20), 20, 20);
      mask.forEach((cell, at) => (count[at] += cell));
    });
    assert.ok(count.every((times) => times === 1));
  }
});

test('fewer than three corners enclose nothing', () => {
  assert.deepEqual(polygonSpans([[0, 0], [5, 5]], 9, 9), []);
  assert.deepEqual(polygonSpans([[0, 0], [5, NaN], [5, 5]], 9, 9), []);
});
