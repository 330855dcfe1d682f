/** Mouse, pen and touch on the stage: one pointer works with the tool, the others move and zoom. */

const WHEEL_STEP = 1.0018; // a notch of 100 zooms by 1.2
const PEN_ERASER = 32; // of PointerEvent.buttons
const YOUNG_MS = 250; // a second finger within this time meant to pinch, not to paint
const YOUNG_PX = 12;

export class Gestures {
  /**
   * @param {import('./stage.js').Stage} stage
   * @param {object} host
   * @param {() => boolean} host.isReady - whether the tool may work.
   * @param {() => object} host.tool - the chosen one.
   * @param {() => void} host.start - the tool begins to work.
   * @param {(event: PointerEvent | null) => void} host.hover - where the pointer is; null: it has left.
   * @param {() => void} host.takeBack - undo the stroke that turned out to be the start of a pinch.
   */
  constructor(stage, host) {
    this.stage = stage;
    this.host = host;
    this.touches = new Map();
    this.working = null; // {id, tool, time, x, y}
    this.panning = null; // {id, x, y}
    this.spaceHeld = false;
    const { element } = stage;
    element.addEventListener('pointerdown', (event) => this.#down(event));
    element.addEventListener('pointermove', (event) => this.#move(event));
    element.addEventListener('pointerup', (event) => this.#up(event));
    element.addEventListener('pointercancel', (event) => this.#up(event));
    element.addEventListener('lostpointercapture', (event) => this.#up(event));
    element.addEventListener('pointerleave', () => host.hover(null));
    element.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    element.addEventListener('contextmenu', (event) => event.preventDefault());
    element.addEventListener('mousedown', (event) => event.button === 1 && event.preventDefault()); // no autoscroll
  }

  get busy() {
    return Boolean(this.working || this.panning);
  }

  holdSpace(held) {
    this.spaceHeld = held;
    this.stage.element.classList.toggle('movable', held);
  }

  /** End what the hand is doing and keep it. */
  finish() {
    if (this.working) this.working.tool.up();
    this.working = null;
    this.panning = null;
    this.stage.element.classList.remove('moving');
  }

  #down(event) {
    if (!this.host.isReady()) return;
    const touch = event.pointerType === 'touch';
    if (touch) this.touches.set(event.pointerId, [event.clientX, event.clientY]);
    this.stage.element.setPointerCapture(event.pointerId);
    if (touch && this.touches.size > 1) return this.#startPinch(event);
    if (this.busy) return undefined;
    if (event.button === 1 || (event.button === 0 && this.spaceHeld)) {
      this.panning = { id: event.pointerId, x: event.clientX, y: event.clientY };
      this.stage.element.classList.add('moving');
      return event.preventDefault();
    }
    if (![0, 2, 5].includes(event.button)) return undefined;
    const { pointerId: id, timeStamp: time, clientX: x, clientY: y } = event;
    this.working = { id, tool: this.host.tool(), time, x, y };
    this.host.hover(event);
    this.host.start();
    return this.working.tool.down(this.#point(event));
  }

  #move(event) {
    if (this.touches.has(event.pointerId) && this.touches.size > 1) return this.#pinch(event);
    if (this.touches.has(event.pointerId)) this.touches.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.panning?.id === event.pointerId) {
      this.stage.panBy(event.clientX - this.panning.x, event.clientY - this.panning.y);
      Object.assign(this.panning, { x: event.clientX, y: event.clientY });
      return undefined;
    }
    if (!this.host.isReady()) return undefined;
    this.host.hover(event);
    if (this.working?.id === event.pointerId) {
      const parts = event.getCoalescedEvents?.() ?? [];
      for (const part of parts.length ? parts : [event]) this.working.tool.move(this.#point(part));
    } else if (!this.working) this.host.tool().hover?.(this.#point(event));
    return undefined;
  }

  /** Up, cancelled or lost: whatever was painted stays. */
  #up(event) {
    this.touches.delete(event.pointerId);
    if (this.panning?.id === event.pointerId || this.working?.id === event.pointerId) this.finish();
    if (event.pointerType === 'touch') this.host.hover(null);
  }

  #startPinch(event) {
    const { working } = this;
    if (working) {
      const far = Math.hypot(...this.#travelled(working));
      this.finish();
      if (event.timeStamp - working.time < YOUNG_MS && far < YOUNG_PX && working.tool.undoable) this.host.takeBack();
    }
  }

  #travelled({ id, x, y }) {
    const [nowX, nowY] = this.touches.get(id) ?? [x, y];
    return [nowX - x, nowY - y];
  }

  /** The fingers' middle and distance before and after say how the image moves and grows. */
  #pinch(event) {
    const before = spread([...this.touches.values()]);
    this.touches.set(event.pointerId, [event.clientX, event.clientY]);
    const after = spread([...this.touches.values()]);
    this.stage.panBy(after.x - before.x, after.y - before.y);
    const [x, y] = this.stage.toWindow({ clientX: after.x, clientY: after.y });
    if (before.distance > 0 && after.distance > 0) this.stage.zoomAt(x, y, after.distance / before.distance);
  }

  #wheel(event) {
    if (!this.host.isReady()) return;
    event.preventDefault();
    const lines = event.deltaMode === 0 ? 1 : 33;
    const faster = event.ctrlKey ? 5 : 1; // a pinch on a touchpad comes as a small wheel with Ctrl
    const delta = Math.max(-300, Math.min(300, event.deltaY * lines * faster));
    this.stage.zoomAt(...this.stage.toWindow(event), WHEEL_STEP ** -delta);
    this.host.hover(event);
  }

  #point(event) {
    const [x, y] = this.stage.toImage(event);
    const subtract = event.altKey || event.button === 2 || (event.buttons & (2 | PEN_ERASER)) !== 0;
    return { x, y, window: this.stage.toWindow(event), time: event.timeStamp, shift: event.shiftKey, subtract };
  }
}

function spread(points) {
  const [[ax, ay], [bx, by]] = points;
  return { x: (ax + bx) / 2, y: (ay + by) / 2, distance: Math.hypot(bx - ax, by - ay) };
}
