/** What the workbench tells people: bars that stay, a toast that goes, and questions before something is dropped. */
import { h } from './dom.js';

const TOAST_MS = 6000;

export class Messages {
  #bars = new Map();
  #timer = null;

  /**
   * @param {HTMLElement} barsElement over the image
   * @param {HTMLElement} root of the workbench, for toast and question
   * @param {() => void} giveBackFocus called when a bar goes whose button had the focus
   */
  constructor(barsElement, root, giveBackFocus = () => {}) {
    this.giveBackFocus = giveBackFocus;
    this.barsElement = barsElement;
    this.root = root;
    this.toastElement = h('div', { class: 'toast', role: 'status', 'aria-live': 'polite' });
    root.append(this.toastElement);
  }

  /** @param {{tone?: 'plain'|'good'|'bad', ms?: number}} options */
  toast(text, { tone = 'plain', ms = TOAST_MS } = {}) {
    clearTimeout(this.#timer);
    this.toastElement.textContent = text;
    this.toastElement.dataset.tone = tone;
    this.toastElement.classList.add('shown');
    this.#timer = setTimeout(() => this.toastElement.classList.remove('shown'), ms);
  }

  /** An error sentence, as the server or the browser wrote it. */
  error(text) {
    this.toast(text, { tone: 'bad', ms: 2 * TOAST_MS });
  }

  /**
   * Show a bar, in place of an earlier one of the same key.
   * @param {string} key
   * @param {string} text
   * @param {{tone?: string, actions?: Array<[string, () => void]>, canClose?: boolean}} options
   */
  bar(key, text, { tone = 'plain', actions = [], canClose = false } = {}) {
    const close =
      canClose &&
      h(
        'button',
        { type: 'button', class: 'close', 'aria-label': 'Close', title: 'Close', onclick: () => this.clear(key) },
        '×',
      );
    const buttons = actions.map(([title, act]) => h('button', { type: 'button', onclick: act }, title));
    const bar = h(
      'div',
      { class: 'bar', 'data-tone': tone, 'data-key': key, role: 'status' },
      h('span', {}, text),
      buttons,
      close,
    );
    const earlier = this.#bars.get(key);
    if (earlier) earlier.replaceWith(bar);
    else this.barsElement.append(bar);
    this.#bars.set(key, bar);
  }

  clear(...keys) {
    for (const key of keys) {
      const bar = this.#bars.get(key);
      const isFocused = bar?.contains(document.activeElement);
      bar?.remove();
      this.#bars.delete(key);
      if (isFocused) this.giveBackFocus();
    }
  }

  /** Ask before something is dropped. Escape and a click beside the box mean no. @returns {Promise<boolean>} */
  ask(text, yes, no = 'Keep it') {
    return new Promise((resolve) => {
      const before = document.activeElement;
      const answer = (value) => () => dialog.close(value);
      const dialog = h(
        'dialog',
        {
          class: 'question',
          'aria-label': 'Question',
          onkeydown: (event) => event.stopPropagation(),
          onclick: (event) => event.target === dialog && dialog.close(''),
          onclose: () => {
            dialog.remove();
            before?.focus?.({ preventScroll: true });
            resolve(dialog.returnValue === 'yes');
          },
        },
        h('p', {}, text),
        h(
          'div',
          { class: 'answers' },
          h('button', { type: 'button', class: 'no', autofocus: true, onclick: answer('') }, no),
          h('button', { type: 'button', class: 'yes danger', onclick: answer('yes') }, yes),
        ),
      );
      this.root.append(dialog);
      dialog.showModal();
    });
  }
}
