/**
 * Masks and maps as text, for the way between page and server.
 *
 * A packed mask is {w, h, data}: base64 of zlib of the mask's bits, most significant bit first, row after row,
 * padded with zeros only at the very end. The server's store writes and reads the same.
 */

const CHUNK = 0x8000; // String.fromCharCode takes its characters as arguments, and engines limit those

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function bytesToBase64(bytes) {
  const parts = [];
  for (let start = 0; start < bytes.length; start += CHUNK) {
    parts.push(String.fromCharCode.apply(null, bytes.subarray(start, start + CHUNK)));
  }
  return btoa(parts.join(''));
}

/**
 * @param {string} text
 * @returns {Uint8Array}
 */
export function bytesFromBase64(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/**
 * @param {string} text base64 of little-endian float32 numbers.
 * @returns {Float32Array}
 */
export function floatsFromBase64(text) {
  const bytes = bytesFromBase64(text);
  if (bytes.length % 4) throw new Error(`A map came in ${bytes.length} bytes, which is no whole number of values.`);
  return new Float32Array(bytes.buffer);
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Uint8Array>} in the zlib format.
 */
export async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * @param {Uint8Array} bytes in the zlib format.
 * @param {number} [limit] the most bytes that may come out; what holds more is refused before it fills the memory.
 * @returns {Promise<Uint8Array>}
 */
export async function inflate(bytes, limit = Infinity) {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  const chunks = [];
  let length = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    length += step.value.length;
    if (length > limit) {
      await reader.cancel();
      throw new Error(`Packed data holds more than the ${limit} bytes it should.`);
    }
    chunks.push(step.value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/**
 * @param {Uint8Array} cells only bit 0 counts.
 * @returns {Uint8Array} eight pixels a byte, the first in the most significant bit.
 */
export function packBits(cells) {
  const whole = cells.length >> 3;
  const bits = new Uint8Array((cells.length + 7) >> 3);
  let at = 0;
  for (let i = 0; i < whole; i++) {
    bits[i] = ((cells[at] & 1) << 7) | ((cells[at + 1] & 1) << 6) | ((cells[at + 2] & 1) << 5)
      | ((cells[at + 3] & 1) << 4) | ((cells[at + 4] & 1) << 3) | ((cells[at + 5] & 1) << 2)
      | ((cells[at + 6] & 1) << 1) | (cells[at + 7] & 1);
    at += 8;
  }
  for (let shift = 7; at < cells.length; at++, shift--) bits[whole] |= (cells[at] & 1) << shift;
  return bits;
}

/**
 * @param {Uint8Array} bits
 * @param {number} count how many pixels they hold.
 * @returns {Uint8Array} 0 or 1 for every pixel.
 */
export function unpackBits(bits, count) {
  const mask = new Uint8Array(count);
  const whole = count >> 3;
  for (let i = 0; i < whole; i++) {
    const byte = bits[i];
    if (byte === 0) continue;
    const at = i << 3;
    mask[at] = byte >> 7;
    mask[at + 1] = (byte >> 6) & 1;
    mask[at + 2] = (byte >> 5) & 1;
    mask[at + 3] = (byte >> 4) & 1;
    mask[at + 4] = (byte >> 3) & 1;
    mask[at + 5] = (byte >> 2) & 1;
    mask[at + 6] = (byte >> 1) & 1;
    mask[at + 7] = byte & 1;
  }
  for (let at = whole << 3; at < count; at++) mask[at] = (bits[whole] >> (7 - (at & 7))) & 1;
  return mask;
}

/**
 * @param {Uint8Array} cells w * h bytes, only bit 0 counts.
 * @param {number} w
 * @param {number} h
 * @returns {Promise<{w: number, h: number, data: string}>}
 */
export async function encodeMask(cells, w, h) {
  if (cells.length !== w * h) throw new RangeError(`a mask of ${w} x ${h} has ${w * h} pixels, got ${cells.length}`);
  return { w, h, data: bytesToBase64(await deflate(packBits(cells))) };
}

/**
 * @param {{w: number, h: number, data: string}} packed
 * @returns {Promise<Uint8Array>} 0 or 1 for every pixel.
 */
export async function decodeMask(packed) {
  const count = packed.w * packed.h;
  const expected = Math.ceil(count / 8);
  let bits;
  try {
    bits = await inflate(bytesFromBase64(packed.data), expected);
  } catch (error) {
    throw new Error(`The mask that came from the server is damaged (${error.message}); reload the page.`);
  }
  if (bits.length !== expected) {
    throw new Error(`The mask that came from the server holds ${bits.length} bytes, but ${packed.w} x ${packed.h} `
      + `pixels take ${expected}; reload the page.`);
  }
  return unpackBits(bits, count);
}
