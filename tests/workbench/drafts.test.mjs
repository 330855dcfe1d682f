import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chooseDraft, fits, isNothingNew, isStored, labelOf } from '../../app/ui/workbench/draft_rules.js';
import { Unsaved } from '../../app/ui/workbench/unsaved.js';

const draft = (tab, time) => ({ tab, time });

test('this tab takes up its own draft, even where a closed tab has a newer one', () => {
  const drafts = [draft('closed', 9), draft('me', 5)];

  assert.deepEqual(chooseDraft(drafts, 'me', new Set(['me'])), { draft: drafts[1], elsewhere: false });
});

test('of the drafts of closed tabs the newest is taken up', () => {
  const drafts = [draft('old', 1), draft('newer', 2)];

  assert.equal(chooseDraft(drafts, 'me', new Set(['me'])).draft, drafts[1]);
});

test('a draft of another open tab is left alone and told of', () => {
  assert.deepEqual(chooseDraft([draft('other', 1)], 'me', new Set(['me', 'other'])), { draft: null, elsewhere: true });
});

test('without drafts there is nothing to take up', () => {
  assert.deepEqual(chooseDraft([], 'me', new Set()), { draft: null, elsewhere: false });
});

test('a draft fits only an image of its size', () => {
  const kept = { width: 2, height: 3, cells: new Uint8Array(6) };

  assert.equal(fits(kept, 2, 3), true);
  assert.equal(fits(kept, 3, 2), false);
  assert.equal(fits({ ...kept, cells: new Uint8Array(5) }, 2, 3), false);
});

test('a draft that equals what is stored is no unsaved work; touched pixels do not count', () => {
  const stored = { mask: Uint8Array.of(0, 1, 0), classes: [{ x: 1, y: 0, name: 'crack' }], note: '' };
  const same = { cells: Uint8Array.of(2, 3, 0), classes: [{ x: 1, y: 0, name: 'crack' }], note: '' };

  assert.equal(isStored(same, stored), true);
  assert.equal(isStored({ ...same, cells: Uint8Array.of(2, 3, 1) }, stored), false);
  assert.equal(isStored({ ...same, classes: [] }, stored), false);
  assert.equal(isStored({ ...same, note: 'a shadow' }, stored), false);
});

test('an empty mask is normal, any pixel makes it anomalous', () => {
  assert.equal(labelOf(new Uint8Array(4)), 'normal');
  assert.equal(labelOf(Uint8Array.of(0, 0, 1)), 'anomalous');
});

test('saving again what is stored adds nothing; an untouched proposal is worth saving', () => {
  const revision = { kind: 'save', label: 'anomalous' };

  assert.equal(isNothingNew({ dirty: false, label: null, revision }), true);
  assert.equal(isNothingNew({ dirty: false, label: 'anomalous', revision }), true);
  assert.equal(isNothingNew({ dirty: false, label: 'unsure', revision }), false);
  assert.equal(isNothingNew({ dirty: true, label: null, revision }), false);
  assert.equal(isNothingNew({ dirty: false, label: null, revision: null }), false);
  assert.equal(isNothingNew({ dirty: false, label: null, revision: { kind: 'delete', label: null } }), false);
});

function keeper({ works = true } = {}) {
  const written = [];
  const put = async (record) => {
    written.push(record);
    return works;
  };
  return { written, unsaved: new Unsaved({ put, putAtOnce: (record) => written.push(['at once', record]) }, 5) };
}

const rest = () => new Promise((resolve) => setTimeout(resolve, 20));

test('many changes are kept once the hand rests, with what there is then', async () => {
  const { written, unsaved } = keeper();
  let work = 0;
  unsaved.begin(() => ({ work }), async () => {});

  for (work = 1; work < 4; work += 1) unsaved.changed();
  assert.equal(unsaved.isKept, false);
  await rest();

  assert.deepEqual(written, [{ work: 4 }]);
  assert.equal(unsaved.isKept, true);
});

test('work that was undone to what is stored is forgotten', async () => {
  const { written, unsaved } = keeper();
  let forgotten = 0;
  unsaved.begin(() => null, async () => { forgotten += 1; });

  unsaved.changed();
  await rest();

  assert.deepEqual([forgotten, written, unsaved.isKept], [1, [], true]);
});

test('what cannot be kept is not called kept', async () => {
  const { unsaved } = keeper({ works: false });
  unsaved.begin(() => ({}), async () => {});
  unsaved.changed();

  assert.equal(await unsaved.flush(), false);
  assert.equal(unsaved.hasFailed, true);
});

test('a page that goes away hands over what is not kept, and nothing else', async () => {
  const { written, unsaved } = keeper();
  unsaved.begin(() => 'work', async () => {});

  unsaved.flushAtOnce();
  unsaved.changed();
  unsaved.flushAtOnce();

  assert.deepEqual(written, [['at once', 'work']]);
  await unsaved.flush();
  unsaved.flushAtOnce();
  assert.equal(written.length, 2);
});

test('a stroke painted while a save was prepared is kept after it', async () => {
  const { written, unsaved } = keeper();
  unsaved.begin(() => 'newer work', async () => {});
  unsaved.changed();
  const { version } = unsaved;
  unsaved.changed();

  assert.equal(await unsaved.keep('work being saved', version), true);
  assert.equal(unsaved.isKept, false);
  await rest();

  assert.deepEqual(written, ['work being saved', 'newer work']);
  assert.equal(unsaved.isKept, true);
});
