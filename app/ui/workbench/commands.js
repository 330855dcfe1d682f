/** What a key or a button does, by name.  Each gets the editor's bench and the argument of its key. */

import { replaceMask } from './cells.js';
import { grownMask, holeSpans, shrunkMask, smallRegionSpans } from './components.js';

export const LARGEST_BRUSH = 400;
const SIZE_STEP = 1.25;
const ZOOM_STEP = 1.25;

/** Commands that change the mask: they wait while the editor is busy, and end a stroke that is under way. */
export const EDITS = new Set(['undo', 'redo', 'dropUnderPointer', 'fillHoles', 'grow', 'shrink']);

export const COMMANDS = {
  tool: (bench, name) => bench.chooseTool(name),
  polygon: (bench, mode) => {
    bench.settings.polygon = mode;
    bench.chooseTool('polygon');
  },
  smaller: ({ settings }) => {
    settings.size = Math.max(1, Math.min(settings.size - 1, Math.round(settings.size / SIZE_STEP)));
  },
  larger: ({ settings }) => {
    settings.size = Math.min(LARGEST_BRUSH, Math.max(settings.size + 1, Math.round(settings.size * SIZE_STEP)));
  },
  undo: ({ annotation }) => annotation.undo(),
  redo: ({ annotation }) => annotation.redo(),
  dropUnderPointer: (bench) => {
    if (!bench.pointer || !bench.tools.keep.drop(bench.pointer)) bench.say('There is no region under the pointer.');
  },
  fillHoles: ({ annotation, say }) => {
    const spans = holeSpans(annotation.cells, annotation.width, annotation.height);
    if (spans.length) annotation.paint(spans, 1);
    else say('The mask has no holes.');
  },
  grow: (bench) => replace(bench.annotation, grownMask, bench.settings.radius),
  shrink: (bench) => replace(bench.annotation, shrunkMask, bench.settings.radius),
  hide: ({ settings }) => { settings.shown = !settings.shown; },
  outline: ({ settings }) => Object.assign(settings, { outline: !settings.outline, shown: true }),
  compare: ({ settings }) => Object.assign(settings, { compare: !settings.compare, shown: true }),
  map: (bench) => bench.chooseMap(bench.settings.map === 'fused' ? null : 'fused'),
  layer: (bench, place) => bench.chooseMap(bench.settings.map === place ? null : place),
  fit: ({ stage }) => stage.fit(),
  zoomIn: ({ stage }) => stage.zoomAtCentre(ZOOM_STEP),
  zoomOut: ({ stage }) => stage.zoomAtCentre(1 / ZOOM_STEP),
  request: (bench, action) => bench.request(action),
  help: (bench) => bench.toggleHelp(),
};

function replace(annotation, change, radius) {
  const { cells, width, height } = annotation;
  annotation.add(replaceMask(cells, width, height, change(cells, width, height, radius), { touch: true }));
}

/** Sliders whose whole drag is one step; each move starts again from where the drag began. */
export const ADJUSTMENTS = {
  minArea: ({ annotation }, pixels) => {
    annotation.rewind();
    annotation.paint(smallRegionSpans(annotation.cells, annotation.width, annotation.height, pixels), 0);
  },
  threshold: ({ annotation }, value) => annotation.repropose(value),
};
