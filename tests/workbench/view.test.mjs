import assert from 'node:assert/strict';
import test from 'node:test';

import { View } from '../../app/ui/workbench/view.js';
import { randomNumbers } from './grids.mjs';

test('fitting shows the whole image in the middle', () => {
  const view = new View();
  view.fit(200, 100, 400, 400);

  assert.deepEqual([view.scale, view.x, view.y], [2, 0, 100]);
});

test('small and huge images fit within the limits of zoom', () => {
  const view = new View();
  view.fit(2, 2, 1000, 500);
  assert.deepEqual([view.scale, view.x, view.y], [64, 436, 186]);

  view.fit(100000, 10, 1000, 500);
  assert.equal(view.scale, 1 / 32);

  view.fit(200, 100, 0, 0); // a hidden tab has no size
  assert.ok(view.scale > 0);
});

test('zooming keeps the point under the pointer', () => {
  const view = new View();
  view.fit(640, 480, 900, 700);
  const random = randomNumbers(31);
  for (let round = 0; round < 100; round++) {
    const [px, py] = [random() * 900, random() * 700];
    const before = view.toImage(px, py);
    view.zoomAt(px, py, 0.25 + random() * 2);
    const after = view.toImage(px, py);
    assert.ok(Math.abs(before[0] - after[0]) < 1e-6 && Math.abs(before[1] - after[1]) < 1e-6);
    assert.ok(view.scale >= 1 / 32 && view.scale <= 64);
  }
});

test('zooming stops at its limits and moves nothing there', () => {
  const view = new View();
  view.zoomAt(10, 20, 1e9);
  assert.equal(view.scale, 64);
  const { x, y } = view;

  view.zoomAt(300, 300, 2);

  assert.deepEqual([view.scale, view.x, view.y], [64, x, y]);
});

test('a pixel begins at its left top corner and ends before the next', () => {
  const view = new View();
  view.scale = 4;
  view.panBy(10, 20);

  assert.deepEqual(view.pixelAt(10, 20), [0, 0]);
  assert.deepEqual(view.pixelAt(13.99, 23.99), [0, 0]);
  assert.deepEqual(view.pixelAt(14, 24), [1, 1]);
  assert.deepEqual(view.pixelAt(9.99, 19.99), [-1, -1]);
  assert.deepEqual(view.toImage(12, 26), [0.5, 1.5]);
  assert.deepEqual(view.toScreen(0.5, 1.5), [12, 26]);
});

test('an image moved away comes back as far as its margin', () => {
  const view = new View();
  view.panBy(5000, -5000);

  view.keepIn(100, 80, 400, 300, 20);

  assert.deepEqual([view.x, view.y], [380, -60]);

  view.panBy(-5000, 5000);
  view.keepIn(100, 80, 400, 300, 20);
  assert.deepEqual([view.x, view.y], [-80, 280]);
});
