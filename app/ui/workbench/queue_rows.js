/** The queue's rows: only those in sight exist, so thousands of images scroll as lightly as ten. */
import { h } from './dom.js';
import { scoreText, stateHint, titleOf } from './wording.js';

export const ROW_PX = 62;
const BEYOND = 4; // rows drawn above and below what is in sight

let lists = 0;

/** Emits 'open' {digest, place}, 'sight' {from, to} and 'leave' (Escape). */
export class QueueRows extends EventTarget {
  #rows = new Map();
  #active = 0;
  #frame = 0;
  #id = `oddity-queue-${(lists += 1)}`;

  /** @param {import('./thumbnails.js').Thumbnails} thumbnails */
  constructor(thumbnails) {
    super();
    this.thumbnails = thumbnails;
    this.listing = null;
    this.drafts = new Set();
    this.spacer = h('div', { class: 'spacer' });
    this.element = h(
      'div',
      {
        class: 'rows',
        role: 'listbox',
        tabindex: '0',
        'aria-label': 'Images',
        title: 'Arrows choose an image, Enter opens it',
        onscroll: () => this.redraw(),
        onkeydown: (event) => this.#onKey(event),
        onclick: (event) => this.#onClick(event),
      },
      this.spacer,
    );
    new ResizeObserver(() => this.redraw()).observe(this.element);
  }

  /** Show another listing, or the same after it changed. */
  show(listing) {
    if (listing !== this.listing) this.#active = Math.max(0, listing.currentPlace);
    this.listing = listing;
    this.redraw();
  }

  redraw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.listing) this.#draw();
    });
  }

  /** Move the cursor to a place and bring it into sight. */
  reveal(place) {
    if (place < 0) return;
    this.#active = place;
    const { scrollTop, clientHeight } = this.element;
    const top = place * ROW_PX;
    if (top < scrollTop) this.element.scrollTop = Math.max(0, top - ROW_PX);
    else if (top + ROW_PX > scrollTop + clientHeight) this.element.scrollTop = top + 2 * ROW_PX - clientHeight;
    this.redraw();
  }

  /** Places in sight, `to` exclusive. */
  get sight() {
    const from = Math.floor(this.element.scrollTop / ROW_PX);
    return { from, to: Math.min(this.listing?.total ?? 0, from + Math.ceil(this.element.clientHeight / ROW_PX) + 1) };
  }

  #draw() {
    const { from, to } = this.sight;
    const first = Math.max(0, from - BEYOND);
    const last = Math.min(this.listing.total, to + BEYOND);
    this.spacer.style.height = `${this.listing.total * ROW_PX}px`;
    for (const [place, row] of this.#rows) {
      if (place < first || place >= last) {
        row.element.remove();
        this.#rows.delete(place);
      }
    }
    for (let place = first; place < last; place += 1) this.#drawRow(place);
    this.element.setAttribute('aria-activedescendant', `${this.#id}-${this.#active}`);
    this.dispatchEvent(new CustomEvent('sight', { detail: { from, to } }));
  }

  #drawRow(place) {
    const item = this.listing.at(place);
    const thumbnail = item && this.thumbnails.get(item.digest);
    const isCurrent = this.listing.currentPlace === place;
    const isDraft = Boolean(item && this.drafts.has(item.digest));
    const look = JSON.stringify([
      item,
      thumbnail !== null,
      isCurrent,
      place === this.#active,
      isDraft,
      this.listing.total,
    ]);
    const before = this.#rows.get(place);
    if (before?.look === look) return;
    const element = this.#row(place, item, { thumbnail, isCurrent, isDraft });
    if (before) before.element.replaceWith(element);
    else this.spacer.append(element);
    this.#rows.set(place, { element, look });
  }

  #row(place, item, { thumbnail, isCurrent, isDraft }) {
    const classes = ['row', isCurrent && 'current', place === this.#active && 'active', !item && 'empty'];
    const row = h(
      'div',
      {
        class: classes.filter(Boolean).join(' '),
        role: 'option',
        id: `${this.#id}-${place}`,
        'data-place': place,
        'data-digest': item?.digest,
        'aria-selected': isCurrent ? 'true' : 'false',
        'aria-posinset': place + 1,
        'aria-setsize': this.listing.total,
        title: item?.name,
      },
      h('div', { class: 'thumbnail' }, thumbnail ? h('img', { src: thumbnail, alt: '', draggable: 'false' }) : null),
      item ? this.#words(item, isDraft) : null,
    );
    row.style.top = `${place * ROW_PX}px`;
    return row;
  }

  #words(item, isDraft) {
    const saved = [item.revision ? titleOf(item.label ?? '') : '', item.author].filter(Boolean).join(' · ');
    const details = saved || item.why_next || '';
    return h(
      'div',
      { class: 'words' },
      h('div', { class: 'name' }, item.name),
      h(
        'div',
        { class: 'line' },
        h('span', { class: `badge ${item.state}`, title: stateHint(item.state) }, titleOf(item.state)),
        h('span', { class: 'score', title: 'image score' }, scoreText(item.score)),
        isDraft && h('span', { class: 'draft', title: 'Unsaved work of yours', 'aria-label': 'unsaved work' }),
      ),
      h('div', { class: 'line details', title: details }, details),
    );
  }

  #onClick(event) {
    const row = event.target.closest('.row');
    if (row) this.#open(Number(row.dataset.place));
  }

  #open(place) {
    const item = this.listing.at(place);
    if (item) this.dispatchEvent(new CustomEvent('open', { detail: { digest: item.digest, place } }));
  }

  #onKey(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_PX) - 1);
    const last = (this.listing?.total ?? 0) - 1;
    const targets = {
      ArrowDown: this.#active + 1,
      ArrowUp: this.#active - 1,
      PageDown: this.#active + page,
      PageUp: this.#active - page,
      Home: 0,
      End: last,
    };
    if (event.ctrlKey || event.metaKey || event.altKey || last < 0) return;
    if (event.key in targets) this.reveal(Math.min(last, Math.max(0, targets[event.key])));
    else if (event.key === 'Enter' || event.key === ' ') this.#open(this.#active);
    else if (event.key === 'Escape') this.dispatchEvent(new Event('leave'));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
