import assert from 'node:assert/strict';
import { test } from 'node:test';

import { foreignText, overtakenText, scoreText, statusOf, timeText } from '../../app/ui/workbench/wording.js';

const now = new Date(2026, 10, 23, 15, 0);
const by = (author, number, kind = 'save') => ({ author, number, kind, saved_at: new Date(2026, 10, 23, 14, 3) });
const idle = { count: 0, failed: 0, delayS: 0 };
const still = { sending: idle, isDirty: false, isKept: true, hasFailed: false, revision: null, isOpen: true };

test('today needs no date, this year no year', () => {
  assert.equal(timeText(new Date(2026, 10, 23, 14, 3), now, 'en-GB'), '14:03');
  assert.equal(timeText(new Date(2026, 10, 3, 0, 5), now, 'en-GB'), '3 Nov, 00:05');
  assert.equal(timeText(new Date(2025, 10, 3, 9, 5), now, 'en-GB'), '3 Nov 2025, 09:05');
  assert.equal(timeText(null, now), '');
});

test('a score has two digits, a missing one no words', () => {
  assert.equal(scoreText(2.489), '2.49');
  assert.equal(scoreText(null), '');
});

test('the second of two savers is told who was first', () => {
  assert.equal(
    overtakenText([by('Ada', 3)]),
    'Ada saved revision 3 while you worked; both are kept; yours is newest.',
  );
  assert.equal(
    overtakenText([by('Bob', 4, 'delete'), by('Ada', 3)], 'cell.png'),
    'Ada saved revision 3 and Bob deleted the annotation in revision 4 of cell.png while you worked; all are kept; '
      + 'yours is newest.',
  );
  const many = overtakenText([1, 2, 3, 4].map((number) => by('Ada', number)));
  assert.match(many, /revision 1, .*revision 2 and 2 more while/);
});

test('work of others on the open image names the newest', () => {
  assert.equal(
    foreignText([by('Bob', 4), by('Ada', 3)], now),
    'Bob saved revision 4 of this image at 14:03. Nothing of yours was changed.',
  );
});

test('the status says first what is not stored', () => {
  const sending = { count: 1, failed: 2, delayS: 4 };
  const late = { text: 'Not saved yet, trying again in 4 s', tone: 'bad', isDirty: false };
  assert.deepEqual(statusOf({ ...still, sending }), late);
  assert.match(statusOf({ ...still, sending: { ...sending, count: 3 } }).text, /^3 saves are not stored yet/);
  assert.equal(statusOf({ ...still, isDirty: true }).text, 'Unsaved, kept in this browser');
  assert.equal(statusOf({ ...still, isDirty: true, isKept: false }).text, 'Unsaved work');
  assert.equal(statusOf({ ...still, isDirty: true, hasFailed: true }).tone, 'bad');
  assert.equal(statusOf({ ...still, sending: { ...idle, count: 1 } }).text, 'Saving …');
  assert.equal(statusOf(still).text, 'Not decided yet');
  assert.equal(statusOf({ ...still, isOpen: false }).text, '');
});
