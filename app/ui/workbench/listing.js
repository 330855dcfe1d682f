/**
 * The queue's order as far as it is known: pages of items at their places, and the place of the open image. Pure.
 *
 * An item that stops to match the filter because it was saved keeps its place until the next reload, so that the list
 * does not move under the person's hands; the server's offsets are counted without such items.
 */
export class Listing {
  #items = new Map();
  #places = new Map();
  #loaded = new Set();
  #departed = new Set();
  #currentDigest = null;
  #currentPlace = -1;

  /** @param {{pageSize?: number, states?: string[]}} options `states` is the filter; empty lets all through */
  constructor({ pageSize = 50, states = [] } = {}) {
    this.pageSize = pageSize;
    this.states = states;
    this.total = 0;
  }

  at(place) {
    return this.#items.get(place) ?? null;
  }

  item(digest) {
    return this.at(this.#places.get(digest) ?? -1);
  }

  pageOf(place) {
    return Math.floor(place / this.pageSize);
  }

  /** Pages that are needed for places `from` (inclusive) to `to` (exclusive) and were not loaded yet. */
  missing(from, to) {
    const pages = [];
    const last = this.pageOf(Math.min(to, this.total) - 1);
    for (let page = Math.max(0, this.pageOf(from)); page <= last; page += 1) {
      if (!this.#loaded.has(page)) pages.push(page);
    }
    return pages;
  }

  /** What to ask the server for: items that left the filter are no longer counted there. */
  request(page) {
    const start = page * this.pageSize;
    const left = [...this.#departed].filter((place) => place < start).length;
    return { offset: Math.max(0, start - left), limit: this.pageSize };
  }

  /** Take in the answer to `request(page)`. */
  fill(page, answer) {
    this.#loaded.add(page);
    this.total = answer.total + this.#departed.size;
    answer.items.forEach((item, index) => {
      const place = page * this.pageSize + index;
      this.#items.set(place, item);
      this.#places.set(item.digest, place);
    });
    if (this.#places.has(this.#currentDigest)) this.#currentPlace = this.#places.get(this.#currentDigest);
  }

  /** Put a changed item where the old one stands. Returns false where it is not known. */
  update(item) {
    const place = this.#places.get(item.digest);
    if (place === undefined) return false;
    this.#items.set(place, item);
    if (this.states.length && !this.states.includes(item.state)) this.#departed.add(place);
    else this.#departed.delete(place);
    return true;
  }

  get currentPlace() {
    return this.#currentPlace;
  }

  /** Say which image is open; its place is kept when it is not in this list. */
  setCurrent(digest, place = undefined) {
    this.#currentDigest = digest;
    this.#currentPlace = place ?? this.#places.get(digest) ?? this.#currentPlace;
  }

  /** The place after (+1) or before (-1) the open image, or null at the ends. */
  neighbour(direction) {
    const isHere = this.at(this.#currentPlace)?.digest === this.#currentDigest;
    const isGone = !isHere && this.#loaded.has(this.pageOf(this.#currentPlace));
    const place = this.#currentPlace + (isGone && direction > 0 ? 0 : direction);
    return place >= 0 && place < this.total ? place : null;
  }

  /** The first image that nobody has worked on, else the first of all. */
  firstToDo() {
    for (let place = 0; place < Math.min(this.total, this.pageSize); place += 1) {
      const item = this.at(place);
      if (item && (item.state === 'new' || item.state === 'proposed')) return item;
    }
    return this.at(0);
  }
}
