import assert from 'node:assert/strict';
import test from 'node:test';

import {
  bytesFromBase64, bytesToBase64, decodeMask, deflate, encodeMask, floatsFromBase64, inflate, packBits,
} from '../../app/ui/workbench/packing.js';
import { randomMask, randomNumbers } from './grids.mjs';

test('bits are packed from the most significant one on and padded only at the very end', () => {
  const cells = Uint8Array.of(1, 0, 0, 0, 0, 0, 1, 1, 0, 1); // two rows of five: the second begins within a byte

  assert.deepEqual([...packBits(cells)], [0b10000011, 0b01000000]);
});

test('only bit 0 of a cell is packed', () => {
  assert.deepEqual([...packBits(Uint8Array.of(0, 1, 2, 3))], [0b01010000]);
});

test('random masks of odd sizes come back bit for bit', async () => {
  const random = randomNumbers(1);
  for (const [w, h] of [[1, 1], [1, 7], [8, 1], [3, 3], [13, 11], [64, 5], [401, 301]]) {
    for (const share of [0, 0.5, 1]) {
      const mask = randomMask(random, w, h, share);
      const packed = await encodeMask(mask, w, h);
      assert.deepEqual([packed.w, packed.h], [w, h]);
      assert.deepEqual(await decodeMask(packed), mask, `${w} x ${h}, share ${share}`);
    }
  }
});

test('a mask of another size than it says is refused', async () => {
  await assert.rejects(encodeMask(new Uint8Array(5), 2, 3), /2 x 3 has 6 pixels, got 5/);
});

test('a packed mask with too few, too many or damaged bytes is refused with what to do', async () => {
  const packed = await encodeMask(new Uint8Array(100), 10, 10);

  await assert.rejects(decodeMask({ ...packed, h: 20 }), /holds 13 bytes, but 10 x 20 pixels take 25; reload/);
  await assert.rejects(decodeMask({ ...packed, h: 5 }), /damaged \(Packed data holds more than the 7 bytes.*reload/);
  await assert.rejects(decodeMask({ ...packed, data: 'AAAA' }), /damaged .*reload/);
  await assert.rejects(decodeMask({ ...packed, data: '%' }), /damaged .*reload/);
});

test('deflate and inflate are inverse, and a zlib stream begins with its magic byte', async () => {
  const bytes = Uint8Array.from({ length: 100000 }, (_, i) => i % 251);
  const small = await deflate(bytes);

  assert.equal(small[0], 0x78);
  assert.deepEqual(await inflate(small), bytes);
});

test('inflate stops at its limit', async () => {
  const bomb = await deflate(new Uint8Array(1_000_000));

  await assert.rejects(inflate(bomb, 999_999), /more than the 999999 bytes/);
  assert.equal((await inflate(bomb, 1_000_000)).length, 1_000_000);
});

test('base64 agrees with the platform on every byte and on more bytes than one call may take', () => {
  const bytes = Uint8Array.from({ length: 100001 }, (_, i) => (i * 7) & 255);

  assert.equal(bytesToBase64(bytes), Buffer.from(bytes).toString('base64'));
  assert.deepEqual(bytesFromBase64(Buffer.from(bytes).toString('base64')), bytes);
  assert.equal(bytesToBase64(new Uint8Array(0)), '');
});

test('maps are little-endian float32', () => {
  const text = Buffer.from([0, 0, 128, 63, 0, 0, 32, 192]).toString('base64'); // 0x3f800000, 0xc0200000

  assert.deepEqual([...floatsFromBase64(text)], [1, -2.5]);
  assert.throws(() => floatsFromBase64(Buffer.from([1, 2, 3]).toString('base64')), /3 bytes, which is no whole number/);
});
