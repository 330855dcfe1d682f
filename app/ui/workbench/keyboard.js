/** Keys: only while the focus is inside the workbench and no text field has it. */

import { isTyping } from './dom.js';
import { entryFor } from './keys.js';

const REPEATING = new Set(['undo', 'redo', 'smaller', 'larger', 'zoomIn', 'zoomOut']);

export class Keyboard {
  /**
   * @param {HTMLElement} root - keys pressed anywhere inside it count.
   * @param {import('./bench.js').Bench} bench
   * @param {import('./gestures.js').Gestures} gestures
   * @param {import('./help.js').Help} help
   */
  constructor(root, bench, gestures, help) {
    Object.assign(this, { bench, gestures, help });
    root.addEventListener('keydown', (event) => this.#down(event));
    root.addEventListener('keyup', (event) => event.key === ' ' && gestures.holdSpace(false));
    root.addEventListener('focusout', () => gestures.holdSpace(false));
  }

  #down(event) {
    if (event.defaultPrevented || event.isComposing || isTyping(event.target)) return;
    if (this.help.isOpen) {
      if (event.key !== 'Tab') event.preventDefault();
      if (['Escape', '?'].includes(event.key)) this.help.toggle();
      return;
    }
    const pressable = event.target.closest('button, a, summary, [role="button"], [role="option"]');
    if (pressable && [' ', 'Enter'].includes(event.key)) return;
    const done = this.#space(event) || this.#polygon(event) || this.#table(event);
    if (done) event.preventDefault();
  }

  #space(event) {
    if (event.key === ' ') this.gestures.holdSpace(true);
    return event.key === ' ';
  }

  #polygon({ key, ctrlKey, metaKey }) {
    const { polygon } = this.bench.tools;
    if (this.bench.tool !== polygon || !polygon.isOpen || !this.bench.isReady) return false;
    if (key === 'Enter') polygon.close();
    else if (key === 'Escape') polygon.cancel();
    else if (key === 'Backspace' || (key.toLowerCase() === 'z' && (ctrlKey || metaKey))) polygon.removeLast();
    else return false;
    return true;
  }

  #table(event) {
    const entry = entryFor(event);
    if (!entry) return false;
    if (!event.repeat || REPEATING.has(entry.command)) this.bench.run(entry.command, entry.argument);
    return true;
  }
}
