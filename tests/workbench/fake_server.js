/** A server in the page: what it stores lies in localStorage, so that it outlives a reload and is shared by tabs. */
import { bytesToBase64, decodeMask, encodeMask } from '/app/ui/workbench/packing.js';

const STORE = 'fake-server';
const STATES = ['new', 'proposed', 'corrected', 'confirmed', 'unsure'];
const WIDTH = 64;
const HEIGHT = 48;

const digestOf = (index) => index.toString(16).padStart(64, '0');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function picture(index, width, height) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d');
  const scale = width / WIDTH;
  context.fillStyle = `hsl(${(index * 47) % 360} 12% ${52 + (index % 5) * 4}%)`;
  context.fillRect(0, 0, width, height);
  context.fillStyle = 'rgb(30 30 30 / 0.35)';
  for (let line = 0; line < 3; line += 1) context.fillRect(0, (9 + line * 14) * scale, width, 2 * scale);
  context.fillStyle = 'rgb(20 20 20 / 0.6)';
  context.fillRect((8 + (index % 4) * 4) * scale, 8 * scale, 10 * scale, 7 * scale);
  return canvas.toDataURL('image/png');
}

function proposed(index) {
  const mask = new Uint8Array(WIDTH * HEIGHT);
  if (index % 3 === 2) return mask;
  for (let y = 10; y < 16; y += 1) mask.fill(1, y * WIDTH + 10 + (index % 4), y * WIDTH + 20 + (index % 4));
  return mask;
}

/** One mistake after another, for the tests: `trouble.save = ['throw', 'lost', {error: '...'}]`. */
export class FakeServer {
  constructor({ count = 12, names = {}, classes = ['crack', 'scratch'], openMs = 0, workspace = 'one', ...more } = {}) {
    Object.assign(this, { count, names, classes, openMs, workspace, pictureNote: '', ...more, trouble: {}, calls: [] });
    this.functions = {};
    const own = [
      'queue_page',
      'thumbnails',
      'open_image',
      'save',
      'remove',
      'restore',
      'history',
      'revision_mask',
      'snap',
      'changes',
    ];
    for (const name of own) this.functions[name] = (request) => this.#call(name, structuredClone(request));
  }

