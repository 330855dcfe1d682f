/** The revisions of the open image: who saved what when, compared with the present mask, and restored. */
import { h } from './dom.js';
import { areaText, timeText, titleOf } from './wording.js';

/** Emits 'compare' {revision|null} and 'restore' {revision}. */
export class HistoryPanel extends EventTarget {
  #digest = null;
  #compared = null;

  /** @param {(request: Object) => Promise<Object>} fetchHistory */
  constructor(fetchHistory) {
    super();
    this.fetchHistory = fetchHistory;
    this.count = h('b', {});
    this.list = h('ol', { class: 'revisions' });
    this.remove = h(
      'button',
      {
        type: 'button',
        class: 'link danger',
        title: 'Take the annotation away; its revisions are kept',
        onclick: () => this.dispatchEvent(new Event('remove')),
      },
      'Delete annotation',
    );
    this.element = h(
      'details',
      { class: 'history', ontoggle: () => this.refresh() },
      h('summary', {}, 'History', this.count),
      this.list,
      this.remove,
    );
  }

  /** @param {?string} digest @param {number} revision number of the newest revision, 0 = none */
  show(digest, revision) {
    this.#digest = digest;
    this.#compared = null;
    this.count.textContent = revision ? String(revision) : '';
    this.remove.hidden = !revision;
    this.list.replaceChildren();
    this.refresh();
  }

  /** Turn the open list up or down. */
  toggle() {
    this.element.open = !this.element.open;
    if (this.element.open) this.element.querySelector('summary').focus();
  }

  async refresh() {
    const digest = this.#digest;
    if (!this.element.open || !digest) return;
    const answer = await this.fetchHistory({ digest }).catch(() => null);
    if (digest !== this.#digest) return;
    if (!answer || answer.error) {
      this.list.replaceChildren(h('li', { class: 'none' }, answer?.error ?? 'The history could not be loaded.'));
      return;
    }
    this.#draw(answer.revisions);
  }

  /** Say that a comparison was ended elsewhere, or which one was begun. */
  mark(number) {
    this.#compared = number;
    for (const button of this.list.querySelectorAll('.compare')) {
      button.setAttribute('aria-pressed', String(Number(button.dataset.number) === number));
    }
  }

  #draw(revisions) {
    const newest = revisions[0];
    this.remove.hidden = !newest || newest.kind === 'delete';
    this.count.textContent = newest ? String(newest.number) : '';
    if (!newest) this.list.replaceChildren(h('li', { class: 'none' }, 'Nobody has saved this image yet.'));
    else this.list.replaceChildren(...revisions.map((revision) => this.#revision(revision, revision === newest)));
  }

  #revision(revision, isNewest) {
    const { number, kind, label, author, saved_at: savedAt, area_px: area, source, note } = revision;
    const isDelete = kind === 'delete';
    const emit = (name, value) => this.dispatchEvent(new CustomEvent(name, { detail: { revision: value } }));
    const compare = () => {
      const next = this.#compared === number ? null : number;
      this.mark(next);
      emit('compare', next === null ? null : revision);
    };
    return h(
      'li',
      { 'data-number': number },
      h(
        'div',
        { class: 'who' },
        h('b', {}, String(number)),
        h('span', {}, author || 'somebody'),
        h('time', { datetime: savedAt }, timeText(savedAt)),
      ),
      h('div', { class: 'what' }, isDelete ? 'Annotation deleted' : [titleOf(label), areaText(area)].join(' · ')),
      h('div', { class: 'from' }, source),
      note && h('div', { class: 'from' }, note),
      !isDelete &&
        h(
          'div',
          { class: 'acts' },
          h(
            'button',
            {
              type: 'button',
              class: 'compare',
              'data-number': number,
              'aria-pressed': String(this.#compared === number),
              title: 'Compare with the present mask',
              onclick: compare,
            },
            'Compare',
          ),
          !isNewest &&
            h(
              'button',
              {
                type: 'button',
                class: 'restore',
                title: 'Save this revision again as the newest',
                onclick: () => emit('restore', revision),
              },
              'Restore',
            ),
        ),
    );
  }
}
