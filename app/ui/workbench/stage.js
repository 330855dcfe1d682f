/**
 * What lies on the screen: the image, the map and the mask at the image's own resolution, moved and scaled by one CSS
 * transform; and above them, at the screen's resolution, the outline, the open polygon and the brush's circle.
 *
 * Everything is drawn once a frame, and of the mask only what changed.
 */

import { boxPadded, boxUnion } from './cells.js';
import { h } from './dom.js';
import { drawCells } from './drawing.js';
import { RIM, sample, trace } from './outline.js';
import { Pointers } from './overlays.js';
import { View } from './view.js';

const STRIP_PIXELS = 1 << 20; // drawn at once: a whole mask of 24 megapixels takes 4 MiB instead of 96
const SAFE_SIDE = 16_384; // all browsers draw this much
const MASK_COLOUR = [232, 62, 62];
const DROPPED_COLOUR = [150, 166, 188];
// From Okabe and Ito's colours, which people with any colour vision tell apart.
export const DIFFERENCE_COLOURS = { removed: [230, 159, 0], added: [86, 180, 233], both: [0, 158, 115] };
const OUTLINE = { inside: 0xffffffff, around: 0xb0281b12 };

export class Stage {
  /** @param {HTMLElement} element - gets everything that is drawn; its size is the screen's window onto the image. */
  constructor(element) {
    this.element = element;
    this.view = new View();
    this.size = null;
    this.cells = null;
    this.look = { fill: 'mask', reference: null, opacity: 0.5, shown: true };
    this.fitted = true;
    this.dirty = null;
    this.moved = false;
    this.frame = 0;
    this.onview = () => {};
    this.mapCanvas = h('canvas', { class: 'map-layer', 'data-testid': 'map-layer', hidden: true });
    this.maskCanvas = h('canvas', { class: 'mask-layer', 'data-testid': 'mask-layer' });
    this.world = h('div', { class: 'world' }, this.mapCanvas, this.maskCanvas);
    this.glass = h('canvas', { class: 'glass', 'data-testid': 'outline-layer' });
    this.pointers = new Pointers();
    element.replaceChildren(this.world, this.glass, this.pointers.element);
    this.box = [element.clientWidth, element.clientHeight];
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(element);
  }

  /**
   * @param {HTMLImageElement | HTMLCanvasElement} picture
   * @param {{width: number, height: number}} size - of the image; the picture is stretched to it.
   * @param {Uint8Array} cells - drawn from now on, and read again whenever `invalidate` says so.
   * @param {{keepView: boolean}} options - keepView: it is the same image again, and stays where it is.
   */
  show(picture, { width, height }, cells, { keepView }) {
    const isSame = keepView && this.size?.width === width && this.size?.height === height;
    this.size = { width, height };
    this.cells = cells;
    picture.className = 'picture-layer';
    this.world.replaceChildren(picture, this.mapCanvas, this.maskCanvas);
    this.world.style.width = `${width}px`;
    this.world.style.height = `${height}px`;
    Object.assign(this.maskCanvas, { width, height });
    if (!isSame) this.fit();
    this.invalidate();
  }

  clear() {
    this.size = null;
    this.cells = null;
    this.maskCanvas.width = 0;
    this.world.replaceChildren();
    this.pointers.showPolygon([], this.view);
    this.pointers.showBox(null, this.view);
    this.#viewChanged();
  }

  /** Draw a box of the mask anew, or all of it. */
  invalidate(box = null) {
    if (!this.size) return;
    this.dirty = boxUnion(this.dirty, box ?? { x0: 0, y0: 0, x1: this.size.width, y1: this.size.height });
    this.#wake();
  }

  /** @param {Partial<Stage['look']>} look - fill is 'mask', 'keep', 'compare' or 'none'. */
  setLook(look) {
    const before = this.look;
    this.look = { ...before, ...look };
    this.maskCanvas.style.opacity = this.look.fill === 'compare' ? 0.35 + 0.65 * this.look.opacity : this.look.opacity;
    this.maskCanvas.hidden = !this.look.shown;
    this.glass.hidden = !this.look.shown;
    if (before.fill !== this.look.fill || before.reference !== this.look.reference) this.invalidate();
    if (before.shown !== this.look.shown) this.#viewChanged();
  }

  /** @param {HTMLCanvasElement | null} canvas - a coloured map; null hides it. */
  setMap(canvas) {
    this.mapCanvas.hidden = !canvas;
    if (!canvas) return;
    canvas.className = 'map-layer';
    canvas.dataset.testid = 'map-layer';
    canvas.style.opacity = this.mapCanvas.style.opacity;
    this.mapCanvas.replaceWith(canvas);
    this.mapCanvas = canvas;
    canvas.hidden = false;
  }

  setMapOpacity(opacity) {
    this.mapCanvas.style.opacity = opacity;
  }

  fit() {
    this.fitted = true;
    if (!this.size) return;
    const [width, height] = this.box;
    if (width && height) this.view.fit(this.size.width, this.size.height, width, height);
    this.#viewChanged();
  }

  zoomAt(x, y, factor) {
    if (!this.size) return;
    this.fitted = false;
    this.view.zoomAt(x, y, factor);
    this.#keepIn();
  }