  async #call(name, request) {
    this.calls.push({ name, request });
    await pause(2);
    const trouble = this.trouble[name]?.shift();
    if (trouble === 'throw') throw new TypeError('Failed to fetch');
    if (trouble?.error) return trouble;
    const answer = await this[`_${name}`](request);
    return trouble === 'lost' ? undefined : structuredClone(answer);
  }

  get log() {
    return JSON.parse(localStorage.getItem(STORE) ?? '[]');
  }

  set log(entries) {
    localStorage.setItem(STORE, JSON.stringify(entries));
  }

  revisions(digest) {
    return this.log.filter((entry) => entry.digest === digest);
  }

  item(digest) {
    const index = parseInt(digest, 16);
    const newest = this.revisions(digest).at(-1);
    const live = newest?.revision.kind === 'save' ? newest.revision : null;
    const confirmed = newest && !newest.edited;
    const state = live
      ? live.label === 'unsure'
        ? 'unsure'
        : confirmed
          ? 'confirmed'
          : 'corrected'
      : index % 2
        ? 'proposed'
        : 'new';
    return {
      digest,
      name: this.names[index] ?? `cell_${String(index).padStart(4, '0')}.png`,
      width: WIDTH,
      height: HEIGHT,
      state,
      score: state === 'new' ? null : 2.9 - (index % 30) / 10,
      threshold: 1.74,
      verdict: index % 3 === 2 ? 'Normal' : 'Anomalous',
      revision: newest?.revision.number ?? 0,
      label: live?.label ?? null,
      author: live?.author ?? '',
      saved_at: live?.saved_at ?? null,
      added_at: new Date(1.7e12 + index * 6e4).toISOString(),
    };
  }

  all() {
    return Array.from({ length: this.count }, (_, index) => this.item(digestOf(index)));
  }

  counts(items = this.all()) {
    return Object.fromEntries(STATES.map((state) => [state, items.filter((item) => item.state === state).length]));
  }

  _queue_page({ states, sort, offset, limit }) {
    const all = this.all();
    const items = all.filter(({ state }) => !states.length || states.includes(state));
    if (sort === 'oldest') items.reverse();
    if (sort === 'score') items.sort((one, other) => (other.score ?? -1) - (one.score ?? -1));
    return {
      items: items.slice(offset, offset + limit),
      total: items.length,
      counts: this.counts(all),
      version: this.log.length,
      workspace: this.workspace,
    };
  }

  _thumbnails({ digests }) {
    return { thumbnails: Object.fromEntries(digests.map((digest) => [digest, picture(parseInt(digest, 16), 96, 72)])) };
  }

  async _open_image({ digest, preset }) {
    if (preset) await pause(this.openMs);
    const index = parseInt(digest, 16);
    const newest = this.revisions(digest).at(-1);
    const live = newest?.revision.kind === 'save' ? newest : null;
    const mask = await encodeMask(proposed(index), WIDTH, HEIGHT);
    const empty = await encodeMask(new Uint8Array(WIDTH * HEIGHT), WIDTH, HEIGHT);
    const map = Float32Array.from(
      { length: 16 * 12 },
      (_, i) => 3 * Math.exp(-(((i % 16) - 4) ** 2 + (Math.floor(i / 16) - 3) ** 2) / 8),
    );
    const packed = (floats) => bytesToBase64(new Uint8Array(floats.buffer));
    const proposal = preset
      ? {
          id: index + 1,
          preset,
          title: 'VisualAD',
          checkpoint: 'abc',
          image_score: 2.49,
          threshold: 1.74,
          suspicious: 1.2,
          verdict: 'Anomalous',
          mask,
        }
      : null;
    return {
      item: this.item(digest),
      url: picture(index, WIDTH * 8, HEIGHT * 8),
      note: live?.revision.note ?? '',
      picture_note: this.pictureNote,
      mask: live ? (live.mask ?? empty) : proposal ? mask : empty,
      mask_from: live ? 'revision' : proposal ? 'proposal' : 'empty',
      revision: live?.revision ?? null,
      proposal,
      proposal_problem: null,
      map: proposal && { h: 12, w: 16, data: packed(map), low: 0, high: 3 },
      layers: proposal ? [6, 9].map((layer) => ({ layer, h: 12, w: 16, data: packed(map) })) : [],
      layer_scale: proposal && { low: 0, high: 3 },
      classes: this.classes,
      palette: bytesToBase64(Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))),
    };
  }

  async #append(request, { kind = 'save', mask = null, label = null, classes = [], note = '', source, edited = true }) {
    const known = this.revisions(request.digest);
    const repeated = known.find(({ revision }) => revision.save_id === request.save_id);
    const area = mask ? (await decodeMask(mask)).reduce((sum, bit) => sum + bit, 0) : 0;
    const revision = repeated?.revision ?? {
      number: known.length + 1,
      kind,
      label,
      author: request.author,
      area_px: area,
      saved_at: new Date().toISOString(),
      note,
      source,
      based_on: request.based_on,
      classes,
      save_id: request.save_id,
    };
    if (!repeated) this.log = [...this.log, { digest: request.digest, revision, mask, edited }];
    const overtaken = known
      .map((entry) => entry.revision)
      .filter(({ number }) => number > request.based_on && number < revision.number);
    return { revision, overtaken, repeated: Boolean(repeated), item: this.item(request.digest) };
  }

  async _save(request) {
    const proposal = await encodeMask(proposed(parseInt(request.digest, 16)), WIDTH, HEIGHT);
    const edited = request.mask?.data !== proposal.data;
    const source = `${edited ? 'edited' : 'as proposed'}: VisualAD, checkpoint abc`;
    return this.#append(request, { ...request, edited, source });
  }

  _remove(request) {
    return this.#append(request, { kind: 'delete', source: 'deleted' });
  }

  async _restore(request) {
    const { revision, mask } = this.revisions(request.digest)[request.number - 1];
    return {
      ...(await this.#append(request, { ...revision, mask, source: `restored revision ${request.number}` })),
      mask,
    };
  }

  _history({ digest }) {
    return {
      revisions: this.revisions(digest)
        .map(({ revision }) => revision)
        .reverse(),
    };
  }

  _revision_mask({ digest, number }) {
    return { mask: this.revisions(digest)[number - 1].mask };
  }

  _snap({ mask }) {
    return { mask };
  }

  _changes({ since }) {
    const changed = [...new Set(this.log.slice(since).map(({ digest }) => digest))];
    return { version: this.log.length, changed, counts: this.counts() };
  }

  /** Somebody else saves. */
  async byOther(index, author, name = 'somebody') {
    const mask = await encodeMask(proposed(index).fill(1, 0, 5), WIDTH, HEIGHT);
    const digest = digestOf(index);
    return this.#append(
      { digest, author, based_on: 0, save_id: `${name}${Math.random()}` },
      { mask, label: 'anomalous', source: 'drawn by hand' },
    );
  }

  saves(index) {
    return this.revisions(digestOf(index));
  }
}
