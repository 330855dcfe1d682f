/** The queue at the left: filter, order, rows, and which image comes next. */
import { h } from './dom.js';
import { Listing } from './listing.js';
import { QueueRows } from './queue_rows.js';
import { Thumbnails } from './thumbnails.js';
import { STATES, stateHint, titleOf } from './wording.js';

const SORTS = [
  ['newest', 'Newest first'],
  ['oldest', 'Oldest first'],
  ['score', 'Highest score first'],
  ['uncertainty', 'Least certain first'],
  ['benefit', 'Most to learn from first'],
  ['name', 'By name'],
];

/** Emits 'open' {digest, place}, 'leave', 'loaded', 'error' {text}. */
export class Queue extends EventTarget {
  #turn = 0;
  #asked = new Set();

  /**
   * @param {{queue_page: Function, thumbnails: Function}} server
   * @param {import('./preferences.js').Preferences} preferences remembers filter and order
   */
  constructor(server, preferences) {
    super();
    this.server = server;
    this.preferences = preferences;
    const remembered = preferences.get('queue', {});
    this.states = STATES.filter((state) => remembered.states?.includes?.(state));
    this.sort = SORTS.some(([name]) => name === remembered.sort) ? remembered.sort : 'newest';
    this.listing = new Listing({ states: this.states });
    this.version = 0;
    this.workspace = null; // its identity, as the server says
    this.counts = null;
    this.rows = new QueueRows(
      new Thumbnails(
        (request) => server.thumbnails(request),
        () => this.rows.redraw(),
      ),
    );
    for (const name of ['open', 'leave']) {
      this.rows.addEventListener(name, ({ detail }) => this.dispatchEvent(new CustomEvent(name, { detail })));
    }
    this.rows.addEventListener('sight', ({ detail }) => this.#onSight(detail));
    this.element = this.#build();
  }

  #build() {
    this.chips = h('div', { class: 'chips', role: 'group', 'aria-label': 'Show images that are' });
    this.select = h(
      'select',
      { 'aria-label': 'Order', onchange: () => this.#choose({ sort: this.select.value }) },
      SORTS.map(([name, title]) => h('option', { value: name, selected: name === this.sort }, title)),
    );
    this.heading = h('span', { class: 'total' });
    this.nothing = h('p', { class: 'nothing', hidden: true });
    this.#drawChips();
    return h(
      'nav',
      { class: 'queue', 'aria-label': 'Queue' },
      h(
        'div',
        { class: 'heading' },
        h('h3', {}, 'Queue ', h('kbd', { title: 'Q goes to the queue' }, 'Q')),
        this.heading,
      ),
      this.chips,
      this.select,
      this.nothing,
      this.rows.element,
    );
  }

  #drawChips() {
    const all = STATES.reduce((sum, state) => sum + (this.counts?.[state] ?? 0), 0);
    const chip = (title, count, isOn, hint, act) =>
      h(
        'button',
        { type: 'button', class: 'chip', title: hint, 'aria-pressed': String(isOn), onclick: act },
        title,
        h('b', {}, this.counts ? count.toLocaleString('en') : ''),
      );
    const focused = [...this.chips.children].indexOf(document.activeElement);
    this.chips.replaceChildren(
      chip('All', all, this.states.length === 0, 'every image', () => this.#choose({ states: [] })),
      ...STATES.map((state) =>
        chip(titleOf(state), this.counts?.[state] ?? 0, this.states.includes(state), stateHint(state), () =>
          this.#toggle(state),
        ),
      ),
    );
    if (focused >= 0) this.chips.children[focused].focus();
  }

  #toggle(state) {
    const states = STATES.filter((other) => (other === state) !== this.states.includes(other));
    this.#choose({ states: states.length === STATES.length ? [] : states });
  }

