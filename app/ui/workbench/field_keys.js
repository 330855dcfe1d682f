/** Keys that the editor leaves: the way into the queue, and what Ctrl+S, Enter and Escape do in a text field. */
import { isTyping } from './dom.js';

/**
 * @param {HTMLElement} root of the workbench
 * @param {{save: () => void, toEditor: () => void, toQueue: () => void}} acts
 */
export function listenToFieldKeys(root, { save, toEditor, toQueue }) {
  root.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const isCommand = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    const take = (act) => {
      event.preventDefault();
      act();
    };
    if (isTyping(event.target)) {
      const isDone = key === 'escape' || (key === 'enter' && event.target.tagName === 'INPUT');
      if (isCommand && key === 's') take(() => {
        settle(event.target);
        save();
      });
      else if (isDone && !isCommand) take(toEditor);
    } else if (key === 'q' && !isCommand && !event.shiftKey) {
      take(toQueue);
    }
  });
}

/** Have a field tell what was typed so far, as it does when it is left. */
function settle(field) {
  field.blur();
  field.focus({ preventScroll: true });
}
