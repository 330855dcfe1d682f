/** What stands in the editor's place while the workspace holds no image. */
import { h } from './dom.js';

export function welcome() {
  const text = 'Import a folder, a zip file or single pictures with the buttons above; they appear here by themselves.';
  return h('div', { class: 'welcome', hidden: true }, h('h3', {}, 'No images yet'), h('p', {}, text));
}
