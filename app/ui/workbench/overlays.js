/** What follows the pointer above the image: the brush's circle, and the polygon that is still open. */

import { h } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';

export class Pointers {
  constructor() {
    this.circle = h('div', { class: 'brush-circle', 'data-testid': 'brush-circle', hidden: true });
    this.drawing = document.createElementNS(SVG, 'svg');
    this.drawing.setAttribute('class', 'polygon');
    this.drawing.setAttribute('aria-hidden', 'true');
    this.drawing.dataset.testid = 'polygon';
    this.frame = h('div', { class: 'region-frame', 'data-testid': 'region-frame', hidden: true });
    this.element = h('div', { class: 'overlays' }, this.drawing, this.frame, this.circle);
    this.box = null;
    this.diameter = 0;
    this.at = [0, 0];
    this.points = [];
    this.hover = null;
  }

  /** Show the brush's true size around a place of the window, or hide it with a diameter of 0. */
  showCircle([x, y], diameter, scale) {
    this.at = [x, y];
    this.diameter = diameter;
    this.circle.hidden = diameter <= 0;
    if (diameter <= 0) return;
    const side = Math.max(3, diameter * scale);
    this.circle.style.width = `${side}px`;
    this.circle.style.height = `${side}px`;
    this.circle.style.transform = `translate(${x - side / 2}px, ${y - side / 2}px)`;
  }

  /**
   * @param {[number, number][]} points - in image coordinates; none hides the polygon.
   * @param {{toScreen: (x: number, y: number) => [number, number]}} view
   * @param {{hover?: [number, number] | null, subtract?: boolean}} [options] - hover is where the next point would be.
   */
  showPolygon(points, view, { hover = null, subtract = false } = {}) {
    this.points = points;
    this.hover = hover;
    this.drawing.classList.toggle('subtract', subtract);
    if (!points.length) return this.drawing.replaceChildren();
    const corners = points.map(([x, y]) => view.toScreen(x, y));
    const line = hover ? [...corners, view.toScreen(...hover)] : corners;
    const text = line.map((point) => point.join(',')).join(' ');
    const dots = corners.map(([cx, cy], i) => shape('circle', { cx, cy, r: i ? 3 : 5 }));
    return this.drawing.replaceChildren(
      shape('polygon', { points: text, class: 'inside' }),
      shape('polyline', { points: text, class: 'halo' }), shape('polyline', { points: text, class: 'line' }), ...dots,
    );
  }

  /** Frame a box of the image; null takes the frame away. */
  showBox(box, view) {
    this.box = box;
    this.frame.hidden = !box;
    if (!box) return;
    const [left, top] = view.toScreen(box.x0, box.y0);
    const [right, bottom] = view.toScreen(box.x1, box.y1);
    const style = { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` };
    Object.assign(this.frame.style, style);
  }

  /** The view moved: everything stays where it is on the image. */
  follow(view) {
    this.showCircle(this.at, this.diameter, view.scale);
    this.showBox(this.box, view);
    if (this.points.length) {
      const subtract = this.drawing.classList.contains('subtract');
      this.showPolygon(this.points, view, { hover: this.hover, subtract });
    }
  }
}

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
