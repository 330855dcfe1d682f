/**
 * Saves travel through here, one at a time and in order. A save that the network lost is sent again under the same
 * save_id until the server has answered; the server knows a repeated save_id, so nothing is stored twice.
 */

export const DELAYS_S = Object.freeze([1, 2, 4, 8, 15]);
const TIMEOUT_S = 60;

/**
 * What follows from one attempt. Pure.
 * @param {number} attempt how many attempts failed before this one
 * @param {*} answer what the server said; undefined where it could not be reached
 * @returns {{state: 'saved'}|{state: 'refused', why: string}|{state: 'waiting', delayS: number}}
 */
export function afterAttempt(attempt, answer) {
  if (answer && typeof answer.error === 'string') return { state: 'refused', why: answer.error };
  if (answer && answer.revision) return { state: 'saved' };
  return { state: 'waiting', delayS: DELAYS_S[Math.min(attempt, DELAYS_S.length - 1)] };
}

/** A name for one save. Works without a secure context too, where crypto.randomUUID is missing. */
export function freshSaveId(random = globalThis.crypto) {
  const bytes = random.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Emits 'change' with {count, failed, delayS} whenever what is under way changes.
 * A job is {kind: 'save'|'remove'|'restore', request}, the request with its digest, based_on and save_id.
 */
export class Outbox extends EventTarget {
  #jobs = [];
  #isRunning = false;
  #wake = null;

  /**
   * @param {(kind: string, request: Object) => Promise<Object>} send
   * @param {(seconds: number) => Promise<void>} sleep
   */
  constructor(send, sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))) {
    super();
    this.send = send;
    this.sleep = sleep;
  }

  get count() {
    return this.#jobs.length;
  }

  /** Whether a save of this image has not been answered yet. */
  has(digest) {
    return this.#jobs.some((job) => job.request.digest === digest);
  }

  /** @returns {Promise<{state: 'saved', answer: Object}|{state: 'refused', why: string}>} */
  put(kind, request) {
    return new Promise((settle) => {
      this.#jobs.push({ kind, request, settle });
      this.#report(0, 0);
      this.#run();
    });
  }

  /** Try again now instead of later, for example because the network is back. */
  hurry() {
    this.#wake?.();
  }

  async #run() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#jobs.length) {
      const job = this.#jobs[0];
      const outcome = await this.#deliver(job);
      this.#jobs.shift();
      if (outcome.state === 'saved') this.#base(job.request.digest, outcome.answer.revision.number);
      this.#report(0, 0);
      job.settle(outcome);
    }
    this.#isRunning = false;
  }

  async #deliver(job) {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.#attempt(job);
      const step = afterAttempt(attempt, answer);
      if (step.state !== 'waiting') return { ...step, answer };
      this.#report(attempt + 1, step.delayS);
      await Promise.race([
        this.sleep(step.delayS),
        new Promise((resolve) => {
          this.#wake = resolve;
        }),
      ]);
      this.#wake = null;
    }
  }

  async #attempt(job) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, TIMEOUT_S * 1000);
    });
    try {
      return await Promise.race([this.send(job.kind, job.request), late]);
    } catch {
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One's own earlier save is no conflict: what waits behind it is based on it. */
  #base(digest, number) {
    for (const { request } of this.#jobs) {
      if (request.digest === digest) request.based_on = Math.max(request.based_on, number);
    }
  }

  #report(failed, delayS) {
    this.dispatchEvent(new CustomEvent('change', { detail: { count: this.count, failed, delayS } }));
  }
}
