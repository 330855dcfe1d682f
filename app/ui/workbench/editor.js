/** The mask editor: an element full of tools around one image.  It knows no server; whoever embeds it saves. */

import { Bench, PREDICTION } from './bench.js';
import { cellsOf, replaceMask } from './cells.js';
import { regionAt } from './components.js';
import { h, isTyping } from './dom.js';
import { Gestures } from './gestures.js';
import { Help } from './help.js';
import { Keyboard } from './keyboard.js';
import { MapPanel } from './map_panel.js';
import { Readout } from './readout.js';
import { Stage, canDraw } from './stage.js';
import { Toolbar } from './toolbar.js';

const COUNT_AFTER_MS = 120; // regions and areas are counted when the hand rests

export class Editor extends EventTarget {
  #loading = 0;
  #timer = 0;

  /**
   * Fires 'change' {dirty}, 'regions' {regions}, 'request' {action} and 'message' {text}.
   *
   * @param {HTMLElement} element - is filled; its width is used, the image's height follows from the window's.
   * @param {{keyRoot?: HTMLElement}} [options] - keys pressed inside keyRoot count; by default inside the element.
   */
  constructor(element, { keyRoot = element } = {}) {
    super();
    this.element = element;
    element.classList.add('oddity-editor');
    element.tabIndex = 0;
    element.setAttribute('role', 'group');
    element.setAttribute('aria-label', 'Mask editor');
    const screen = h('div', {
      class: 'stage', role: 'application', 'aria-label': 'Image and mask', 'data-testid': 'stage',
    });
    this.stage = new Stage(screen);
    this.bench = new Bench(this.stage);
    this.toolbar = new Toolbar(this.bench);
    this.readout = new Readout(this.bench);
    this.mapPanel = new MapPanel(this.bench);
    this.help = new Help();
    this.veil = h('div', { class: 'veil', role: 'status', 'data-testid': 'veil' });
    const above = [this.readout.legend, this.mapPanel.element, this.veil, this.help.element];
    element.replaceChildren(this.toolbar.element, h('div', { class: 'frame' }, screen, above), this.readout.line);
    this.gestures = new Gestures(this.stage, {
      isReady: () => this.bench.isReady,
      tool: () => this.bench.tool,
      start: () => this.bench.show(),
      hover: (event) => this.#hover(event),
      takeBack: () => this.bench.annotation?.undo(),
    });
    new Keyboard(keyRoot, this.bench, this.gestures, this.help);
    this.#listen();
    this.busy(null);
  }

