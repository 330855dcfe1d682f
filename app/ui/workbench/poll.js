/** Asks now and then what others have saved, while somebody looks at the page. */

export const EVERY_S = 4;
const EVERY_S_WITHOUT_ANSWER = 15;

/** Emits 'changes' {changed, counts}, 'lost' and 'found' when the server stops and starts to answer. */
export class Poll extends EventTarget {
  #timer = null;
  #isLost = false;

  /**
   * @param {(request: {since: number}) => Promise<Object>} fetchChanges
   * @param {() => boolean} isWatched
   */
  constructor(fetchChanges, isWatched) {
    super();
    this.fetchChanges = fetchChanges;
    this.isWatched = isWatched;
    this.version = 0;
  }

  /** Start, or go on after being out of sight. */
  start(version) {
    this.version = Math.max(this.version, version);
    this.#plan(EVERY_S);
  }

  #plan(seconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), seconds * 1000);
  }

  async ask() {
    clearTimeout(this.#timer);
    if (!this.isWatched()) {
      this.#plan(EVERY_S);
      return;
    }
    const answer = await this.fetchChanges({ since: this.version }).catch(() => null);
    const isLost = !answer || Boolean(answer.error);
    if (isLost !== this.#isLost) this.dispatchEvent(new Event(isLost ? 'lost' : 'found'));
    this.#isLost = isLost;
    if (!isLost && answer.version > this.version) {
      this.version = answer.version;
      this.dispatchEvent(new CustomEvent('changes', { detail: answer }));
    }
    this.#plan(isLost ? EVERY_S_WITHOUT_ANSWER : EVERY_S);
  }
}
