/** The workbench on the page: queue, editor and panel put together, and what comes from the page around them. */
import { Deeds } from './deeds.js';
import { Desk, lastOpen } from './desk.js';
import { h, isTyping } from './dom.js';
import { Drafts } from './drafts.js';
import { Editor } from './editor.js';
import { listenToFieldKeys } from './field_keys.js';
import { HistoryPanel } from './history_panel.js';
import { fillWindow } from './layout.js';
import { Messages } from './messages.js';
import { Opening } from './opening.js';
import { Panel } from './panel.js';
import { Poll } from './poll.js';
import { Preferences } from './preferences.js';
import { Queue } from './queue.js';
import { Outbox } from './saving.js';
import { claimTab } from './tabs.js';
import { Unsaved } from './unsaved.js';
import { welcome } from './welcome.js';
import { statusOf } from './wording.js';

/**
 * Fill `element` with the workbench. It asks the server for nothing until it is seen for the first time.
 * @param {HTMLElement} element
 * @param {{server: Object, watch: Function, props: {value: ?Object}, trigger?: Function, author?: string}} page
 * @returns {Promise<void>} settles when the workbench stands
 */
export async function start(element, page) {
  element.classList.add('oddity-workbench');
  const workbench = new Workbench(element, page, new Drafts(), await claimTab());
  fillWindow(element);
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    workbench.begin();
  });
  observer.observe(element);
}

class Workbench {
  #request = {};
  #touched = new Map(); // images that this page opened or saved lately: their newest revision then
  #hasBegun = false;
  #entering = null;
  #workspace = null; // whose drafts are kept: none before the server has said it

