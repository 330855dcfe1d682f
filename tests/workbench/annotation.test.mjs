import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Annotation } from '../../app/ui/workbench/annotation.js';
import { ANOMALOUS, TOUCHED } from '../../app/ui/workbench/cells.js';

const row = (text) => Uint8Array.from(text, Number);
const shown = (annotation) => Array.from(annotation.mask()).join('');
const span = (x0, x1, y = 0) => [{ y, x0, x1 }];

/** One row of ten pixels; the proposal is pixels 2 to 5. */
function annotated(more = {}) {
  const map = Float32Array.from([0, 1, 5, 9, 9, 5, 1, 0, 3, 0]);
  const cells = row('0011110000');
  return new Annotation({ width: 10, height: 1, cells, proposal: cells, map, threshold: 4, classes: [], ...more });
}

test('several patches between begin and end are one step', () => {
  const annotation = annotated();
  annotation.begin();
  annotation.paint(span(6, 7), 1);
  annotation.paint(span(8, 9), 1);
  annotation.end();
  assert.equal(shown(annotation), '0011111010');
  annotation.undo();
  assert.equal(shown(annotation), '0011110000');
  annotation.redo();
  assert.equal(shown(annotation), '0011111010');
});

test('a step that changed nothing leaves the redo steps alone', () => {
  const annotation = annotated();
  annotation.paint(span(8, 9), 1);
  annotation.undo();
  annotation.begin();
  annotation.end();
  assert.equal(annotation.canRedo, true);
});

test('it is dirty until saved, and clean again when undo comes back to what was saved', () => {
  const annotation = annotated();
  assert.equal(annotation.dirty, false);
  annotation.paint(span(8, 9), 1);
  assert.equal(annotation.dirty, true);
  annotation.markSaved();
  assert.equal(annotation.dirty, false);
  annotation.undo();
  assert.equal(annotation.dirty, true);
  annotation.redo();
  assert.equal(annotation.dirty, false);
});

test('a stroke under way while a save arrives goes on as one step and is not taken for saved', () => {
  const annotation = annotated();
  annotation.begin();
  annotation.paint(span(7, 8), 1);
  annotation.markSaved();
  assert.equal(annotation.dirty, true);
  annotation.paint(span(8, 9), 1);
  annotation.end();
  assert.equal(annotation.dirty, true);
  annotation.undo();
  assert.equal(shown(annotation), '0011110000');
  assert.equal(annotation.dirty, false);
});

test('it stays dirty when the step that would lead back to the saved state was dropped', () => {
  const annotation = annotated();
  for (let i = 0; i < 101; i += 1) annotation.paint(span(8, 9), i % 2 === 0 ? 1 : 0);
  while (annotation.canUndo) annotation.undo();
  assert.equal(shown(annotation), '0011110010'); // the first of 101 steps can no longer be taken back
  assert.equal(annotation.dirty, true);
});

test('edited compares with the proposal, or with an empty mask', () => {
  const annotation = annotated();
  assert.equal(annotation.edited, false);
  annotation.paint(span(8, 9), 1);
  assert.equal(annotation.edited, true);
  annotation.paint(span(8, 9), 0);
  assert.equal(annotation.edited, false);
  assert.equal(annotated({ proposal: null }).edited, true);
});

test('the threshold comes back with undo and keeps painted pixels', () => {
  const annotation = annotated();
  annotation.paint(span(7, 8), 1);
  annotation.paint(span(3, 4), 0);
  annotation.begin();
  annotation.repropose(6);
  annotation.rewind();
  annotation.repropose(1);
  annotation.end();
  assert.equal(shown(annotation), '0110111110'); // 7 painted, 3 erased, the others at least 1
  assert.equal(annotation.threshold, 1);
  annotation.undo();
  assert.equal(shown(annotation), '0010110100');
  assert.equal(annotation.threshold, 4);
});

test('a slider that goes on adjusting replaces its own step, but not after something else happened', () => {
  const annotation = annotated();
  const adjust = (x1) => {
    annotation.beginAdjusting('wand');
    annotation.paint(span(7, x1), 1);
    annotation.end();
  };
  adjust(10);
  adjust(8);
  assert.equal(shown(annotation), '0011110100');
  annotation.paint(span(0, 1), 1);
  assert.equal(annotation.canAdjust('wand'), false);
  adjust(9);
  annotation.undo();
  assert.equal(shown(annotation), '1011110100');
  annotation.undo();
  annotation.undo();
  assert.equal(shown(annotation), '0011110000');
});

test('a slider that had no effect yet can still be adjusted', () => {
  const annotation = annotated();
  annotation.beginAdjusting('minArea');
  annotation.end();
  assert.equal(annotation.canAdjust('minArea'), true);
});

test('a draft brings back cells with what a person decided, names and threshold, and counts as unsaved', () => {
  const annotation = annotated();
  annotation.paint(span(8, 9), 1);
  annotation.setClass([8, 0], 'scratch');
  const again = annotated({ draft: annotation.snapshot() });
  assert.deepEqual(again.cells, annotation.cells);
  assert.equal(again.cells[8], ANOMALOUS | TOUCHED);
  assert.deepEqual(again.classes(), [{ x: 8, y: 0, name: 'scratch' }]);
  assert.equal(again.dirty, true);
});

test('names belong to regions: new ones replace old, joined regions keep the first, lost ones are left out', () => {
  const annotation = annotated({ classes: [{ x: 2, y: 0, name: 'dent' }] });
  annotation.setClass([5, 0], 'crack');
  assert.deepEqual(annotation.classes(), [{ x: 5, y: 0, name: 'crack' }]);
  annotation.paint(span(8, 9), 1);
  annotation.setClass([8, 0], 'stain');
  assert.deepEqual(annotation.regions().map(({ area, name }) => [area, name]), [[4, 'crack'], [1, 'stain']]);
  annotation.paint(span(6, 8), 1);
  assert.deepEqual(annotation.classes(), [{ x: 5, y: 0, name: 'crack' }]);
  annotation.paint(span(0, 10), 0);
  assert.deepEqual(annotation.classes(), []);
  annotation.undo();
  annotation.undo();
  assert.deepEqual(annotation.classes().map(({ name }) => name), ['crack', 'stain']);
  annotation.setClass([2, 0], ' ');
  assert.deepEqual(annotation.classes().map(({ name }) => name), ['stain']);
});

test('a name moves within its region when its own pixel is erased', () => {
  const annotation = annotated({ classes: [{ x: 2, y: 0, name: 'dent' }] });
  annotation.paint(span(2, 4), 0);
  assert.deepEqual(annotation.classes(), [{ x: 4, y: 0, name: 'dent' }]);
});

test('cells of another size than the image are refused', () => {
  assert.throws(() => annotated({ width: 9 }), /The mask has 10 cells, not 9\./);
});
