/** What can be taken back and done again.  A step is a list of patches in the order in which they were made. */

const MOST_BYTES = 256 * 1024 * 1024;

export class UndoStack {
  /**
   * @param {number} [limit] steps kept; the oldest goes first.
   * @param {number} [limitBytes] memory that steps may take; the newest step always stays.
   */
  constructor(limit = 50, limitBytes = MOST_BYTES) {
    this.limit = limit;
    this.limitBytes = limitBytes;
    this.clear();
  }

  clear() {
    this.done = [];
    this.undone = [];
  }

  get canUndo() {
    return this.done.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  /** The step that undo would take back, or null: the same object again after an undo and a redo. */
  get top() {
    return this.done.length ? this.done[this.done.length - 1] : null;
  }

  /** Memory of all steps. */
  get bytes() {
    let total = 0;
    for (const step of this.done) total += stepBytes(step);
    for (const step of this.undone) total += stepBytes(step);
    return total;
  }

  /**
   * A new step; steps that were undone are gone.
   *
   * @param {object|object[]|null} patches one patch, or all of one stroke; null and empty lists are no step.
   */
  push(patches) {
    const step = (Array.isArray(patches) ? patches : [patches]).filter(Boolean);
    if (step.length === 0) return;
    this.done.push(step);
    this.#settle();
  }

  /**
   * More of the newest step, as while a stroke goes on; a step of its own when there is none.
   *
   * @param {object|object[]|null} patches
   */
  extend(patches) {
    const more = (Array.isArray(patches) ? patches : [patches]).filter(Boolean);
    if (more.length === 0) return;
    this.done.push((this.done.pop() || []).concat(more));
    this.#settle();
  }

  /** @returns {object[]} patches to revert, in this order; empty when there is nothing to undo. */
  undo() {
    if (!this.canUndo) return [];
    const step = this.done.pop();
    this.undone.push(step);
    return step.slice().reverse();
  }

  /** @returns {object[]} patches to apply, in this order; empty when there is nothing to redo. */
  redo() {
    if (!this.canRedo) return [];
    const step = this.undone.pop();
    this.done.push(step);
    return step.slice();
  }

  #settle() {
    this.undone = [];
    let bytes = this.bytes;
    while (this.done.length > this.limit || (bytes > this.limitBytes && this.done.length > 1)) {
      bytes -= stepBytes(this.done.shift());
    }
  }
}

function stepBytes(step) {
  let total = 0;
  for (const patch of step) total += patch.bytes || 0;
  return total;
}
