/** A page with the editor alone: drawn images, recorded pointers and measured times.  For tests and for a look. */

import { Editor } from '/app/ui/workbench/editor.js';

const query = new URLSearchParams(location.search);
document.body.classList.toggle('dark', query.get('theme') === 'dark');
const place = document.querySelector('#editor');
if (query.has('box')) place.style.width = `${query.get('box')}px`;

const editor = new Editor(place);
const events = [];
for (const name of ['change', 'request', 'regions', 'message']) {
  editor.addEventListener(name, ({ detail }) => events.push({ name, detail: structuredClone(detail) }));
}

/** Where pointers were while a button was down, as the browser reports them. */
const positions = [];
let opened = 0;
const times = { events_ms: [], frames_ms: [] };
const stage = place.querySelector('.stage');
function record(event) {
  opened = performance.now();
  if (event.type === 'pointermove' && !event.buttons) return;
  if (event.type === 'pointerup') return;
  const parts = event.type === 'pointermove' ? event.getCoalescedEvents() : [];
  const rect = stage.getBoundingClientRect();
  for (const { clientX, clientY } of parts.length ? parts : [event]) {
    positions.push([clientX - rect.left, clientY - rect.top, event.type === 'pointerdown']);
  }
}
for (const name of ['pointerdown', 'pointermove', 'pointerup']) {
  window.addEventListener(name, record, { capture: true });
  window.addEventListener(name, () => times.events_ms.push(performance.now() - opened));
}
const frame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => frame((now) => {
  const start = performance.now();
  callback(now);
  times.frames_ms.push(performance.now() - start);
});

/** Grey bands with a bright cross, so that a look at the page says whether it is upright. */
async function picture(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  const shade = context.createLinearGradient(0, 0, width, height);
  shade.addColorStop(0, '#6b7280');
  shade.addColorStop(0.5, '#9aa3ad');
  shade.addColorStop(1, '#4b5563');
  context.fillStyle = shade;
  context.fillRect(0, 0, width, height);
  context.strokeStyle = '#2b3440';
  context.lineWidth = Math.max(1, width / 120);
  for (let i = 1; i < 4; i += 1) context.strokeRect(0, (height * i) / 4, width, height / 60);
  context.strokeStyle = '#e5e7eb';
  context.strokeRect(width / 10, height / 10, width / 8, height / 8);
  return createImageBitmap(canvas);
}

/** Two soft bumps: a high one on the left, a low one on the right. */
function bumps(width, height) {
  const map = new Float32Array(width * height);
  const bump = (x, y, cx, cy, radius) =>
    Math.exp(-((x - cx * width) ** 2 + (y - cy * height) ** 2) / (radius * width) ** 2);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      map[y * width + x] = 3 * bump(x, y, 0.3, 0.45, 0.1) + 2 * bump(x, y, 0.7, 0.6, 0.08);
    }
  }
  return map;
}

const at = (map, threshold) => Uint8Array.from(map, (value) => (value >= threshold ? 1 : 0));

/** From black over purple and orange to a light yellow. */
function palette() {
  const stops = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
  return Uint8Array.from({ length: 768 }, (_, i) => {
    const [at, channel] = [(Math.floor(i / 3) / 255) * 4, i % 3];
    const low = Math.min(3, Math.floor(at));
    return stops[low][channel] + (at - low) * (stops[low + 1][channel] - stops[low][channel]);
  });
}

/** Load a drawn image; `cells` may be 'proposal' or 'empty'. */
async function open({ width = 300, height = 300, cells = 'proposal', withMap = true, threshold = 1.5, ...more } = {}) {
  const map = withMap ? bumps(width, height) : null;
  const proposal = map && at(map, threshold);
  const mask = cells === 'proposal' && proposal ? proposal : new Uint8Array(width * height);
  const small = bumps(32, 32);
  const half = small.map((value) => value / 2);
  const layers = withMap ? [{ layer: 6, h: 32, w: 32, map: small }, { layer: 9, h: 32, w: 32, map: half }] : [];
  await editor.load({
    key: 'drawn', width, height, imageBitmap: await picture(width, height), cells: mask, proposal, map,
    scale: { low: 0, high: 4 }, threshold: map ? threshold : null, layers, layerScale: { low: 0, high: 4 },
    palette: palette(), classes: [], knownClasses: [], draft: null, ...more,
  });
  await rest();
  events.length = 0;
  positions.length = 0;
}

/** Two frames later everything is drawn. */
const rest = () => new Promise((resolve) => { frame(() => frame(resolve)); });

/** Row-wise runs of the mask as [start, length], short enough to send to a test. */
function runs(cells = editor.mask()) {
  const found = [];
  for (let i = 0; i < cells.length; i += 1) {
    if (!cells[i]) continue;
    const start = i;
    while (i < cells.length && cells[i]) i += 1;
    found.push([start, i - start]);
  }
  return found;
}

window.harness = { editor, events, positions, times, open, rest, runs };
