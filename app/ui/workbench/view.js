/** Where the image lies on the screen.  Image coordinates are continuous: pixel (i, j) spans i to i + 1, j to j + 1. */

export const MIN_SCALE = 1 / 32;
export const MAX_SCALE = 64;

export class View {
  constructor() {
    this.scale = 1; // screen units a pixel
    this.x = 0; // of the image's left top corner, on the screen
    this.y = 0;
  }

  /** Show the whole image in the middle of the box. */
  fit(imageW, imageH, boxW, boxH) {
    this.scale = limited(Math.min(boxW / imageW, boxH / imageH));
    this.x = (boxW - imageW * this.scale) / 2;
    this.y = (boxH - imageH * this.scale) / 2;
  }

  /** Zoom so that what lies under the screen point (px, py) stays there. */
  zoomAt(px, py, factor) {
    const [ix, iy] = this.toImage(px, py);
    this.scale = limited(this.scale * factor);
    this.x = px - ix * this.scale;
    this.y = py - iy * this.scale;
  }

  panBy(dx, dy) {
    this.x += dx;
    this.y += dy;
  }

  /** Move the image back so that at least `margin` screen units of it stay in the box. */
  keepIn(imageW, imageH, boxW, boxH, margin = 32) {
    this.x = Math.min(boxW - margin, Math.max(margin - imageW * this.scale, this.x));
    this.y = Math.min(boxH - margin, Math.max(margin - imageH * this.scale, this.y));
  }

  /** @returns {[number, number]} continuous image coordinates of a screen point. */
  toImage(px, py) {
    return [(px - this.x) / this.scale, (py - this.y) / this.scale];
  }

  /** @returns {[number, number]} the screen point of continuous image coordinates. */
  toScreen(ix, iy) {
    return [ix * this.scale + this.x, iy * this.scale + this.y];
  }

  /** @returns {[number, number]} the pixel under a screen point; it may lie outside the image. */
  pixelAt(px, py) {
    const [ix, iy] = this.toImage(px, py);
    return [Math.floor(ix), Math.floor(iy)];
  }
}

function limited(scale) {
  return Math.min(MAX_SCALE, Math.max(MIN_SCALE, scale));
}
