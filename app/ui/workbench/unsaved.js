const REST_MS = 40; // steps that follow one another faster, such as a held undo key, are kept together

/** Watches the open image for changes and keeps them as a draft. Emits 'change' with `isKept` and `hasFailed`. */
export class Unsaved extends EventTarget {
  #drafts;
  #delayMs;
  #timer = null;
  #snapshot = null;
  #forget = null;
  #writing = Promise.resolve();
  #kept = 0;

  /** @param {{put: Function, putAtOnce: Function}} drafts */
  constructor(drafts, delayMs = REST_MS) {
    super();
    this.#drafts = drafts;
    this.#delayMs = delayMs;
    this.version = 0;
    this.hasFailed = false;
  }

  /**
   * Start with another image, or with the same after it was saved.
   * @param {?() => ?Object} snapshot gives the record to keep, or null where nothing differs from what is stored
   * @param {() => Promise<void>} forget drops the record
   */
  begin(snapshot, forget) {
    clearTimeout(this.#timer);
    this.#snapshot = snapshot;
    this.#forget = forget;
    this.#kept = 0;
    this.version = 0;
    this.#report();
  }

  /** Whether all of it would survive this tab. */
  get isKept() {
    return this.#kept === this.version;
  }

  changed() {
    this.version += 1;
    this.#plan();
    this.#report();
  }

  #plan() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), this.#delayMs);
  }

  /** Keep what there is now. @returns {Promise<boolean>} whether all of it is kept */
  async flush() {
    clearTimeout(this.#timer);
    this.#writing = this.#writing.then(() => this.#write());
    await this.#writing;
    return this.isKept;
  }

  async #write() {
    const { version } = this;
    const snapshot = this.#snapshot;
    if (this.isKept || !snapshot) return;
    const record = snapshot();
    this.#note(snapshot, version, record ? await this.#drafts.put(record) : await this.#forget().then(() => true));
  }

  /** Keep a record of the work up to `version`, which is being saved. @returns {Promise<boolean>} whether it is kept */
  async keep(record, version) {
    if (version === this.version) clearTimeout(this.#timer);
    const snapshot = this.#snapshot;
    let isWritten = false;
    this.#writing = this.#writing.then(async () => {
      isWritten = await this.#drafts.put(record);
      if (snapshot !== this.#snapshot) return;
      if (isWritten) this.#kept = Math.min(this.#kept, version); // newer work that was kept has just been replaced
      this.#note(snapshot, version, isWritten);
      if (!this.isKept) this.#plan();
    });
    await this.#writing;
    return isWritten;
  }

  #note(snapshot, version, isWritten) {
    if (snapshot !== this.#snapshot) return;
    this.hasFailed = !isWritten;
    if (isWritten) this.#kept = Math.max(this.#kept, version);
    this.#report();
  }

  /** Keep what there is before the page goes away. */
  flushAtOnce() {
    const record = this.isKept || !this.#snapshot ? null : this.#snapshot();
    if (record) this.#drafts.putAtOnce(record); // once more by `flush`, should the page stay after all
  }

  /** No image is open. */
  end() {
    this.begin(null, null);
  }

  #report() {
    this.dispatchEvent(new Event('change'));
  }
}