  #choose({ states = this.states, sort = this.sort }) {
    this.states = states;
    this.sort = sort;
    this.preferences.set('queue', { states, sort });
    this.#drawChips();
    this.rows.element.scrollTop = 0;
    this.reload();
  }

  /** Ask for the list anew: what is in sight and what is around the open image. @returns {Promise<boolean>} */
  async reload() {
    const turn = (this.#turn += 1);
    const listing = new Listing({ states: this.states });
    const { from, to } = this.rows.sight;
    const { currentPlace } = this.listing;
    const pages = new Set([0, listing.pageOf(from), listing.pageOf(Math.max(from, to - 1))]);
    if (currentPlace >= 0) pages.add(listing.pageOf(currentPlace)).add(listing.pageOf(currentPlace + 1));
    for (const page of pages) {
      const answer = await this.#ask(listing.request(page));
      if (turn !== this.#turn) return false;
      if (!answer) return false;
      listing.fill(page, answer);
    }
    listing.setCurrent(this.digest, listing.item(this.digest) ? undefined : currentPlace);
    this.listing = listing;
    this.#asked.clear();
    this.#show();
    this.dispatchEvent(new Event('loaded'));
    return true;
  }

  async #ask(range) {
    const answer = await this.server.queue_page({ states: this.states, sort: this.sort, ...range }).catch(() => null);
    if (!answer || answer.error) {
      const text = answer?.error ?? 'The queue could not be loaded: the server does not answer.';
      this.dispatchEvent(new CustomEvent('error', { detail: { text } }));
      return null;
    }
    this.version = Math.max(this.version, answer.version);
    this.workspace = answer.workspace ?? '';
    this.setCounts(answer.counts);
    return answer;
  }

  async #load(page) {
    const { listing } = this;
    if (this.#asked.has(page)) return;
    this.#asked.add(page);
    const answer = await this.#ask(listing.request(page));
    if (listing !== this.listing) return;
    this.#asked.delete(page);
    if (!answer) return;
    listing.fill(page, answer);
    this.#show();
  }

  #onSight({ from, to }) {
    for (const page of this.listing.missing(from, to)) this.#load(page);
    const digests = [];
    for (let place = from; place < to; place += 1) digests.push(this.listing.at(place)?.digest);
    this.rows.thumbnails.want(digests.filter(Boolean));
  }

  #show() {
    const { total } = this.listing;
    this.heading.textContent = total.toLocaleString('en');
    this.nothing.hidden = total > 0 || this.states.length === 0;
    this.nothing.textContent = 'No image is in this state. Choose All to see every image.';
    this.rows.show(this.listing);
  }

  setCounts(counts) {
    if (!counts || JSON.stringify(counts) === JSON.stringify(this.counts)) return;
    this.counts = counts;
    this.#drawChips();
  }

  /** Whether the workspace holds no image at all. */
  get isEmpty() {
    return this.counts !== null && STATES.every((state) => !this.counts[state]);
  }

  /** Take in what became of an image. */
  update(item) {
    const before = this.listing.item(item.digest);
    if (before && this.counts && before.state !== item.state) {
      const { [before.state]: left, [item.state]: joined } = this.counts;
      this.setCounts({ ...this.counts, [before.state]: left - 1, [item.state]: joined + 1 });
    }
    if (this.listing.update(item)) this.rows.redraw();
  }

  /** Mark the open image. */
  setCurrent(digest, place = undefined) {
    this.digest = digest;
    this.listing.setCurrent(digest, place);
    this.rows.reveal(this.listing.currentPlace);
  }

  /** @param {Set<string>} digests images with unsaved work */
  setDrafts(digests) {
    this.rows.drafts = digests;
    this.rows.redraw();
  }

  /**
   * The image after (+1) or before (-1) the open one in this filter and order.
   * @returns {Promise<?{digest: string, place: number}>}
   */
  async neighbour(direction) {
    const place = this.listing.neighbour(direction);
    if (place === null) return null;
    if (!this.listing.at(place)) await this.#load(this.listing.pageOf(place));
    const item = this.listing.at(place);
    return item ? { digest: item.digest, place } : null;
  }

  focus() {
    this.rows.element.focus({ preventScroll: true });
    this.rows.reveal(Math.max(0, this.listing.currentPlace));
  }
}
