/** What a person does with the open image: decide and save, discard, delete, restore, compare, snap. */
import { isNothingNew, labelOf } from './draft_rules.js';
import { decodeMask, encodeMask } from './packing.js';
import { freshSaveId } from './saving.js';
import { overtakenText } from './wording.js';

export class Deeds {
  #isBusy = false;

  /**
   * @param {import('./desk.js').Desk} desk
   * @param {Object} server
   * @param {(item: Object) => void} onItem told of what was saved
   */
  constructor(desk, server, onItem) {
    this.desk = desk;
    this.server = server;
    this.onItem = onItem;
    this.unkept = 0; // saves under way that only this page knows of
    this.acts = {
      'save-next': () => this.decide(null, true),
      save: () => this.decide(null, false),
      normal: () => this.decide('normal', true),
      unsure: () => this.decide('unsure', true),
      skip: () => desk.go(1),
      previous: () => desk.go(-1),
      snap: () => {
        this.snap();
      },
      discard: () => this.discard(),
      delete: () => this.remove(),
      history: () => desk.history.toggle(),
    };
  }

  /** Do one thing at a time: a key that comes before the next image is there was not meant for it. */
  async act(action) {
    const { desk } = this;
    const isAway = !desk.current && !['skip', 'previous'].includes(action);
    if (this.#isBusy || isAway || !(action in this.acts)) return;
    this.#isBusy = true;
    try {
      await this.acts[action]();
    } catch (error) {
      desk.editor.busy(null);
      desk.messages.error(error.message);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Ask; an answer that comes when another image is open counts as no. */
  async #agree(question, yes, no = undefined) {
    const { desk } = this;
    const { current } = desk;
    return (await desk.messages.ask(question, yes, no)) && desk.current === current;
  }

  /** @param {'normal'|'unsure'|null} label null: what the mask says @param {boolean} isNext */
  async decide(label, isNext) {
    const { desk } = this;
    const { current, editor, messages } = desk;
    editor.settle();
    if (isNothingNew({ dirty: desk.isDirty, label, revision: current.revision })) {
      messages.toast(`Nothing has changed since revision ${current.revision.number}.`);
      if (isNext) await desk.go(1);
      return;
    }
    if (label === 'normal' && !(await this.#clear())) return;
    const { version } = desk.unsaved;
    const work = desk.record();
    const job = await this.#prepare(label);
    const record = { ...work, saved_as: job.save_id, waiting: job.save_id, request: job };
    const isKept = await desk.unsaved.keep(record, version);
    const saved = this.#send(job, { name: record.name, version, current, isKept });
    if (!isNext) return;
    if (isKept || (await this.#awaited(saved))) await desk.go(1);
    else editor.busy(null);
  }

  /** Empty the mask for "normal"; asks where the person painted it. */
  async #clear() {
    const { editor } = this.desk;
    const mask = editor.mask();
    if (!mask.includes(1)) return true;
    const question = 'Mark this image as normal? The mask that you have worked on is dropped.';
    if (editor.dirty && !(await this.#agree(question, 'Mark as normal', 'Keep the mask'))) return false;
    editor.replace(mask.fill(0), 'Normal');
    return true;
  }

  async #prepare(label) {
    const { current, drafts, editor, panel } = this.desk;
    const { item, proposal } = current.answer;
    const mask = editor.mask();
    return {
      digest: current.digest,
      label: label ?? labelOf(mask),
      mask: await encodeMask(mask, item.width, item.height),
      classes: editor.classes(),
      author: panel.author || 'anonymous',
      note: panel.note,
      based_on: current.basedOn,
      proposal: proposal?.id ?? null,
      workspace: drafts.workspace ?? '', // the server may keep another one by the time it arrives
      save_id: freshSaveId(),
    };
  }

  /** Wait for a save that no draft covers; true where it is at the server. */
  async #awaited(saved) {
    const { editor, outbox } = this.desk;
    editor.busy('Saving …');
    const failed = new Promise((resolve) => {
      outbox.addEventListener('change', ({ detail }) => detail.failed && resolve({ state: 'waiting' }));
    });
    return (await Promise.race([saved, failed])).state === 'saved';
  }

  async #send(request, work) {
    const { desk } = this;
    if (!work.isKept) this.unkept += 1;
    const outcome = await desk.outbox.put('save', request);
    if (!work.isKept) this.unkept -= 1;
    if (outcome.state === 'saved') await this.#arrived(outcome.answer, request, work);
    else await this.#refused(outcome.why, request, work);
    desk.dispatchEvent(new Event('change'));
    return outcome;
  }

  async #arrived(answer, request, { name, version, current }) {
    const { desk } = this;
    const { digest, save_id: saveId, note } = request;
    this.#known(answer, digest);
    await desk.drafts.acknowledge(digest, desk.tab.id, saveId);
    const open = desk.current;
    if (open?.digest === digest) {
      const isAll =
        open === current ? desk.unsaved.version === version : open.waiting === saveId && desk.unsaved.version === 0;
      Object.assign(open, { basedOn: answer.revision.number, revision: answer.revision, note });
      if (isAll) {
        desk.editor.markSaved();
        desk.watch();
        desk.messages.clear('draft', 'foreign');
      }
      desk.history.show(digest, answer.revision.number);
    }
    desk.messages.clear(`refused ${digest}`);
    this.#tellOvertaken(answer.overtaken, digest, name);
  }

  #known(answer, digest) {
    this.desk.opening.outdated(digest, answer.revision.number);
    if (answer.item) this.onItem(answer.item);
  }

  #tellOvertaken(overtaken, digest, name) {
    if (!overtaken?.length) return;
    const { desk } = this;
    const key = `overtaken ${digest}`;
    const isOpen = desk.current?.digest === digest;
    const actions = isOpen ? [] : [['Open it', () => desk.open(digest)]];
    desk.messages.bar(key, overtakenText(overtaken, isOpen ? '' : name), { tone: 'warn', canClose: true, actions });
  }

  async #refused(why, request, work) {
    const { desk } = this;
    const { digest, save_id: saveId } = request;
    await desk.drafts.release(digest, desk.tab.id, saveId);
    const again = () => {
      desk.messages.clear(`refused ${digest}`);
      this.#send(request, work);
    };
    const actions = [
      ['Try again', again],
      ['Open it', () => desk.open(digest)],
    ];
    desk.messages.bar(`refused ${digest}`, `${work.name} was not saved: ${why}`, { tone: 'bad', actions });
  }

