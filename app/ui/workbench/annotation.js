/**
 * The annotation being edited: cells, names of regions, the threshold, and every step that can be taken back.  No DOM.
 *
 * A step is open between `begin` and `end`; a stroke or one drag of a slider is one step, however many patches it has.
 *
 * @typedef {{x: number, y: number, name: string}} NamedPoint a defect class, attached to a region through one pixel.
 * @typedef {{cells: Uint8Array, classes: NamedPoint[], threshold: number | null}} Draft
 */

import { ANOMALOUS, Patch, applyPatch, area, maskOf, paint, repropose, revertPatch } from './cells.js';
import { regionAt, regions } from './components.js';
import { UndoStack } from './undo.js';

const NEVER = Object.freeze([]); // equals no step: nothing that undo can reach is saved

/** What a step changed besides pixels; it lies among the step's patches. */
class Notes {
  constructor(before, after) {
    this.before = before;
    this.after = after;
    this.bytes = 0;
  }
}

export class Annotation extends EventTarget {
  /**
   * Fires 'pixels' {box} for every change of cells and 'step' after every step, undo and redo.
   *
   * @param {{width: number, height: number, cells: Uint8Array, proposal: Uint8Array | null, map: Float32Array | null,
   *   threshold: number | null, classes: NamedPoint[], draft: Draft | null}} content - `cells` as in cells.js.
   */
  constructor({ width, height, cells, proposal = null, map = null, threshold = null, classes = [], draft = null }) {
    super();
    if (cells.length !== width * height) throw new Error(`The mask has ${cells.length} cells, not ${width * height}.`);
    this.width = width;
    this.height = height;
    this.proposal = proposal;
    this.map = map;
    this.cells = (draft ?? { cells }).cells.slice();
    this.threshold = draft ? draft.threshold : threshold;
    this.points = structuredClone(draft ? draft.classes : classes);
    this.undoStack = new UndoStack(100);
    this.savedAt = draft ? NEVER : null;
    this.open = null;
    this.adjustable = null; // {slider, top, made}: where the newest step came from, while its slider may change it
  }

  get dirty() {
    return this.undoStack.top !== this.savedAt || Boolean(this.open?.patches.length);
  }

  get canUndo() {
    return this.undoStack.canUndo;
  }

  get canRedo() {
    return this.undoStack.canRedo;
  }

  /** Whether the mask differs from the proposal, or from an empty mask where there is none. */
  get edited() {
    const { cells, proposal } = this;
    for (let i = 0; i < cells.length; i += 1) if ((cells[i] & ANOMALOUS) !== (proposal ? proposal[i] : 0)) return true;
    return false;
  }

  /** All steps are saved; an open one goes on, and is not. */
  markSaved() {
    this.savedAt = this.undoStack.top;
    this.#tell('step');
  }

  /** @returns {Draft} all that must not be lost; an open step is part of it. */
  snapshot() {
    return { cells: this.cells.slice(), classes: structuredClone(this.points), threshold: this.threshold };
  }

