/** An editor of the same shape as the real one that only paints single pixels: for tests of what is around it. */
export class Editor extends EventTarget {
  constructor(element, { keyRoot = element } = {}) {
    super();
    this.element = element;
    element.tabIndex = 0;
    this.canvas = element.appendChild(document.createElement('canvas'));
    this.veil = element.appendChild(document.createElement('p'));
    this.busyText = null;
    globalThis.editor = this;
    keyRoot.addEventListener('keydown', (event) => this.#onKey(event));
  }

  #onKey(event) {
    if (event.target.closest('input, textarea, select, button, summary')) return;
    const keys = { Enter: 'save-next', n: 'normal', u: 'unsure', s: 'skip', Backspace: 'previous', g: 'snap' };
    const action = event.ctrlKey ? (event.key === 's' ? 'save' : null) : keys[event.key];
    if (!action) return;
    event.preventDefault();
    this.dispatchEvent(new CustomEvent('request', { detail: { action } }));
  }

  async load(content) {
    this.content = content;
    this.cells = (content.draft ?? content).cells.slice();
    this.points = structuredClone((content.draft ?? content).classes);
    this.threshold = (content.draft ?? content).threshold;
    this.dirty = Boolean(content.draft);
    this.reference = null;
    this.draw();
  }

  draw() {
    Object.assign(this.canvas, { width: this.content.width, height: this.content.height });
    const context = this.canvas.getContext('2d');
    context.fillStyle = '#777';
    context.fillRect(0, 0, 999, 999);
    context.fillStyle = '#e33';
    this.cells.forEach(
      (cell, i) => cell & 1 && context.fillRect(i % this.content.width, Math.floor(i / this.content.width), 1, 1),
    );
    this.dispatchEvent(new Event('regions'));
  }

  #changed() {
    this.dirty = true;
    this.draw();
    this.dispatchEvent(new CustomEvent('change', { detail: { dirty: true } }));
  }

  /** Paint one pixel, as a person would. */
  paint(x, y, value = 1) {
    this.cells[y * this.content.width + x] = value | 2;
    this.#changed();
  }

  unload() {
    this.content = null;
    this.dirty = false;
  }

  get edited() {
    return this.cells.some((cell, i) => (cell & 1) !== (this.content.proposal?.[i] ?? 0));
  }

  mask() {
    return this.cells.map((cell) => cell & 1);
  }

  classes() {
    return structuredClone(this.points);
  }

  regions() {
    const area = this.mask().reduce((sum, bit) => sum + bit, 0);
    const first = this.mask().indexOf(1);
    const point = [first % this.content.width, Math.floor(first / this.content.width)];
    return area ? [{ area, box: {}, point, name: this.points[0]?.name ?? '' }] : [];
  }

  setClass([x, y], name) {
    this.points = name ? [{ x, y, name }] : [];
    this.#changed();
  }

  dropRegion() {
    this.replace(this.mask().fill(0));
  }

  highlight(region) {
    this.highlighted = region;
  }

  setReference(mask, caption = '') {
    this.reference = mask && { mask, caption };
  }

  replace(mask) {
    this.cells = mask.map((bit) => bit | 2);
    this.#changed();
  }

  settle() {}

  markSaved() {
    this.dirty = false;
    this.dispatchEvent(new CustomEvent('change', { detail: { dirty: false } }));
  }

  snapshotDraft() {
    return { cells: this.cells.slice(), classes: this.classes(), threshold: this.threshold };
  }

  busy(text) {
    this.busyText = text;
    this.veil.textContent = text ?? '';
  }
}
