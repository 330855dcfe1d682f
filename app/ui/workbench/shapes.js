/**
 * Which pixels a stroke or a polygon covers.
 *
 * Coordinates are continuous image coordinates: pixel (i, j) spans i to i + 1 and j to j + 1, its centre is halfway.
 * Shapes are lists of spans {y, x0, x1} with x1 exclusive, inside the picture, from the top down.
 *
 * @typedef {{y: number, x0: number, x1: number}} Span
 */

/**
 * One segment of a brush stroke: the pixels whose centre is at most diameter / 2 away from the segment between the
 * centres of the two pixels that the points lie in.  A brush of one pixel draws the Bresenham line instead.
 *
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 * @param {number} diameter of the brush in pixels.
 * @param {number} w
 * @param {number} h
 * @returns {Span[]} at most one for each row.
 */
export function strokeSpans(x0, y0, x1, y1, diameter, w, h) {
  if (!Number.isFinite(x0 + y0 + x1 + y1 + diameter)) return [];
  let [ax, ay, bx, by] = [Math.floor(x0), Math.floor(y0), Math.floor(x1), Math.floor(y1)];
  // One direction for both ways, so that a stroke and the same stroke drawn backwards are the same pixels.
  if (ay > by) [ax, ay, bx, by] = [bx, by, ax, ay];
  return diameter <= 1 ? lineSpans(ax, ay, bx, by, w, h) : capsuleSpans(ax, ay, bx, by, diameter / 2, w, h);
}

function pushClipped(spans, y, x0, x1, w) {
  const left = Math.max(0, x0);
  const right = Math.min(w, x1);
  if (left < right) spans.push({ y, x0: left, x1: right });
}

/** Bresenham from (ax, ay) down to (bx, by): at each step along the longer axis the nearest pixel, the later of two. */
function lineSpans(ax, ay, bx, by, w, h) {
  const spans = [];
  const down = by - ay;
  const along = Math.abs(bx - ax);
  const last = Math.min(by, h - 1);
  for (let y = Math.max(ay, 0); y <= last; y++) {
    let first = lineStep(y - ay, down, along);
    let end = first;
    if (along > down) {
      // The steps k along x whose nearest row is this one: (2 row - 1) along <= 2 k down < (2 row + 1) along.
      first = y === ay ? 0 : Math.ceil(((2 * (y - ay) - 1) * along) / (2 * down));
      end = y === by ? along : Math.ceil(((2 * (y - ay) + 1) * along) / (2 * down)) - 1;
    }
    if (bx < ax) pushClipped(spans, y, ax - end, ax - first + 1, w);
    else pushClipped(spans, y, ax + first, ax + end + 1, w);
  }
  return spans;
}

/** How far a line has come along its shorter axis after k steps of the longer one. */
function lineStep(k, longer, shorter) {
  return longer === 0 ? 0 : Math.floor((2 * k * shorter + longer) / (2 * longer));
}

/** Rows of a thick segment.  It is convex: a row's pixels are one span, and both its ends are found on its outline. */
function capsuleSpans(ax, ay, bx, by, radius, w, h) {
  const spans = [];
  const [dx, dy] = [bx - ax, by - ay];
  const first = Math.max(0, Math.ceil(ay - radius));
  const last = Math.min(h - 1, Math.floor(by + radius));
  for (let y = first; y <= last; y++) {
    let left = Math.floor(edge(ax, ay, dx, dy, radius, y, -1));
    let right = Math.ceil(edge(ax, ay, dx, dy, radius, y, 1));
    while (left <= right && !covers(left - ax, y - ay, dx, dy, radius)) left++;
    while (left <= right && !covers(right - ax, y - ay, dx, dy, radius)) right--;
    pushClipped(spans, y, left, right + 1, w);
  }
  return spans;
}

/** How far a thick segment reaches in row y to the left (side -1) or right (side 1). */
function edge(ax, ay, dx, dy, radius, y, side) {
  let reach = -Infinity;
  const squared = radius * radius;
  const fromA = squared - (y - ay) * (y - ay);
  const fromB = squared - (y - ay - dy) * (y - ay - dy);
  if (fromA >= 0) reach = side * ax + Math.sqrt(fromA);
  if (fromB >= 0) reach = Math.max(reach, side * (ax + dx) + Math.sqrt(fromB));
  const length = Math.hypot(dx, dy);
  if (dy !== 0) {
    // The straight side is the segment moved by the radius along its normal; dy > 0 keeps the normal's sign.
    const [nx, ny] = [(side * radius * dy) / length, (-side * radius * dx) / length];
    const t = (y - ay - ny) / dy;
    if (t >= 0 && t <= 1) reach = Math.max(reach, side * (ax + nx + t * dx));
  }
  return side * reach;
}

/** Whether the pixel at (px, py) from the segment's start is at most the radius away from the segment to (dx, dy). */
function covers(px, py, dx, dy, radius) {
  const along = px * dx + py * dy;
  const lengthSquared = dx * dx + dy * dy;
  if (along <= 0) return px * px + py * py <= radius * radius;
  if (along >= lengthSquared) return (px - dx) * (px - dx) + (py - dy) * (py - dy) <= radius * radius;
  const across = px * dy - py * dx;
  return across * across <= radius * radius * lengthSquared;
}

/**
 * The pixels whose centre lies inside a polygon by the even-odd rule.  Polygons that share an edge share no pixel and
 * leave none out.
 *
 * @param {Array<[number, number]>} points corners; the last is joined to the first.
 * @param {number} w
 * @param {number} h
 * @returns {Span[]}
 */
export function polygonSpans(points, w, h) {
  const corners = points.filter(([x, y]) => Number.isFinite(x + y));
  if (corners.length < 3) return [];
  const starts = crossingStarts(corners, h);
  const crossings = new Float64Array(starts[h]);
  const used = starts.slice(0, h);
  forEachEdge(corners, h, (x0, y0, slope, first, end) => {
    for (let y = first; y < end; y++) crossings[used[y]++] = x0 + (y + 0.5 - y0) * slope;
  });
  const spans = [];
  for (let y = 0; y < h; y++) {
    const row = crossings.subarray(starts[y], starts[y + 1]).sort();
    for (let i = 0; i + 1 < row.length; i += 2) {
      pushClipped(spans, y, Math.ceil(row[i] - 0.5), Math.ceil(row[i + 1] - 0.5), w);
    }
  }
  return spans;
}

/** Where each row's crossings begin in one array for all rows. */
function crossingStarts(corners, h) {
  const starts = new Int32Array(h + 1);
  forEachEdge(corners, h, (x0, y0, slope, first, end) => {
    for (let y = first; y < end; y++) starts[y + 1]++;
  });
  for (let y = 0; y < h; y++) starts[y + 1] += starts[y];
  return starts;
}

/** Call visit(x, y of the upper end, dx / dy, first row, end row) for each edge whose height holds a pixel centre. */
function forEachEdge(corners, h, visit) {
  for (let i = 0; i < corners.length; i++) {
    let [x0, y0] = corners[i];
    let [x1, y1] = corners[(i + 1) % corners.length];
    if (y0 > y1) [x0, y0, x1, y1] = [x1, y1, x0, y0];
    const first = Math.max(0, Math.ceil(y0 - 0.5));
    const end = Math.min(h, Math.ceil(y1 - 0.5));
    if (first < end) visit(x0, y0, (x1 - x0) / (y1 - y0), first, end);
  }
}
