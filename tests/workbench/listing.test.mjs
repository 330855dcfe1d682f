import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Listing } from '../../app/ui/workbench/listing.js';

const item = (number, state = 'proposed') => ({ digest: `d${number}`, state });
const page = (numbers, total) => ({ items: numbers.map((number) => item(number)), total });

function filled({ states = [] } = {}) {
  const listing = new Listing({ pageSize: 3, states });
  listing.fill(0, page([0, 1, 2], 8));
  return listing;
}

test('only the pages in sight that were not loaded are missing', () => {
  const listing = filled();

  assert.deepEqual(listing.missing(0, 3), []);
  assert.deepEqual(listing.missing(2, 7), [1, 2]);
  assert.deepEqual(listing.missing(6, 50), [2]);
});

test('the neighbours of the open image follow the order, and end at both ends', () => {
  const listing = filled();

  listing.setCurrent('d1');
  assert.equal(listing.neighbour(1), 2);
  assert.equal(listing.neighbour(-1), 0);

  listing.setCurrent('d0');
  assert.equal(listing.neighbour(-1), null);

  listing.setCurrent('d9', 7);
  assert.equal(listing.neighbour(1), null);
});

test('a saved image that leaves the filter keeps its place, and the server is asked as if it were gone', () => {
  const listing = filled({ states: ['proposed'] });
  listing.setCurrent('d1');

  listing.update(item(1, 'corrected'));

  assert.equal(listing.at(1).state, 'corrected');
  assert.equal(listing.neighbour(1), 2);
  assert.deepEqual(listing.request(1), { offset: 2, limit: 3 });
  listing.fill(1, page([3, 4, 5], 7));
  assert.equal(listing.total, 8);
  assert.equal(listing.at(3).digest, 'd3');
});

test('an image that matches the filter again is counted again', () => {
  const listing = filled({ states: ['proposed'] });

  listing.update(item(1, 'corrected'));
  listing.update(item(1, 'proposed'));

  assert.deepEqual(listing.request(1), { offset: 3, limit: 3 });
});

test('without a filter no image leaves', () => {
  const listing = filled();

  listing.update(item(1, 'corrected'));

  assert.deepEqual(listing.request(1), { offset: 3, limit: 3 });
});

test('when the open image is no longer in the list, the next is the one that took its place', () => {
  const listing = new Listing({ pageSize: 3, states: ['proposed'] });
  listing.fill(0, page([0, 2, 3], 7));

  listing.setCurrent('d1', 1);

  assert.equal(listing.neighbour(1), 1);
  assert.equal(listing.neighbour(-1), 0);
});

test('the open image is found again when its page arrives at another place', () => {
  const listing = filled();
  listing.setCurrent('d4', 3);

  listing.fill(1, page([3, 4, 5], 8));

  assert.equal(listing.currentPlace, 4);
});

test('the first image to work on is one that nobody has decided', () => {
  const listing = new Listing({ pageSize: 3 });
  listing.fill(0, { items: [item(0, 'confirmed'), item(1, 'unsure'), item(2, 'new')], total: 3 });
  assert.equal(listing.firstToDo().digest, 'd2');

  const done = new Listing({ pageSize: 3 });
  done.fill(0, { items: [item(0, 'confirmed')], total: 1 });
  assert.equal(done.firstToDo().digest, 'd0');

  assert.equal(new Listing().firstToDo(), null);
});