  zoomAtCentre(factor) {
    this.zoomAt(this.box[0] / 2, this.box[1] / 2, factor);
  }

  panBy(dx, dy) {
    if (!this.size) return;
    this.fitted = false;
    this.view.panBy(dx, dy);
    this.#keepIn();
  }

  /** A pointer's place within the window, in CSS pixels. */
  toWindow(event) {
    const rect = this.element.getBoundingClientRect();
    const stretch = rect.width ? this.element.offsetWidth / rect.width : 1; // an ancestor may be scaled
    return [(event.clientX - rect.left) * stretch, (event.clientY - rect.top) * stretch];
  }

  /** A pointer's place in continuous image coordinates. */
  toImage(event) {
    return this.view.toImage(...this.toWindow(event));
  }

  #keepIn() {
    this.view.keepIn(this.size.width, this.size.height, ...this.box, 48);
    this.#viewChanged();
  }

  #viewChanged() {
    this.moved = true;
    this.onview();
    this.#wake();
  }

  /** The centre of the window keeps showing the same place of the image; a fitted image is fitted again. */
  #resize() {
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    const [oldWidth, oldHeight] = this.box;
    if (!width || !height || (width === oldWidth && height === oldHeight)) return; // a hidden tab comes back as it went
    this.box = [width, height];
    if (this.fitted || !oldWidth || !oldHeight) this.fit();
    else this.panBy((width - oldWidth) / 2, (height - oldHeight) / 2);
  }

  #wake() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.frame = 0;
    const { dirty, moved } = this;
    this.dirty = null;
    this.moved = false;
    if (moved) this.#place();
    if (dirty && this.cells) this.#fill(dirty);
    if (moved) this.#outline(null);
    else if (dirty) this.#outline(dirty);
  }

  #place() {
    const { scale, x, y } = this.view;
    this.world.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.world.classList.toggle('pixelated', scale * devicePixelRatio > 1);
    this.pointers.follow(this.view);
  }

  #fill(box) {
    const { cells, look, size } = this;
    const options = { alpha: 1, colour: MASK_COLOUR };
    if (look.fill === 'compare') Object.assign(options, { reference: look.reference, diffColours: DIFFERENCE_COLOURS });
    if (look.fill === 'keep' && look.reference) {
      const diffColours = { both: MASK_COLOUR, added: MASK_COLOUR, removed: DROPPED_COLOUR };
      Object.assign(options, { reference: look.reference, diffColours });
    }
    const context = this.maskCanvas.getContext('2d');
    if (look.fill === 'none') return context.clearRect(box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0);
    const columns = box.x1 - box.x0;
    const rows = Math.max(1, Math.floor(STRIP_PIXELS / columns));
    for (let y0 = box.y0; y0 < box.y1; y0 += rows) {
      const strip = { ...box, y0, y1: Math.min(box.y1, y0 + rows) };
      const rgba = drawCells(cells, size.width, strip, options);
      context.putImageData(new ImageData(rgba, columns), strip.x0, strip.y0);
    }
    return undefined;
  }

  /** Draw the outline within a box of the image, or everywhere. */
  #outline(imageBox) {
    const ratio = devicePixelRatio;
    const [width, height] = this.box.map((side) => Math.round(side * ratio));
    const context = this.glass.getContext('2d');
    if (this.glass.width !== width || this.glass.height !== height) {
      Object.assign(this.glass, { width, height });
      imageBox = null;
    } else if (!imageBox) context.clearRect(0, 0, width, height);
    if (!this.cells || !this.look.shown || !width || !height) return;
    const view = { scale: this.view.scale * ratio, x: this.view.x * ratio, y: this.view.y * ratio };
    const around = imageBox ?? { x0: 0, y0: 0, x1: this.size.width, y1: this.size.height };
    const box = boxPadded(toDevice(around, view), RIM, width, height);
    if (box.x0 >= box.x1 || box.y0 >= box.y1) return;
    const rimmed = { x0: box.x0 - RIM, y0: box.y0 - RIM, x1: box.x1 + RIM, y1: box.y1 + RIM };
    const shown = sample(this.cells, this.size, view, rimmed);
    const image = new ImageData(box.x1 - box.x0, box.y1 - box.y0);
    trace(new Uint32Array(image.data.buffer), shown, rimmed.x1 - rimmed.x0, OUTLINE, ratio > 1.5 ? 2 : 1);
    context.putImageData(image, box.x0, box.y0);
  }
}

/** Whether this browser can draw a mask of this size: the longest side differs, and what is too long stays blank. */
export function canDraw(width, height) {
  if (Math.max(width, height) <= SAFE_SIDE) return true;
  const canvas = h('canvas', { width, height });
  const context = canvas.getContext('2d');
  context?.fillRect(width - 1, height - 1, 1, 1);
  const isDrawn = context?.getImageData(width - 1, height - 1, 1, 1).data[3] === 255;
  canvas.width = 0; // gives its memory back at once
  return isDrawn;
}

function toDevice({ x0, y0, x1, y1 }, { scale, x, y }) {
  return {
    x0: Math.floor(x0 * scale + x), y0: Math.floor(y0 * scale + y),
    x1: Math.ceil(x1 * scale + x), y1: Math.ceil(y1 * scale + y),
  };
}
