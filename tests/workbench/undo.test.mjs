import assert from 'node:assert/strict';
import test from 'node:test';

import { UndoStack } from '../../app/ui/workbench/undo.js';

const patch = (name, bytes = 0) => ({ name, bytes });
const names = (patches) => patches.map(({ name }) => name).join('');

test('a step is taken back last patch first and done again first patch first', () => {
  const stack = new UndoStack();
  stack.push([patch('a'), patch('b')]);
  stack.push(patch('c'));

  assert.deepEqual([names(stack.undo()), names(stack.undo()), names(stack.undo())], ['c', 'ba', '']);
  assert.deepEqual([names(stack.redo()), names(stack.redo()), names(stack.redo())], ['ab', 'c', '']);
});

test('patches of one stroke are one step', () => {
  const stack = new UndoStack();
  stack.push(patch('a'));
  stack.push(patch('b'));
  stack.extend(patch('c'));
  stack.extend([patch('d'), null]);

  assert.equal(names(stack.undo()), 'dcb');
  assert.equal(names(stack.undo()), 'a');
});

test('extending an empty stack begins a step', () => {
  const stack = new UndoStack();
  stack.extend(patch('a'));

  assert.equal(names(stack.undo()), 'a');
});

test('what changed nothing is no step', () => {
  const stack = new UndoStack();
  stack.push(null);
  stack.push([]);
  stack.push([null]);
  stack.extend(null);

  assert.deepEqual([stack.canUndo, stack.top], [false, null]);
});

test('a new step drops what was undone, a change that changed nothing does not', () => {
  const stack = new UndoStack();
  stack.push(patch('a'));
  stack.undo();
  stack.push(null);
  assert.equal(stack.canRedo, true);

  stack.push(patch('b'));

  assert.deepEqual([stack.canRedo, names(stack.undo()), stack.canUndo], [false, 'b', false]);
});

test('fifty steps are kept and the oldest goes first', () => {
  const stack = new UndoStack();
  for (let i = 0; i < 53; i++) stack.push(patch(`${i} `));

  const undone = [];
  while (stack.canUndo) undone.push(names(stack.undo()).trim());

  assert.deepEqual([undone.length, undone[0], undone[49]], [50, '52', '3']);
});

test('old steps go when memory is short, but never the newest', () => {
  const stack = new UndoStack(50, 100);
  for (const bytes of [40, 40, 40]) stack.push(patch('x', bytes));
  assert.deepEqual([stack.done.length, stack.bytes], [2, 80]);

  stack.push(patch('y', 1000));

  assert.equal(names(stack.undo()), 'y');
  assert.equal(stack.canUndo, false);
});

test('the top step is the same object again after undo and redo, and another after it grew', () => {
  const stack = new UndoStack();
  stack.push(patch('a'));
  const saved = stack.top;
  stack.push(patch('b'));
  stack.undo();
  assert.equal(stack.top, saved);
  stack.undo();
  assert.equal(stack.top, null);
  stack.redo();
  assert.equal(stack.top, saved);

  stack.extend(patch('c'));

  assert.notEqual(stack.top, saved);
});

test('clear forgets both ways', () => {
  const stack = new UndoStack();
  stack.push(patch('a'));
  stack.push(patch('b'));
  stack.undo();

  stack.clear();

  assert.deepEqual([stack.canUndo, stack.canRedo, stack.bytes], [false, false, 0]);
});
