/**
 * A zip without compression, as a list of parts for a Blob: the files themselves with headers between them, so that
 * nothing of the files is held in memory. No DOM.
 * Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
 */

// One more of either would need zip64.
const MOST_BYTES = 0xfffffffe;
const MOST_FILES = 0xfffe;

const VERSION = 20;
const UTF8_NAMES = 0x0800;
const STORED = 0;
const TIME = 0;
const DATE = 0x0021; // 1 January 1980 for every file: the same files make the same zip
const LOCAL_BYTES = 30; // without the name
const LISTED_BYTES = 46; // without the name
const END_BYTES = 22;

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** @typedef {{path: string, file: Blob}} Entry a file and its place in the zip, folders separated by "/" */

/** CRC-32 as zips have it. @param {number} before that of the bytes before these */
export function crc32(bytes, before = 0) {
  let crc = ~before;
  for (let at = 0; at < bytes.length; at++) crc = CRC_TABLE[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** How many bytes the zip will have. @param {Entry[]} entries */
export function zipSize(entries) {
  const encoder = new TextEncoder();
  const sizes = entries.map(
    ({ path, file }) => LOCAL_BYTES + LISTED_BYTES + 2 * encoder.encode(path).length + file.size,
  );
  return sizes.reduce((sum, size) => sum + size, END_BYTES);
}

/**
 * Why no zip is made of these files, as a sentence; '' where one can be.
 * @param {Entry[]} entries
 * @param {{maxBytes?: number, maxFiles?: number}} limits of who takes the zip; those of the format hold besides
 */
export function zipProblem(entries, { maxBytes, maxFiles } = {}) {
  const mostFiles = Math.min(maxFiles ?? MOST_FILES, MOST_FILES);
  const mostBytes = Math.min(maxBytes ?? MOST_BYTES, MOST_BYTES);
  const wayOut = 'import the folders in it one by one.';
  if (!entries.length) return 'There is no file in that folder, hidden ones aside; choose one that holds pictures.';
  if (entries.length > mostFiles) {
    const [found, most] = [entries.length, mostFiles].map((count) => count.toLocaleString('en'));
    return `The folder holds ${found} files, and at most ${most} are taken at once; ${wayOut}`;
  }
  const size = zipSize(entries);
  if (size <= mostBytes) return '';
  return `The folder takes ${gigabytes(size, Math.ceil)}, and at most ${gigabytes(mostBytes, Math.floor)} are taken at once; ${wayOut}`;
}

/**
 * Read every file once for its checksum.
 * @param {Entry[]} entries for which there is no `zipProblem`
 * @param {(done: number, total: number) => void} tell called before each file
 * @returns {Promise<Array<Uint8Array|Blob>>} what the zip consists of
 * @throws {Error} a file cannot be read, or changes meanwhile; the message is a sentence for people
 */
export async function zipParts(entries, tell = () => {}) {
  const encoder = new TextEncoder();
  const parts = [];
  const listing = [];
  let offset = 0;
  for (const [done, { path, file }] of entries.entries()) {
    tell(done, entries.length);
    const name = encoder.encode(path);
    const facts = factsOf(file.size, await checksum(path, file), name);
    const header = record([[4, 0x04034b50], ...facts], name);
    // Then: comment's length, disk, internal and external attributes.
    listing.push(record([[4, 0x02014b50], [2, VERSION], ...facts, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]], name));
    parts.push(header, file);
    offset += header.length + file.size;
  }
  return [...parts, ...listing, endOf(listing, offset)];
}

/** What the header of a file and its line in the listing have in common. */
function factsOf(size, crc, name) {
  return [
    [2, VERSION],
    [2, UTF8_NAMES],
    [2, STORED],
    [2, TIME],
    [2, DATE],
    [4, crc],
    [4, size],
    [4, size],
    [2, name.length],
    [2, 0],
  ];
}

function endOf(listing, offset) {
  const size = listing.reduce((sum, line) => sum + line.length, 0);
  const count = listing.length;
  return record([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]]);
}

/** Numbers, each as [bytes, value], least byte first, and a name behind them. */
function record(numbers, name = new Uint8Array()) {
  const length = numbers.reduce((sum, [size]) => sum + size, 0);
  const bytes = new Uint8Array(length + name.length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of numbers) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  bytes.set(name, length);
  return bytes;
}

async function checksum(path, file) {
  let crc = 0;
  let size = 0;
  try {
    const reader = file.stream().getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      crc = crc32(read.value, crc);
      size += read.value.length;
    }
  } catch (error) {
    throw new Error(`${path} cannot be read (${error.message}); check the file and choose the folder again.`);
  }
  if (size !== file.size) throw new Error(`${path} changed while it was read; choose the folder again.`);
  return crc;
}

function gigabytes(bytes, round) {
  return `${(round(bytes / 1e8) / 10).toLocaleString('en')} GB`;
}
