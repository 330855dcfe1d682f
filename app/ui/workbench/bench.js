/** What is on the workbench: the annotation, the tools, the settings, and how commands change them.  Builds no DOM. */

import { Annotation } from './annotation.js';
import { ADJUSTMENTS, COMMANDS, EDITS } from './commands.js';
import { MapPictures } from './map_pictures.js';
import { Brush, KeepOrDrop, Polygon, Wand } from './tools.js';

export const PREDICTION = 'the prediction';
const WITHOUT_AN_IMAGE = new Set(['skip', 'previous', 'history']);

export class Bench extends EventTarget {
  /**
   * Fires 'refresh' when settings or possibilities changed, 'step' after each step, 'pixels', 'request' and 'message'.
   *
   * @param {import('./stage.js').Stage} stage
   */
  constructor(stage) {
    super();
    this.stage = stage;
    this.annotation = null;
    this.scale = null;
    this.calibrated = null;
    this.reference = null;
    this.referenceName = '';
    this.pictures = null;
    this.veil = null;
    this.pointer = null; // in image coordinates, while it is above the stage
    this.dragging = null; // the slider whose drag is an open step
    this.settings = {
      tool: 'brush', size: 24, fraction: 0.6, polygon: 'add', radius: 2, minArea: 0, opacity: 0.5, mapOpacity: 0.65,
      shown: true, outline: false, compare: false, map: null,
    };
    this.say = (text) => this.#tell('message', { text });
    this.tools = {
      brush: new Brush(this, 1), erase: new Brush(this, 0), polygon: new Polygon(this), wand: new Wand(this),
      keep: new KeepOrDrop(this),
    };
  }

  get isReady() {
    return Boolean(this.annotation) && !this.veil;
  }

  get tool() {
    return this.tools[this.settings.tool];
  }

  /** The brush's diameter in pixels of the image, or 0 for a tool without one. */
  get brushSize() {
    return ['brush', 'erase'].includes(this.settings.tool) ? this.settings.size : 0;
  }

  /** @param {object} content - as `Editor.load` gets it, with `cells` as cells. */
  put(content) {
    this.annotation = new Annotation(content);
    this.scale = content.scale ?? null;
    this.calibrated = content.threshold ?? null;
    this.pictures = new MapPictures(content);
    this.settings = { ...this.settings, minArea: 0, shown: true };
    if (!this.pictures.has(this.settings.map)) this.settings.map = null;
    this.tools.polygon.cancel();
    this.compareWith(content.proposal ?? null, PREDICTION);
    const { annotation } = this;
    annotation.addEventListener('pixels', ({ detail }) => {
      if (this.annotation === annotation) this.stage.invalidate(detail.box);
    });
    annotation.addEventListener('step', () => {
      if (this.annotation !== annotation) return;
      if (!annotation.canAdjust('minArea')) this.settings.minArea = 0;
      this.#tell('step');
      this.refresh();
    });
  }

  clear() {
    this.annotation = null;
    this.pictures = null;
    this.reference = null;
    this.tools.polygon.cancel();
    this.stage.clear();
    this.refresh();
  }

  compareWith(reference, name) {
    this.reference = reference;
    this.referenceName = name;
    if (!reference) this.settings.compare = false;
    this.refresh();
  }

  /** Whether a command can do anything now; buttons without effect are disabled. */
  can(command, argument) {
    const { annotation } = this;
    if (command === 'help') return true;
    if (command === 'request') return !this.veil && (Boolean(annotation) || WITHOUT_AN_IMAGE.has(argument));
    if (!this.isReady) return false;
    if (command === 'undo') return annotation.canUndo || Boolean(annotation.open);
    if (command === 'redo') return annotation.canRedo;
    if (command === 'tool' && argument === 'wand') return Boolean(annotation.map);
    if (command === 'map' || command === 'threshold') return Boolean(annotation.map);
    if (command === 'layer') return this.pictures.has(argument);
    if (command === 'compare') return Boolean(this.reference);
    return true;
  }

  /** @returns {boolean} whether the command was allowed. */
  run(command, argument) {
    if (!this.can(command, argument)) return false;
    this.endDrag();
    if (EDITS.has(command)) this.#tell('interrupt'); // a stroke under way ends first, and stays
    if (EDITS.has(command)) this.settings.shown = true;
    COMMANDS[command](this, argument);
    this.refresh();
    return true;
  }

  chooseTool(name) {
    this.settings.tool = name;
    this.tools.polygon.draw();
  }

  /** @param {'fused' | number | null} which - the fused map, a place in the list of layers counted from 1, or none. */
  chooseMap(which) {
    this.settings.map = which;
    const picture = which === null ? null : this.pictures.canvas(which);
    this.stage.setMap(picture);
    this.stage.setMapOpacity(this.settings.mapOpacity);
  }

  /** A slider of `ADJUSTMENTS` moved: all moves until `endDrag` are one step. */
  adjust(slider, value) {
    if (!this.isReady) return;
    if (this.dragging !== slider) {
      this.endDrag();
      this.#tell('interrupt');
      if (slider === 'minArea') this.annotation.beginAdjusting(slider);
      else this.annotation.begin();
      this.dragging = slider;
    }
    if (slider === 'minArea') this.settings.minArea = value;
    this.settings.shown = true;
    ADJUSTMENTS[slider](this, value);
    this.refresh();
  }

  /** What is worked on must be seen. */
  show() {
    this.endDrag();
    if (!this.settings.shown) this.set({ shown: true });
  }

  endDrag() {
    const wasDragging = this.dragging;
    this.dragging = null;
    if (wasDragging) this.annotation?.end();
  }

  /** Change settings that only concern the look, or the next use of a tool. */
  set(changes) {
    Object.assign(this.settings, changes);
    if ('fraction' in changes && this.isReady) this.tools.wand.adjust();
    if ('mapOpacity' in changes) this.stage.setMapOpacity(changes.mapOpacity);
    this.refresh();
  }

  request(action) {
    this.#tell('request', { action });
  }

  toggleHelp() {
    this.#tell('help');
  }

  refresh() {
    const { settings, stage } = this;
    let fill = settings.tool === 'keep' ? 'keep' : 'mask';
    if (settings.outline) fill = 'none';
    if (settings.compare) fill = 'compare';
    const reference = fill === 'keep' ? this.annotation?.proposal ?? null : this.reference;
    stage.setLook({ fill, reference, opacity: settings.opacity, shown: settings.shown });
    this.#tell('refresh');
  }

  #tell(name, detail = undefined) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
