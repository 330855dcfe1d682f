/** Anomaly maps as pictures on one fixed scale, made when they are first looked at. */

import { colourise, logOdds, upsample } from './map.js';

const MOST_PIXELS = 4e6; // a picture of a smooth map needs no more, and the browser stretches it

export class MapPictures {
  /** @param {object} content - as `Editor.load` gets it. */
  constructor({ width, height, map, scale, layers = [], layerScale, palette }) {
    const shrink = Math.max(1, Math.ceil(Math.sqrt((width * height) / MOST_PIXELS)));
    Object.assign(this, { width, height, map, scale, layers: layers ?? [], layerScale, palette, shrink });
    this.made = new Map();
  }

  /** @param {'fused' | number | null} which - a number counts the layers from 1. */
  has(which) {
    if (!this.palette) return false;
    return which === 'fused' ? Boolean(this.map && this.scale) : Boolean(this.layers[which - 1]);
  }

  bounds(which) {
    return which === 'fused' ? this.scale : this.layerScale ?? this.scale;
  }

  /** @returns {HTMLCanvasElement} stretched to the image by the style sheet. */
  canvas(which) {
    const known = this.made.get(which);
    if (known) return known;
    const { values, columns, rows } = which === 'fused' ? this.#fused() : this.#layer(this.layers[which - 1]);
    const { low, high, odds } = this.bounds(which);
    const colours = odds
      ? colourise(values.map(logOdds), logOdds(low), logOdds(high), this.palette, 1)
      : colourise(values, low, high, this.palette, 1);
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: columns, height: rows });
    canvas.getContext('2d').putImageData(new ImageData(colours, columns), 0, 0);
    this.made.set(which, canvas);
    return canvas;
  }

  #fused() {
    const { width, height, map, shrink } = this;
    if (shrink === 1) return { values: map, columns: width, rows: height };
    const [columns, rows] = [Math.floor(width / shrink), Math.floor(height / shrink)];
    const values = new Float32Array(columns * rows);
    const half = shrink >> 1;
    for (let y = 0; y < rows; y += 1) {
      const line = (y * shrink + half) * width + half;
      for (let x = 0; x < columns; x += 1) values[y * columns + x] = map[line + x * shrink];
    }
    return { values, columns, rows };
  }

  #layer({ map, h, w }) {
    const columns = Math.max(w, Math.floor(this.width / this.shrink));
    const rows = Math.max(h, Math.floor(this.height / this.shrink));
    const values = columns === w && rows === h ? map : upsample(map, h, w, rows, columns);
    return { values, columns, rows };
  }
}