  constructor(root, { server, watch, props, author = '' }, drafts, tab) {
    this.root = root;
    this.server = server;
    this.preferences = new Preferences();
    this.build(server, this.preferences.get('author', '') || author);
    const outbox = new Outbox((kind, request) => server[kind](request));
    const opening = new Opening(server, (item) => this.#learn(item));
    const { editor, queue, panel, history, messages } = this;
    this.desk = new Desk({
      editor,
      queue,
      panel,
      history,
      messages,
      drafts,
      tab,
      outbox,
      opening,
      unsaved: new Unsaved(drafts),
    });
    this.deeds = new Deeds(this.desk, server, (item) => this.#learn(item));
    this.poll = new Poll(
      (request) => server.changes(request),
      () => !document.hidden && root.offsetParent !== null,
    );
    this.sending = { count: 0, failed: 0, delayS: 0 };
    this.#wireParts();
    this.#wireServer();
    this.#wirePage();
    this.#takeRequest(props.value);
    watch?.('value', () => this.#takeRequest(props.value));
  }

  #learn(item) {
    this.#touched.set(item.digest, item.revision);
    this.queue.update(item);
  }

  build(server, author) {
    this.queue = new Queue(server, this.preferences);
    this.panel = new Panel(author);
    this.history = new HistoryPanel((request) => server.history(request));
    this.panel.history.append(this.history.element);
    this.bars = h('div', { class: 'bars' });
    this.editorElement = h('div', { class: 'editor-place' });
    this.empty = welcome();
    const centre = h('div', { class: 'centre' }, this.editorElement, this.empty, this.bars);
    this.root.replaceChildren(h('div', { class: 'bench' }, this.queue.element, centre, this.panel.element));
    this.messages = new Messages(this.bars, this.root, () => this.focusEditor());
    this.editor = new Editor(this.editorElement, { keyRoot: this.root });
  }

  #wireParts() {
    const { desk, deeds, queue, panel, history, editor, messages } = this;
    const on = (source, name, act) => source.addEventListener(name, ({ detail }) => act(detail));
    on(queue, 'open', async ({ digest, place }) => {
      if (desk.current?.digest !== digest) await desk.open(digest, place);
      this.focusEditor();
    });
    on(queue, 'leave', () => this.focusEditor());
    const again = ['Try again', () => queue.reload()];
    on(queue, 'error', ({ text }) => messages.bar('queue', text, { tone: 'bad', actions: [again] }));
    on(queue, 'loaded', () => this.#onQueue());
    on(editor, 'request', ({ action }) => deeds.act(action));
    on(editor, 'regions', () => desk.current && panel.showRegions(editor.regions()));
    on(editor, 'message', ({ text }) => messages.toast(text));
    on(panel, 'request', ({ action }) => deeds.act(action).then(() => this.focusEditor()));
    on(panel, 'author', ({ author }) => this.preferences.set('author', author));
    on(panel, 'class', ({ point, name }) => editor.setClass(point, name));
    on(panel, 'drop', ({ point }) => {
      editor.dropRegion(point);
      this.focusEditor(); // the button that had the focus is gone
    });
    on(panel, 'point', ({ region }) => editor.highlight(region));
    on(history, 'compare', ({ revision }) => deeds.compare(revision));
    on(history, 'restore', ({ revision }) => desk.current && deeds.restore(revision));
    on(history, 'remove', () => deeds.act('delete'));
    on(desk, 'discard', () => deeds.act('discard'));
    on(desk, 'reload', () => deeds.load());
    on(desk, 'compare', ({ revision }) => deeds.compare(revision));
    on(desk, 'open', () => this.focusEditor());
    on(desk, 'change', () => this.#showStatus());
  }

  #wireServer() {
    const { desk, queue, messages } = this;
    const on = (source, name, act) => source.addEventListener(name, ({ detail }) => act(detail));
    on(desk.outbox, 'change', (sending) => {
      this.sending = sending;
      this.#showStatus();
    });
    on(this.poll, 'changes', (answer) => this.#onChanges(answer));
    const silence = 'The server does not answer; trying again. Your work is kept here.';
    on(this.poll, 'lost', () => messages.bar('server', silence, { tone: 'warn' }));
    on(this.poll, 'found', () => {
      messages.clear('server');
      queue.reload().then(() => desk.outbox.hurry());
    });
  }

  #wirePage() {
    const { desk, deeds } = this;
    const keep = () => desk.current && desk.unsaved.flushAtOnce();
    const keepAll = () => {
      if (desk.current) desk.editor.settle(); // not when the tab is only hidden: its person comes back
      keep();
    };
    addEventListener('pagehide', keepAll);
    document.addEventListener('visibilitychange', () => (document.hidden ? keep() : this.#hasBegun && this.poll.ask()));
    addEventListener('online', () => {
      desk.outbox.hurry();
      this.poll.ask();
    });
    addEventListener('beforeunload', (event) => {
      keepAll(); // the earlier it starts, the surer it is on disk before the page is gone
      const isLosing = (desk.isDirty && !desk.unsaved.isKept) || deeds.unkept > 0;
      if (isLosing) event.preventDefault();
    });
    listenToFieldKeys(this.root, {
      save: () => deeds.act('save'),
      toEditor: () => this.editorElement.focus({ preventScroll: true }),
      toQueue: () => this.queue.focus(),
    });
  }

  /** Give the keys to the editor, unless the person is typing somewhere. */
  focusEditor() {
    if (!isTyping(document.activeElement)) this.editorElement.focus({ preventScroll: true });
  }

  /** Called when the workbench is seen for the first time. */
  async begin() {
    this.#hasBegun = true;
    this.editor.busy('Loading the queue …');
    if (!(await this.queue.reload())) this.editor.busy(null);
    this.poll.start(this.queue.version);
  }

  /** The page asks for something: {open, nonce}, {refresh: nonce} or {preset}. */
  #takeRequest(value) {
    const { open, nonce, refresh, preset } = value ?? {};
    const before = this.#request;
    this.#request = { ...before, ...value };
    if (preset && preset !== before.preset) this.#usePreset(preset);
    const isAsked = open && (open !== before.open || nonce !== before.nonce);
    if (isAsked && this.#workspace !== null) this.desk.open(open);
    else if (isAsked) this.wanted = open;
    if (refresh !== undefined && refresh !== before.refresh && this.#hasBegun) this.queue.reload();
  }

  #usePreset(preset) {
    const { desk } = this;
    desk.opening.usePreset(preset);
    if (!desk.current) return;
    if (desk.isDirty) this.messages.toast('The other model proposes from the next image on.');
    else desk.open(desk.current.digest);
  }

  async #onQueue() {
    const { queue, desk } = this;
    if (this.#workspace !== queue.workspace && !(await this.#enter(queue.workspace))) return;
    this.poll.start(queue.version);
    this.messages.clear('queue');
    this.empty.hidden = !queue.isEmpty;
    this.editorElement.hidden = queue.isEmpty;
    if (desk.current || desk.isOpening) return;
    this.editor.busy(null);
    const first = this.wanted ?? lastOpen() ?? queue.listing.firstToDo()?.digest;
    this.wanted = null;
    if (first && !queue.isEmpty) desk.open(first);
  }

  /** Take up what this browser keeps of the workspace. @returns {Promise<boolean>} false: it is not the one before */
  async #enter(workspace) {
    const { desk, messages } = this;
    if (this.#workspace !== null) {
      if (desk.current) await desk.unsaved.flush();
      location.reload(); // images, revisions and drafts of the other workspace have nothing to do with this page's
      return false;
    }
    this.#entering ??= desk.drafts.enter(workspace).then(() => {
      this.#workspace = workspace;
      this.#showDrafts();
      this.deeds.resume();
      if (desk.drafts.isAvailable) return;
      const text = 'This browser keeps no drafts (private window or storage off): save before you close the page.';
      messages.bar('drafts', text, { tone: 'warn', canClose: true });
    });
    await this.#entering;
    return true;
  }

  async #onChanges({ changed, counts }) {
    const { desk, queue } = this;
    const touched = this.#touched;
    this.#touched = new Map();
    queue.setCounts(counts);
    const known = (digest) => touched.get(digest) ?? (desk.current?.digest === digest ? desk.current.basedOn : null);
    const judged = await Promise.all(
      changed.map((digest) => known(digest) === null || this.#isForeign(digest, known(digest))),
    );
    const foreign = changed.filter((_, index) => judged[index]);
    for (const digest of foreign) desk.opening.outdated(digest);
    if (foreign.length) await queue.reload();
    if (foreign.includes(desk.current?.digest)) this.history.refresh();
  }

  /** Whether others saved an image after the revision that this page knows; tells it of the open image. */
  async #isForeign(digest, known) {
    const { desk, server } = this;
    const answer = await server.history({ digest }).catch(() => null);
    const newer = (answer?.revisions ?? []).filter(({ number }) => number > known);
    const { current } = desk;
    const untold =
      current?.digest === digest && !desk.outbox.has(digest) && newer.filter(({ number }) => number > current.basedOn);
    if (untold && untold.length) desk.tellForeign(untold);
    return newer.length > 0;
  }

  #showStatus() {
    const { desk } = this;
    const { unsaved, current, drafts } = desk;
    const isDirty = desk.isDirty && !(current && desk.outbox.has(current.digest) && unsaved.version === 0);
    this.panel.showStatus(
      statusOf({
        sending: this.sending,
        isDirty,
        isKept: unsaved.isKept && drafts.isAvailable,
        hasFailed: unsaved.hasFailed,
        revision: current?.revision ?? null,
        isOpen: Boolean(current),
      }),
    );
    this.#showDrafts();
  }

  async #showDrafts() {
    const { drafts, tab } = this.desk;
    const [keys, live] = await Promise.all([drafts.keys(), tab.live()]);
    this.queue.setDrafts(
      new Set(keys.filter(([, owner]) => owner === tab.id || !live.has(owner)).map(([digest]) => digest)),
    );
  }
}
