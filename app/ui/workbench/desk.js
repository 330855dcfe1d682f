/** The desk: which image is open, what of it is unsaved, and the way from one image to the next. */
import { chooseDraft, fits, isStored } from './draft_rules.js';
import { decoded } from './opening.js';
import { foreignText, timeText } from './wording.js';

const BARS_OF_AN_IMAGE = ['draft', 'foreign', 'elsewhere', 'problem', 'opening'];
const LAST_OPEN = 'oddity-workbench-open';

function remember(digest) {
  try {
    sessionStorage.setItem(LAST_OPEN, digest);
  } catch {
    // without storage a reload starts at the first image
  }
}

/** The image that was open before this tab was reloaded. */
export function lastOpen() {
  try {
    return sessionStorage.getItem(LAST_OPEN);
  } catch {
    return null;
  }
}

/** Emits 'open' after an image was opened and 'change' when its status may have changed. */
export class Desk extends EventTarget {
  #turn = 0;
  #isOpening = false;
  #loading = Promise.resolve();

  /** @param {Object} parts {editor, queue, panel, history, messages, drafts, tab, outbox, opening, unsaved} */
  constructor(parts) {
    super();
    Object.assign(this, parts);
    this.current = null;
    this.unsaved.addEventListener('change', () => this.dispatchEvent(new Event('change')));
    this.editor.addEventListener('change', () => this.current && this.unsaved.changed());
    this.panel.addEventListener('note', () => this.current && this.unsaved.changed());
  }

  /** Whether the open image differs from what is stored. */
  get isDirty() {
    return Boolean(this.current) && (this.editor.dirty || this.panel.note !== this.current.note);
  }

  /** The open image as a record for the drafts. */
  record() {
    const {
      digest,
      basedOn,
      answer: { item },
    } = this.current;
    const { cells, classes, threshold } = this.editor.snapshotDraft();
    return {
      digest,
      tab: this.tab.id,
      time: Date.now(),
      name: item.name,
      width: item.width,
      height: item.height,
      cells,
      classes,
      threshold,
      note: this.panel.note,
      based_on: basedOn,
    };
  }

  /** Watch the open image from what it is now, which is what is stored or in a draft. */
  watch() {
    const { digest } = this.current;
    const forget = async () => this.outbox.has(digest) || this.drafts.remove(digest, this.tab.id);
    this.unsaved.begin(() => (this.isDirty ? this.record() : null), forget);
  }

  /** Put the open image away; its unsaved work stays as a draft. @returns {Promise<boolean>} false: the person stays */
  async leave() {
    if (this.current) this.editor.settle();
    if (!this.current || !this.isDirty || (await this.unsaved.flush())) return true;
    return this.messages.ask(
      `This browser cannot keep the unsaved work on ${this.current.answer.item.name}. Leave and drop it?`,
      'Drop it',
      'Stay',
    );
  }

  /**
   * Leave the open image and begin to open another; 'open' tells when it is there.
   * @param {string} digest
   * @param {number} [place] in the queue
   */
  async open(digest, place = undefined) {
    if (!(await this.leave())) return;
    const turn = (this.#turn += 1);
    this.current = null;
    this.unsaved.end();
    remember(digest);
    this.queue.setCurrent(digest, place);
    this.messages.clear(...BARS_OF_AN_IMAGE);
    this.panel.showImage(null);
    this.history.show(null, 0);
    this.editor.busy('Opening the image …');
    this.#fetch(digest, () => turn === this.#turn);
  }

  /** Whether an image is on its way. */
  get isOpening() {
    return this.#isOpening;
  }

  async #fetch(digest, isMine) {
    this.#isOpening = true;
    const answer = await this.opening.open(digest, (early) => isMine() && this.#preview(early, isMine));
    if (isMine()) await this.#show(digest, answer, isMine);
    if (isMine()) this.#isOpening = false;
  }

  /** Open the same image again from the server, without the person's draft. */
  async reopen() {
    const { digest } = this.current;
    this.unsaved.end();
    await this.drafts.remove(digest, this.tab.id);
    this.opening.outdated(digest);
    this.current = null;
    await this.open(digest);
  }

  /** Open the image after (+1) or before (-1) this one. */
  async go(direction) {
    const target = await this.queue.neighbour(direction);
    if (target) await this.open(target.digest, target.place);
    else
      this.messages.toast(
        direction > 0 ? 'This is the last image of the list.' : 'This is the first image of the list.',
      );
    return Boolean(target);
  }

  async #preview(early, isMine) {
    const content = await decoded(early);
    if (isMine() && !this.current) await this.#load(content, () => isMine() && !this.current);
    if (isMine() && !this.current) this.editor.busy('Looking for anomalies …');
  }