  /** Send what an earlier page had not brought to the server before it was closed. */
  async resume() {
    const { drafts, tab } = this.desk;
    const live = await tab.live();
    for (const { digest, tab: owner, name, request } of await drafts.waiting()) {
      if (owner !== tab.id && live.has(owner)) continue;
      if (owner !== tab.id) await drafts.adopt(digest, owner, tab.id);
      this.#send(request, { name, version: -1, current: null, isKept: true });
    }
  }

  async discard() {
    const { desk } = this;
    if (!desk.isDirty) return;
    const question = `Discard your unsaved work on ${desk.current.answer.item.name}? What was saved before stays.`;
    if (await this.#agree(question, 'Discard')) await desk.reopen();
  }

  /** Take over what is stored now; asks where that drops work. */
  async load() {
    const question = 'Load the stored annotation? Your unsaved work on this image is dropped.';
    if (!this.desk.isDirty || (await this.#agree(question, 'Load it'))) await this.desk.reopen();
  }

  async remove() {
    const { desk } = this;
    if (!desk.current.revision) return;
    const question = `Delete the annotation of ${desk.current.answer.item.name}? Its revisions stay in the history.`;
    if (await this.#agree(question, 'Delete')) this.#change('remove', {}, 'Deleting the annotation …');
  }

  async restore({ number }) {
    const { desk } = this;
    const question = `Restore revision ${number}? Your unsaved work on this image is dropped.`;
    if (desk.isDirty && !(await this.#agree(question, 'Restore'))) return;
    this.#change('restore', { number }, `Restoring revision ${number} …`);
  }

  async #change(kind, more, text) {
    const { desk } = this;
    const { current } = desk;
    const { digest, basedOn } = current;
    desk.editor.busy(text);
    const request = {
      digest,
      ...more,
      author: desk.panel.author || 'anonymous',
      based_on: basedOn,
      save_id: freshSaveId(),
    };
    const outcome = await desk.outbox.put(kind, request);
    if (outcome.state === 'saved') this.#known(outcome.answer, digest);
    else desk.messages.error(outcome.why);
    if (desk.current !== current) return;
    desk.editor.busy(null);
    if (outcome.state !== 'saved') return;
    await desk.reopen();
    this.#tellOvertaken(outcome.answer.overtaken, digest, '');
  }

  /** Compare the present mask with a revision; null goes back to comparing with the proposal. */
  async compare(revision) {
    const { desk, server } = this;
    const { current } = desk;
    if (!current) return;
    desk.history.mark(revision?.number ?? null);
    if (!revision) {
      desk.editor.setReference(null);
      return;
    }
    const { number, author } = revision;
    const answer = await server.revision_mask({ digest: current.digest, number }).catch(() => null);
    if (desk.current !== current) return;
    if (!answer || answer.error) {
      desk.history.mark(null);
      desk.messages.error(answer?.error ?? `Revision ${number} could not be loaded: the server does not answer.`);
      return;
    }
    const { width, height } = current.answer.item;
    const mask = answer.mask ? await decodeMask(answer.mask) : new Uint8Array(width * height);
    desk.editor.setReference(mask, `Revision ${number}${author ? ` · ${author}` : ''}`);
  }

  /** Have the server move the mask's boundary to the edges of the image. */
  async snap() {
    const { desk, server } = this;
    const { current, editor, messages } = desk;
    const { width, height } = current.answer.item;
    editor.busy('Moving the boundary to the edges of the image …');
    const mask = await encodeMask(editor.mask(), width, height);
    const answer = await server.snap({ digest: current.digest, mask }).catch(() => null);
    if (desk.current !== current) return;
    editor.busy(null);
    if (answer?.mask) editor.replace(await decodeMask(answer.mask), 'Snapped to edges');
    else messages.error(answer?.error ?? 'The mask could not be snapped: the server does not answer.');
  }
}
