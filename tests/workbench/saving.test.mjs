import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Outbox, afterAttempt, freshSaveId } from '../../app/ui/workbench/saving.js';

const stored = (number) => ({ revision: { number } });
const request = (digest, saveId, basedOn = 0) => ({ digest, save_id: saveId, based_on: basedOn });

test('only an answer with a revision is a save, a sentence is a refusal, all else is tried again', () => {
  assert.deepEqual(afterAttempt(0, stored(1)), { state: 'saved' });
  assert.deepEqual(afterAttempt(0, { error: 'The disk is full.' }), { state: 'refused', why: 'The disk is full.' });
  assert.deepEqual(afterAttempt(0, undefined), { state: 'waiting', delayS: 1 });
  assert.deepEqual(afterAttempt(2, null), { state: 'waiting', delayS: 4 });
  assert.deepEqual(afterAttempt(99, {}), { state: 'waiting', delayS: 15 });
});

test('a lost save is sent again under the same save_id until it is answered', async () => {
  const sent = [];
  const waited = [];
  const answers = [new Error('offline'), undefined, stored(1)];
  const send = async (kind, { save_id: saveId }) => {
    sent.push([kind, saveId]);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const outbox = new Outbox(send, async (seconds) => waited.push(seconds));
  const told = [];
  outbox.addEventListener('change', ({ detail }) => told.push(detail));

  const outcome = await outbox.put('save', request('a', 'one'));

  assert.equal(outcome.state, 'saved');
  assert.deepEqual(sent, [['save', 'one'], ['save', 'one'], ['save', 'one']]);
  assert.deepEqual(waited, [1, 2]);
  assert.deepEqual(told.map(({ count, failed, delayS }) => [count, failed, delayS]), [
    [1, 0, 0],
    [1, 1, 1],
    [1, 2, 2],
    [0, 0, 0],
  ]);
});

test('saves go one at a time and in order', async () => {
  const under = [];
  let most = 0;
  const send = async (kind, { save_id: saveId }) => {
    under.push(saveId);
    most = Math.max(most, under.length);
    await new Promise((resolve) => setTimeout(resolve, 5));
    under.pop();
    return stored(1);
  };
  const outbox = new Outbox(send);

  const order = [];
  const one = outbox.put('save', request('a', 'one')).then(() => order.push('one'));
  const two = outbox.put('save', request('b', 'two')).then(() => order.push('two'));
  assert.equal(outbox.has('b'), true);
  await Promise.all([one, two]);

  assert.equal(most, 1);
  assert.deepEqual(order, ['one', 'two']);
  assert.equal(outbox.count, 0);
});

test('a second save of an image is based on the first, not overtaken by it', async () => {
  const bases = [];
  const outbox = new Outbox(async (kind, { based_on: basedOn }) => {
    bases.push(basedOn);
    return stored(basedOn + 1);
  });

  const first = outbox.put('save', request('a', 'one', 4));
  const second = outbox.put('save', request('a', 'two', 4));
  const other = outbox.put('save', request('b', 'three', 0));
  await Promise.all([first, second, other]);

  assert.deepEqual(bases, [4, 5, 0]);
});

test('a refused save makes way for the next', async () => {
  const answers = [{ error: 'No.' }, stored(1)];
  const outbox = new Outbox(async () => answers.shift());

  const [first, second] = await Promise.all([
    outbox.put('save', request('a', 'one')),
    outbox.put('save', request('b', 'two')),
  ]);

  assert.deepEqual([first.state, first.why, second.state], ['refused', 'No.', 'saved']);
});

test('hurrying ends the wait', async () => {
  const answers = [undefined, stored(1)];
  const outbox = new Outbox(async () => answers.shift(), () => new Promise(() => {}));
  outbox.addEventListener('change', ({ detail }) => detail.failed && setTimeout(() => outbox.hurry()));

  assert.equal((await outbox.put('save', request('a', 'one'))).state, 'saved');
});

test('save ids are 32 hexadecimal digits and differ', () => {
  assert.match(freshSaveId(), /^[0-9a-f]{32}$/);
  assert.notEqual(freshSaveId(), freshSaveId());
});
