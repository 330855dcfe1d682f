/** Thumbnails, fetched in batches for the rows that are in sight. */

const BATCH = 60; // the server gives no more at once
const KEPT = 1200; // about 8 MB of small WebP pictures
const WAIT_MS = 80; // a quick scroll passes many rows that nobody looks at

export class Thumbnails {
  #urls = new Map();
  #isAsking = false;
  #timer = null;
  #wanted = [];

  /** @param {(request: Object) => Promise<Object>} fetchThumbnails @param {() => void} onArrival */
  constructor(fetchThumbnails, onArrival) {
    this.fetchThumbnails = fetchThumbnails;
    this.onArrival = onArrival;
  }

  /** Address of a thumbnail; null until it has come; '' where there is none. */
  get(digest) {
    return this.#urls.get(digest) ?? null;
  }

  /** Say which images are in sight now; earlier wishes are forgotten. */
  want(digests) {
    this.#wanted = digests.filter((digest) => !this.#urls.has(digest)).slice(0, BATCH);
    clearTimeout(this.#timer);
    if (this.#wanted.length) this.#timer = setTimeout(() => this.#ask(), WAIT_MS);
  }

  async #ask() {
    if (this.#isAsking || !this.#wanted.length) return;
    this.#isAsking = true;
    const digests = this.#wanted;
    this.#wanted = [];
    const answer = await this.fetchThumbnails({ digests }).catch(() => null);
    this.#isAsking = false;
    if (answer?.thumbnails) {
      for (const digest of digests) this.#keep(digest, answer.thumbnails[digest]);
      this.onArrival();
    }
    this.#ask();
  }

  #keep(digest, url) {
    const isPicture = typeof url === 'string' && url.startsWith('data:image/');
    this.#urls.set(digest, isPicture ? url : '');
    if (this.#urls.size > KEPT) this.#urls.delete(this.#urls.keys().next().value);
  }
}
