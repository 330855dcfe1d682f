/** From a digest to what the editor shows: ask the server, decode, and fetch the next image ahead of time. */
import { upsample } from './map.js';
import { bytesFromBase64, decodeMask, floatsFromBase64 } from './packing.js';

const PREVIEW_AFTER_MS = 250; // an image that is still being proposed for is shown without its proposal meanwhile
const AHEAD = 3;

/** Have the browser load a picture before it is needed; what fails here fails again, and is told, in the editor. */
function warmUp(url) {
  const picture = new Image();
  picture.src = url;
  picture.decode().catch(() => {});
  return picture; // whoever keeps it keeps the browser from dropping it
}

/**
 * What `Editor.load` takes, from an answer of `open_image`.
 * @param {Object} answer
 */
export async function decoded(answer) {
  const { item, proposal, map } = answer;
  const { width, height } = item;
  const [cells, proposed] = await Promise.all([decodeMask(answer.mask), proposal && decodeMask(proposal.mask)]);
  const full = map && upsample(floatsFromBase64(map.data), map.h, map.w, height, width);
  const layers = (answer.layers ?? []).map(({ layer, h, w, data }) => ({ layer, h, w, map: floatsFromBase64(data) }));
  return {
    key: item.digest,
    width,
    height,
    imageUrl: answer.url,
    cells,
    proposal: proposed ?? null,
    map: full ?? null,
    scale: map ? { low: map.low, high: map.high, odds: map.odds } : null,
    threshold: proposal?.threshold ?? null,
    layers,
    layerScale: answer.layer_scale ?? null,
    palette: bytesFromBase64(answer.palette),
    classes: answer.revision?.classes ?? [],
    knownClasses: answer.classes ?? [],
    draft: null,
  };
}

export class Opening {
  #ahead = new Map();
  #newest = new Map();

  /** @param {{open_image: Function}} server @param {(item: Object) => void} onItem told what became of an image */
  constructor(server, onItem) {
    this.server = server;
    this.onItem = onItem;
    this.preset = '';
  }

  usePreset(preset) {
    this.preset = preset;
    this.#ahead.clear();
  }

  /** Remember that an image changed: what was fetched ahead is old, and answers before `number` are too. */
  outdated(digest, number = 0) {
    this.#ahead.delete(digest);
    this.#newest.set(digest, Math.max(number, this.#newest.get(digest) ?? 0));
  }

  /** Fetch an image that will probably be opened next. */
  prefetch(digest) {
    if (this.#ahead.has(digest)) return;
    const entry = { answer: this.#ask(digest, this.preset), picture: null };
    entry.answer.then((answer) => {
      if (answer.error) this.#ahead.delete(digest);
      else entry.picture = warmUp(answer.url);
    });
    this.#ahead.set(digest, entry);
    while (this.#ahead.size > AHEAD) this.#ahead.delete(this.#ahead.keys().next().value);
  }

  /**
   * @param {string} digest
   * @param {(answer: Object) => void} preview told about the image while the server still proposes
   * @returns {Promise<Object>} the answer of `open_image`, or {error}
   */
  async open(digest, preview) {
    const answer = this.#ahead.get(digest)?.answer ?? this.#ask(digest, this.preset);
    this.#ahead.delete(digest);
    let isThere = false;
    const timer = setTimeout(async () => {
      const early = await this.#ask(digest, ''); // no preset, no waiting for a model
      if (!isThere && !early.error) preview(early);
    }, PREVIEW_AFTER_MS);
    const opened = await answer;
    isThere = true;
    clearTimeout(timer);
    const isOld = !opened.error && opened.item.revision < (this.#newest.get(digest) ?? 0);
    return isOld ? this.#ask(digest, this.preset) : opened;
  }

  async #ask(digest, preset) {
    const answer = await this.server.open_image({ digest, preset }).catch(() => null);
    if (answer?.item) this.onItem(answer.item);
    return answer ?? { error: 'The image could not be opened: the server does not answer.' };
  }
}
