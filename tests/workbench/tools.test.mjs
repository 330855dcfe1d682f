import assert from 'node:assert/strict';
import test from 'node:test';

import { Annotation } from '../../app/ui/workbench/annotation.js';
import { Brush, KeepOrDrop, Polygon, Wand } from '../../app/ui/workbench/tools.js';

/** A picture of 12 by 4: on its map two bumps, of height 3 at x 1 to 3 and of height 2 at x 7 to 9, on rows 1 and 2. */
function bench({ proposal = null } = {}) {
  const map = new Float32Array(48);
  for (const row of [1, 2]) {
    map.set([1.5, 3, 1.5], row * 12 + 1);
    map.set([2, 2, 1], row * 12 + 7);
  }
  const cells = new Uint8Array(48);
  const said = [];
  const stage = { view: { toScreen: (x, y) => [x * 50, y * 50] }, pointers: { showPolygon() {} } };
  const annotation = new Annotation({ width: 12, height: 4, cells, proposal, map, threshold: null });
  const settings = { size: 1, fraction: 0.6, polygon: 'add' };
  return { annotation, settings, stage, scale: { low: 0, high: 4 }, say: (text) => said.push(text), said };
}

const at = (x, y, more = {}) => ({ x, y, window: [x * 50, y * 50], time: 0, shift: false, subtract: false, ...more });
const marked = ({ annotation }) =>
  [...annotation.mask()].flatMap((bit, i) => (bit ? [`${i % 12},${Math.floor(i / 12)}`] : [])).join(' ');
const LEFT = '2,1 2,2'; // at least 1.8 of 3
const RIGHT = '7,1 8,1 7,2 8,2'; // at least 1.2 of 2

function press(tool, point) {
  tool.down(point);
  tool.up();
}

test('each click of the wand is a step of its own, and undo takes back one click', () => {
  const place = bench();
  const wand = new Wand(place);

  press(wand, at(2.5, 1.5));
  press(wand, at(7.5, 1.5));
  const both = marked(place);
  place.annotation.undo();

  assert.equal(both, '2,1 7,1 8,1 2,2 7,2 8,2');
  assert.equal(marked(place), LEFT);
});

test("the wand's slider adjusts the newest click and leaves the one before", () => {
  const place = bench();
  const wand = new Wand(place);
  press(wand, at(2.5, 1.5));
  press(wand, at(7.5, 1.5));

  place.settings.fraction = 0.5;
  wand.adjust();
  place.annotation.undo();

  assert.equal(marked(place), LEFT);
});

test('the slider changes nothing after another tool was used', () => {
  const place = bench();
  const wand = new Wand(place);
  press(wand, at(2.5, 1.5));
  press(new Brush(place, 1), at(11.5, 3.5));

  place.settings.fraction = 0.1;
  wand.adjust();

  assert.equal(marked(place), '2,1 2,2 11,3');
});

test('the wand subtracts what is like the point', () => {
  const place = bench();
  const wand = new Wand(place);
  press(wand, at(2.5, 1.5));
  press(wand, at(7.5, 1.5));

  press(wand, at(2.5, 2.5, { subtract: true }));

  assert.equal(marked(place), RIGHT);
});

test('without a map the wand says so and leaves no step', () => {
  const place = bench();
  place.annotation.map = null;

  press(new Wand(place), at(2.5, 1.5));

  assert.deepEqual(place.said, ['There is no anomaly map for this image.']);
  assert.equal(place.annotation.canUndo, false);
});

test('an open polygon of three corners is settled into the mask, one of two is given up', () => {
  const place = bench();
  const polygon = new Polygon(place);
  for (const corner of [[4, 0], [8, 0], [8, 4], [4, 4]]) polygon.down(at(...corner));
  polygon.settle();
  const square = place.annotation.area();
  for (const corner of [[0, 0], [2, 0]]) polygon.down(at(...corner));
  polygon.settle();
  polygon.settle();

  assert.equal(square, 16);
  assert.equal(place.annotation.area(), 16);
  assert.equal(polygon.isOpen, false);
  assert.deepEqual(place.said, ['The open polygon was closed and is part of the mask.']);
});

test('a brush that is held begins again after something else ended its step', () => {
  const place = bench();
  const brush = new Brush(place, 1);
  brush.down(at(0.5, 0.5));
  place.annotation.end();
  brush.move(at(2.5, 0.5));
  brush.up();

  place.annotation.undo();

  assert.equal(marked(place), '0,0');
});

test('keep or drop outside the picture and beside all regions says that there is none', () => {
  const proposal = new Uint8Array(48).fill(1, 12, 14);
  const place = bench({ proposal });
  const tool = new KeepOrDrop(place);

  press(tool, at(6.5, 3.5));
  press(tool, at(0.5, 1.5));

  assert.deepEqual(place.said, ['There is no region here.']);
  assert.equal(marked(place), '0,1 1,1');
});