  #load(content, isMine) {
    this.#loading = this.#loading.catch(() => {}).then(() => (isMine() ? this.editor.load(content) : null));
    return this.#loading;
  }

  async #show(digest, answer, isMine) {
    if (answer.error) {
      this.#fail(digest, answer.error);
      return;
    }
    try {
      const content = await decoded(answer);
      const stored = {
        mask: content.cells,
        classes: content.classes,
        note: answer.revision?.note ?? answer.note ?? '',
      };
      const found = await this.#findDraft(answer, stored);
      if (!isMine()) return;
      const { draft } = found;
      if (draft) content.draft = { cells: draft.cells, classes: draft.classes, threshold: draft.threshold };
      await this.#load(content, isMine);
      if (isMine()) this.#begin({ digest, answer, stored, ...found });
    } catch (error) {
      if (isMine()) this.#fail(digest, error.message);
    }
  }

  #fail(digest, text) {
    this.editor.unload();
    this.editor.busy(null);
    this.messages.bar('opening', text, { tone: 'bad', actions: [['Try again', () => this.open(digest)]] });
  }

  async #findDraft(answer, stored) {
    const { digest, width, height } = answer.item;
    const { draft, elsewhere } = chooseDraft(await this.drafts.of(digest), this.tab.id, await this.tab.live());
    if (!draft || !fits(draft, width, height)) return { draft: null, elsewhere };
    if (isStored(draft, stored) && !draft.waiting) {
      await this.drafts.remove(digest, draft.tab);
      return { draft: null, elsewhere };
    }
    if (draft.tab !== this.tab.id) await this.drafts.adopt(digest, draft.tab, this.tab.id);
    return { draft, elsewhere };
  }

  #begin({ digest, answer, stored, draft, elsewhere }) {
    const { item, revision } = answer;
    this.current = {
      digest,
      answer,
      revision,
      note: stored.note,
      basedOn: draft?.based_on ?? item.revision,
      waiting: draft?.saved_as ?? null,
    };
    this.panel.showImage(answer);
    this.panel.note = draft ? draft.note : stored.note;
    this.panel.showRegions(this.editor.regions());
    this.history.show(digest, item.revision);
    this.watch();
    this.editor.busy(null);
    this.#tell(answer, draft, elsewhere);
    this.dispatchEvent(new Event('open'));
    this.#prefetch();
  }

  #tell(answer, draft, elsewhere) {
    const { digest } = answer.item;
    if (draft && !this.outbox.has(digest)) {
      this.messages.bar('draft', `Unsaved work of ${timeText(draft.time)} restored.`, {
        actions: [['Discard', () => this.dispatchEvent(new Event('discard'))]],
        canClose: true,
      });
    }
    if (elsewhere && !draft) {
      this.messages.bar('elsewhere', 'Another tab of this browser has unsaved work on this image.', { canClose: true });
    }
    if (draft && answer.revision && answer.revision.number > draft.based_on && !this.outbox.has(digest)) {
      this.tellForeign([answer.revision]);
    }
    if (answer.proposal_problem)
      this.messages.bar('problem', answer.proposal_problem, { tone: 'warn', canClose: true });
  }

  /**
   * Say that somebody else saved the open image.
   * @param {Object[]} revisions newer than the one this work is based on
   */
  tellForeign(revisions) {
    const newest = revisions.reduce((one, other) => (one.number > other.number ? one : other));
    const look = () => this.dispatchEvent(new CustomEvent('compare', { detail: { revision: newest } }));
    const load = () => this.dispatchEvent(new Event('reload'));
    const actions = [newest.kind === 'save' && ['Look at it', look], ['Load it', load]].filter(Boolean);
    this.messages.bar('foreign', foreignText(revisions), { tone: 'warn', actions, canClose: true });
  }

  async #prefetch() {
    const turn = this.#turn;
    const next = await this.queue.neighbour(1);
    if (next && turn === this.#turn) this.opening.prefetch(next.digest);
  }
}
