/** Asked on stdin what the page would make of masks and maps, answers on stdout; both ends are JSON. */

import { decodeMask, encodeMask, bytesToBase64, floatsFromBase64 } from '../../app/ui/workbench/packing.js';
import { upsample } from '../../app/ui/workbench/map.js';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { masks = [], drawn = [], maps = [] } = JSON.parse(Buffer.concat(chunks).toString());

const pixels = await Promise.all(masks.map(async (packed) => (await decodeMask(packed)).join('')));
const packed = await Promise.all(drawn.map(({ w, h, pixels: text }) => encodeMask(Uint8Array.from(text), w, h)));
const full = maps.map(({ data, mh, mw, h, w }) => upsample(floatsFromBase64(data), mh, mw, h, w));
process.stdout.write(JSON.stringify({
  pixels, packed, maps: full.map((map) => bytesToBase64(new Uint8Array(map.buffer))),
}));