  /** Start a step; an open one ends. */
  begin() {
    this.end();
    this.adjustable = null;
    this.open = { patches: [], before: this.#notes() };
  }

  /**
   * Start a step that replaces the newest one if that came from the same slider, so that turning it back brings back.
   *
   * @param {string} slider - its name.
   */
  beginAdjusting(slider) {
    this.end();
    const again = this.canAdjust(slider) && this.adjustable.made;
    if (again) this.undo();
    this.begin();
    this.open.slider = slider;
  }

  /** Whether this slider was the last to do something. */
  canAdjust(slider) {
    return this.adjustable?.slider === slider && this.adjustable.top === this.undoStack.top;
  }

  /** Take back what the open step did so far; for previews that start again with every move of a slider. */
  rewind() {
    for (const patch of this.open.patches.splice(0).reverse()) this.#changed(revertPatch(this.cells, patch));
  }

  /** Add a change to the open step, or make it a step of its own. */
  add(patch) {
    if (!patch) return;
    const alone = !this.open;
    if (alone) {
      this.adjustable = null;
      this.open = { patches: [], before: this.#notes() };
    }
    this.open.patches.push(patch);
    this.#changed(patch.box);
    if (alone) this.end();
  }

  /** Paint or erase spans by hand. */
  paint(spans, value) {
    this.add(paint(this.cells, this.width, this.height, spans, value));
  }

  /** Propose again at a threshold in units of the map; what the person decided stays. */
  repropose(threshold) {
    this.threshold = threshold;
    this.add(repropose(this.cells, this.width, this.height, this.map, threshold));
  }

  /** Close the open step; one that changed nothing leaves no trace. */
  end() {
    const step = this.open;
    if (!step) return;
    this.#keepNames(step.patches);
    this.open = null;
    const after = this.#notes();
    const noted = JSON.stringify(step.before) !== JSON.stringify(after);
    const made = step.patches.length > 0 || noted;
    if (made) this.#push([...step.patches, noted && new Notes(step.before, after)]);
    this.adjustable = step.slider ? { slider: step.slider, top: this.undoStack.top, made } : null;
    this.#tell('step');
  }

  undo() {
    this.end();
    for (const part of this.undoStack.undo()) {
      if (part instanceof Patch) this.#changed(revertPatch(this.cells, part));
      else this.#restore(part.before);
    }
    this.#tell('step');
  }

  redo() {
    this.end();
    for (const part of this.undoStack.redo()) {
      if (part instanceof Patch) this.#changed(applyPatch(this.cells, part));
      else this.#restore(part.after);
    }
    this.#tell('step');
  }

  mask() {
    return maskOf(this.cells);
  }

  area() {
    return area(this.cells);
  }

  /** @returns {{area: number, box: object, point: [number, number], name: string}[]} largest first. */
  regions() {
    const found = regions(this.cells, this.width, this.height).map((region) => ({ ...region, name: '' }));
    for (const { region, name } of this.#named()) {
      const same = found.find(({ area: size, point: [x, y] }) => size === region.area && holds(region, x, y));
      if (same) same.name = name;
    }
    return found;
  }

  /** @returns {NamedPoint[]} one for every named region of the mask. */
  classes() {
    return this.#named().map(({ x, y, name }) => ({ x, y, name }));
  }

  /**
   * Name the region that holds a pixel; an empty name takes its name away.
   *
   * @param {[number, number]} point
   * @param {string} name
   */
  setClass([x, y], name) {
    const region = regionAt(this.cells, this.width, this.height, x, y);
    if (!region) return;
    this.begin();
    this.points = this.points.filter((point) => !holds(region, point.x, point.y));
    if (name.trim()) this.points.push({ x, y, name: name.trim() });
    this.end();
  }

  #named() {
    const named = [];
    for (const { x, y, name } of this.points) {
      if (!this.#masked(x, y) || named.some(({ region }) => holds(region, x, y))) continue;
      named.push({ x, y, name, region: regionAt(this.cells, this.width, this.height, x, y) });
    }
    return named;
  }

  /** A name whose own pixel was erased moves to another pixel that is left of its region. */
  #keepNames(patches) {
    const lost = this.points.filter(({ x, y }) => !this.#masked(x, y));
    if (!lost.length || !patches.length) return;
    for (const patch of patches.slice().reverse()) revertPatch(this.cells, patch);
    const homes = lost.map(({ x, y }) => this.#masked(x, y) && regionAt(this.cells, this.width, this.height, x, y));
    for (const patch of patches) applyPatch(this.cells, patch);
    lost.forEach((point, i) => {
      for (const { y, x0, x1 } of homes[i] ? homes[i].spans : []) {
        for (let x = x0; x < x1; x += 1) {
          if (this.#masked(x, y)) return Object.assign(point, { x, y });
        }
      }
      return point;
    });
  }

  #masked(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height && (this.cells[y * this.width + x] & ANOMALOUS) === 1;
  }

  #push(parts) {
    const oldest = this.undoStack.done[0];
    this.undoStack.push(parts);
    if (oldest && this.undoStack.done[0] !== oldest && this.savedAt === null) this.savedAt = NEVER;
  }

  #notes() {
    return { threshold: this.threshold, points: structuredClone(this.points) };
  }

  #restore({ threshold, points }) {
    this.threshold = threshold;
    this.points = structuredClone(points);
  }

  #changed(box) {
    this.dispatchEvent(new CustomEvent('pixels', { detail: { box } }));
  }

  #tell(name) {
    this.dispatchEvent(new CustomEvent(name));
  }
}

function holds(region, x, y) {
  return region.spans.some((span) => span.y === y && span.x0 <= x && x < span.x1);
}
