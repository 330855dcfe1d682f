import assert from 'node:assert/strict';
import { test } from 'node:test';

import { COMMANDS } from '../../app/ui/workbench/commands.js';
import { KEYS, entryFor, titleOf } from '../../app/ui/workbench/keys.js';

const NOTHING_HELD = { code: '', ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };
const press = (key, more = {}) => entryFor({ ...NOTHING_HELD, key, ...more });
const named = (entry) => entry && [entry.command, entry.argument];

test('every key has a command, and no key has two', () => {
  assert.deepEqual(KEYS.filter(({ command }) => !COMMANDS[command]), []);
  const all = KEYS.flatMap(({ keys }) => keys);
  assert.equal(new Set(all).size, all.length);
});

test('letters work with caps lock, signs with whatever shift the layout needs', () => {
  assert.deepEqual(named(press('B')), ['tool', 'brush']);
  assert.deepEqual(named(press('?', { shiftKey: true })), ['help', undefined]);
  assert.deepEqual(named(press('+', { shiftKey: true })), ['zoomIn', undefined]);
  assert.deepEqual(named(press('[', { altKey: true })), undefined);
});

test('Ctrl and Cmd are the same; Ctrl with a letter is not the letter', () => {
  assert.deepEqual(named(press('z', { metaKey: true })), ['undo', undefined]);
  assert.deepEqual(named(press('Z', { ctrlKey: true, shiftKey: true })), ['redo', undefined]);
  assert.equal(press('c', { ctrlKey: true }), undefined);
  assert.equal(press('n', { ctrlKey: true }), undefined);
});

test('with Shift or Alt the polygon subtracts, also where Alt makes another character', () => {
  assert.deepEqual(named(press('P', { shiftKey: true })), ['polygon', 'subtract']);
  assert.deepEqual(named(press('π', { altKey: true, code: 'KeyP' })), ['polygon', 'subtract']);
});

test('on a keyboard with other letters the place of the key counts', () => {
  assert.deepEqual(named(press('и', { code: 'KeyB' })), ['tool', 'brush']);
});

test('a title names the key', () => {
  assert.equal(titleOf('undo'), 'Undo (Ctrl+Z)');
  assert.throws(() => titleOf('unheard of'), /No key does unheard of/);
});