  /**
   * Show an image and its mask.  A later load or unload wins over one that still waits for its picture.
   *
   * @param {object} content - key, width, height, imageUrl or imageBitmap, cells (0/1), proposal (0/1 or null), map (a
   *   value per pixel or null), scale {low, high, odds}, threshold, layers [{layer, h, w, map}], layerScale, palette, classes
   *   [{x, y, name}], knownClasses, draft (from `snapshotDraft`, or null).
   * @returns {Promise<boolean>} false when something else was loaded meanwhile.
   * @throws {Error} the picture cannot be shown.
   */
  async load(content) {
    const turn = ++this.#loading;
    this.gestures.finish();
    if (!canDraw(content.width, content.height)) {
      this.unload();
      throw new Error(tooLarge(content));
    }
    this.busy('Loading the image…');
    let picture;
    try {
      picture = await pictureOf(content);
    } catch {
      if (turn === this.#loading) this.unload();
      throw new Error('The image could not be shown: its file did not arrive whole; open it again.');
    }
    if (turn !== this.#loading) return false;
    const { cells, proposal } = content;
    this.bench.put({ ...content, cells: proposal ? cellsOf(cells, proposal) : cells });
    this.stage.show(picture, content, this.bench.annotation.cells, { keepView: this.key === content.key });
    this.key = content.key;
    this.bench.chooseMap(this.bench.settings.map);
    this.toolbar.measure();
    this.mapPanel.measure();
    this.busy(null);
    this.#count();
    if (!isTyping(document.activeElement)) this.element.focus({ preventScroll: true });
    return true;
  }

  unload() {
    this.#loading += 1;
    this.gestures.finish();
    this.key = null;
    this.bench.clear();
    this.toolbar.measure();
    this.busy(null);
    this.#count();
  }

  /** The cells themselves: bit 0 the mask, bit 1 what a person decided.  Not a copy. */
  get cells() {
    return this.bench.annotation?.cells ?? null;
  }

  get dirty() {
    return this.bench.annotation?.dirty ?? false;
  }

  /** Whether the mask differs from the proposal. */
  get edited() {
    return this.bench.annotation?.edited ?? false;
  }

  /** @returns {Uint8Array | null} 0/1; a stroke under way is part of it. */
  mask() {
    return this.bench.annotation?.mask() ?? null;
  }

  classes() {
    return this.bench.annotation?.classes() ?? [];
  }

  regions() {
    return this.bench.annotation?.regions() ?? [];
  }

  setClass(point, name) {
    this.bench.annotation?.setClass(point, name);
  }

  /** Drop the region that holds a pixel. */
  dropRegion([x, y]) {
    const { annotation, isReady } = this.bench;
    const region = isReady && regionAt(annotation.cells, annotation.width, annotation.height, x, y);
    if (region) annotation.paint(region.spans, 0);
  }

  /** Frame a region, e.g. while a list's entry is pointed at; null takes the frame away. */
  highlight(region) {
    this.stage.pointers.showBox(region?.box ?? null, this.stage.view);
  }

  /**
   * Compare with a mask at once, e.g. with an earlier revision; null ends that and leaves the proposal for the C key.
   *
   * @param {Uint8Array | null} mask - 0/1.
   * @param {string} caption - what the legend calls it.
   */
  setReference(mask, caption = '') {
    this.bench.settings.compare = Boolean(mask);
    this.bench.compareWith(mask ?? this.bench.annotation?.proposal ?? null, mask ? caption : PREDICTION);
  }

  /** Take over a mask from elsewhere as one step: a snapped one, an earlier revision. */
  replace(mask) {
    const { annotation } = this.bench;
    if (!annotation) return;
    this.gestures.finish();
    annotation.add(replaceMask(annotation.cells, annotation.width, annotation.height, mask, { touch: true }));
  }

  /** Take into the mask what the hand has only begun: a stroke, a polygon that is still open. */
  settle() {
    if (!this.bench.isReady) return;
    this.gestures.finish();
    this.bench.endDrag();
    this.bench.tools.polygon.settle();
  }

  markSaved() {
    this.bench.annotation?.markSaved();
  }

  snapshotDraft() {
    return this.bench.annotation?.snapshot() ?? null;
  }

  /** @param {string | null} text - veils the image and stops every edit while there is one. */
  busy(text) {
    if (text) {
      this.gestures.finish();
      this.bench.endDrag();
    }
    this.bench.veil = text;
    this.veil.textContent = text ?? (this.bench.annotation ? '' : 'No image is open.');
    this.veil.classList.toggle('working', Boolean(text));
    this.veil.hidden = !this.veil.textContent;
    this.element.setAttribute('aria-busy', String(Boolean(text)));
    this.bench.refresh();
  }

  #listen() {
    const { bench, element, stage } = this;
    stage.onview = () => this.readout.showView();
    bench.addEventListener('refresh', () => {
      this.toolbar.refresh();
      this.readout.refresh();
      this.mapPanel.refresh();
      this.#showCircle();
      this.stage.element.dataset.tool = bench.isReady ? bench.settings.tool : '';
    });
    bench.addEventListener('step', () => {
      this.#tell('change', { dirty: this.dirty });
      this.#countSoon();
    });
    bench.addEventListener('interrupt', () => this.gestures.finish());
    bench.addEventListener('request', ({ detail }) => {
      this.gestures.finish();
      this.#tell('request', detail);
    });
    bench.addEventListener('message', ({ detail }) => this.#tell('message', detail));
    bench.addEventListener('help', () => this.help.toggle());
    element.addEventListener('pointerdown', (event) => {
      if (!isTyping(event.target) && event.target.type !== 'range') element.focus({ preventScroll: true });
    });
  }

  #hover(event) {
    const { bench, stage } = this;
    const [x, y] = event ? stage.toImage(event) : [];
    bench.pointer = event ? { x, y } : null;
    this.readout.showPointer(bench.pointer);
    this.#showCircle();
  }

  #showCircle() {
    const { bench, stage } = this;
    const at = bench.pointer;
    const size = at && bench.isReady ? bench.brushSize : 0;
    stage.pointers.showCircle(at ? stage.view.toScreen(at.x, at.y) : [0, 0], size, stage.view.scale);
  }

  #countSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#count(), COUNT_AFTER_MS);
  }

  #count() {
    clearTimeout(this.#timer);
    const regions = this.regions();
    this.readout.showRegions(regions);
    this.readout.showPointer(this.bench.pointer);
    this.readout.showView();
    this.#tell('regions', { regions });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function tooLarge({ width, height }) {
  const size = `${width.toLocaleString('en')} × ${height.toLocaleString('en')} pixels`;
  return `This image has ${size}, longer than this browser can draw a mask on; cut it into tiles and import those.`;
}

/** The picture as an element, decoded. */
async function pictureOf({ imageUrl, imageBitmap }) {
  if (imageBitmap) {
    const canvas = h('canvas', { width: imageBitmap.width, height: imageBitmap.height });
    canvas.getContext('2d').drawImage(imageBitmap, 0, 0);
    return canvas;
  }
  const image = h('img', { alt: '', draggable: 'false' });
  image.src = imageUrl;
  await image.decode();
  return image;
}
