import assert from 'node:assert/strict';
import test from 'node:test';

import { entriesOf, isLeftOut } from '../../app/ui/workbench/folder.js';
import { crc32, zipParts, zipProblem, zipSize } from '../../app/ui/workbench/zip.js';

const entry = (path, content = '') => ({ path, file: new Blob([content]) });
const ofSize = (size) => ({ path: 'a.png', file: { size } });

test('the checksum is the one that is printed for it everywhere, in one piece or in several', () => {
  const digits = new TextEncoder().encode('123456789');

  assert.equal(crc32(digits), 0xcbf43926);
  assert.equal(crc32(digits.subarray(4), crc32(digits.subarray(0, 4))), 0xcbf43926);
  assert.equal(crc32(new Uint8Array()), 0);
});

test('the files are parts of the zip themselves, and its size is known before', async () => {
  const entries = [entry('test/good/a.png', 'abc'), entry('größe/b.png'), entry('c.txt', 'x'.repeat(100_000))];

  const parts = await zipParts(entries);

  assert.deepEqual(parts.filter((part) => part instanceof Blob), entries.map(({ file }) => file));
  assert.equal(new Blob(parts).size, zipSize(entries));
});

test('the same files make the same zip', async () => {
  const make = async () => new Blob(await zipParts([entry('a.png', 'abc'), entry('b.png', 'd')])).text();

  assert.equal(await make(), await make());
});

test('progress is told before each file', async () => {
  const told = [];

  await zipParts([entry('a'), entry('b')], (done, total) => told.push([done, total]));

  assert.deepEqual(told, [[0, 2], [1, 2]]);
});

test('a file that cannot be read or changes meanwhile is named', async () => {
  const lost = { size: 3, stream: () => new Blob(['abc']).stream().pipeThrough(new TransformStream({
    transform: () => { throw new Error('gone'); },
  })) };
  const grown = { size: 2, stream: () => new Blob(['abc']).stream() };

  await assert.rejects(zipParts([{ path: 'x/a.png', file: lost }]), {
    message: 'x/a.png cannot be read (gone); check the file and choose the folder again.',
  });
  await assert.rejects(zipParts([{ path: 'x/b.png', file: grown }]), {
    message: 'x/b.png changed while it was read; choose the folder again.',
  });
});

test('what is too much or nothing is refused before anything is read', () => {
  const limits = { maxBytes: 2_000_000_000, maxFiles: 3 };
  const overhead = zipSize([ofSize(0)]);

  assert.match(zipProblem([], limits), /^There is no file in that folder, hidden ones aside;/);
  assert.match(zipProblem(Array(4).fill(ofSize(1)), limits), /holds 4 files, and at most 3 are taken at once;/);
  assert.equal(zipProblem([ofSize(2_000_000_000 - overhead)], limits), '');
  assert.match(
    zipProblem([ofSize(2_000_000_001 - overhead)], limits),
    /^The folder takes 2\.1 GB, and at most 2 GB are taken at once; import the folders in it one by one\.$/,
  );
});

test('without limits those of the format hold', () => {
  assert.equal(zipProblem(Array(65_534).fill(ofSize(1))), '');
  assert.match(zipProblem(Array(65_535).fill(ofSize(1))), /at most 65,534 are/);
  assert.equal(zipProblem([ofSize(4_294_967_294 - zipSize([ofSize(0)]))]), '');
  assert.match(zipProblem([ofSize(4_294_967_295 - zipSize([ofSize(0)]))]), /at most 4\.2 GB are/);
});

test('hidden files and those of an operating system are left out, at any depth', () => {
  const leftOut = ['.DS_Store', 'a/.git/config', 'a/Thumbs.db', '__MACOSX/a.png', 'a/desktop.ini'];

  assert.deepEqual(leftOut.filter((path) => !isLeftOut(path)), []);
  assert.deepEqual(['a.png', 'a/b.c/d.png', 'thumbs.db.png'].filter(isLeftOut), []);
});

test('a chosen folder is imported as what is in it, whatever it is called itself', () => {
  const files = ['.set/test/b.png', '.set/a.png', '.set/.DS_Store'].map((webkitRelativePath) => ({ webkitRelativePath }));

  assert.deepEqual(entriesOf(files).map(({ path }) => path), ['a.png', 'test/b.png']);
});
