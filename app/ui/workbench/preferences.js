/** Small choices that this browser remembers; where it may not, they last as long as the page. */
const PREFIX = 'oddity-workbench-';

export class Preferences {
  #here = new Map();

  get(name, otherwise) {
    if (this.#here.has(name)) return this.#here.get(name);
    try {
      return JSON.parse(localStorage.getItem(PREFIX + name)) ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  set(name, value) {
    this.#here.set(name, value);
    try {
      localStorage.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      // storage is full or switched off; the value stays for this page
    }
  }
}
