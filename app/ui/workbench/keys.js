/** One table of keys: it decides what a key does, what a button's title says and what the help lists.  No DOM. */

/**
 * @typedef {object} Key
 * @property {string} command - an entry of `COMMANDS`, or 'tool' / 'request' / 'layer' with an argument.
 * @property {string[]} keys - `event.key` in lower case, with 'ctrl+', 'shift+' and 'alt+' before it in that order.
 * @property {string} label - how the help writes it.
 * @property {string} title - what it does.
 * @property {string} group - its heading in the help.
 */

const key = (group, command, keys, label, title, argument) => ({ group, command, keys, label, title, argument });
const LAYERS = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];

/** @type {Key[]} */
export const KEYS = [
  key('Tools', 'tool', ['b'], 'B', 'Brush', 'brush'),
  key('Tools', 'tool', ['e'], 'E', 'Eraser', 'erase'),
  key('Tools', 'polygon', ['p'], 'P', 'Polygon, add', 'add'),
  key('Tools', 'polygon', ['shift+p', 'alt+p'], 'Shift+P', 'Polygon, subtract', 'subtract'),
  key('Tools', 'tool', ['w'], 'W', 'Wand on the anomaly map', 'wand'),
  key('Tools', 'tool', ['k'], 'K', 'Keep or drop a region', 'keep'),
  key('Tools', 'smaller', ['['], '[', 'Smaller brush'),
  key('Tools', 'larger', [']'], ']', 'Larger brush'),

  key('Mask', 'undo', ['ctrl+z'], 'Ctrl+Z', 'Undo'),
  key('Mask', 'redo', ['ctrl+shift+z', 'ctrl+y'], 'Ctrl+Shift+Z', 'Redo'),
  key('Mask', 'dropUnderPointer', ['delete'], 'Delete', 'Drop the region under the pointer'),
  key('Mask', 'fillHoles', ['f'], 'F', 'Fill holes'),
  key('Mask', 'grow', ['.', '>'], '.', 'Grow'),
  key('Mask', 'shrink', [',', '<'], ',', 'Shrink'),
  key('Mask', 'request', ['g'], 'G', 'Snap to image edges', 'snap'),
  key('Mask', 'request', ['ctrl+backspace'], 'Ctrl+Backspace', 'Discard unsaved changes', 'discard'),

  key('View', 'hide', ['h'], 'H', 'Hide or show the mask'),
  key('View', 'outline', ['o'], 'O', 'Outline only'),
  key('View', 'map', ['m'], 'M', 'Anomaly map under the mask'),
  ...LAYERS.map((digit) => key('View', 'layer', [digit], digit, `Map of layer ${digit} of the list`, Number(digit))),
  key('View', 'compare', ['c'], 'C', 'Compare with the prediction'),
  key('View', 'fit', ['0'], '0', 'Fit the image'),
  key('View', 'zoomIn', ['+', '=', 'shift++'], '+', 'Zoom in'),
  key('View', 'zoomOut', ['-', 'shift+_'], '−', 'Zoom out'),

  key('Image', 'request', ['enter'], 'Enter', 'Save and next', 'save-next'),
  key('Image', 'request', ['ctrl+s'], 'Ctrl+S', 'Save', 'save'),
  key('Image', 'request', ['n'], 'N', 'Normal: nothing is odd, next', 'normal'),
  key('Image', 'request', ['u'], 'U', 'Unsure, next', 'unsure'),
  key('Image', 'request', ['s'], 'S', 'Skip', 'skip'),
  key('Image', 'request', ['backspace'], 'Backspace', 'Previous image', 'previous'),
  key('Image', 'help', ['?', 'shift+?'], '?', 'This help'),
];

/** What hands do that no key of the table describes; the help lists it too. */
export const GESTURES = [
  ['Alt or right button', 'Subtract, with any tool'],
  ['Shift+click', 'Brush a straight line from the last point'],
  ['Wheel', 'Zoom at the pointer'],
  ['Space+drag, middle button, two fingers', 'Move the image'],
  ['Enter, double click', 'Close the polygon'],
  ['Backspace, Escape', 'Remove its last point, give it up'],
  ['Q', 'Go to the queue; arrows move in it, Enter opens'],
];

const TABLE = new Map(KEYS.flatMap((entry) => entry.keys.map((text) => [text, entry])));

/** The base of a key: on keyboards without Latin letters, or with Alt held on a Mac, the key's place says which. */
function baseOf(event) {
  const text = event.key.toLowerCase();
  const place = /^(?:Key|Digit)([A-Z0-9])$/.exec(event.code ?? '');
  const foreign = text.length === 1 && text > '~';
  return place && (foreign || event.altKey) ? place[1].toLowerCase() : text;
}

/**
 * The entry of the table that a key press means, or undefined.
 *
 * @param {{key: string, code?: string, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean, altKey: boolean}} event
 * @returns {Key | undefined}
 */
export function entryFor(event) {
  const modifiers = [
    event.ctrlKey || event.metaKey ? 'ctrl+' : '', event.shiftKey ? 'shift+' : '', event.altKey ? 'alt+' : '',
  ].join('');
  const base = baseOf(event);
  // Keyboard layouts differ in which signs need Shift.
  const plainSign = base.length === 1 && !/[a-z]/.test(base) && modifiers === 'shift+';
  return TABLE.get(modifiers + base) ?? (plainSign ? TABLE.get(base) : undefined);
}

/** A button's title: what it does, and its key in brackets. */
export function titleOf(command, argument) {
  const entry = KEYS.find((one) => one.command === command && one.argument === argument);
  if (!entry) throw new Error(`No key does ${command} ${argument ?? ''}`);
  return `${entry.title} (${entry.label})`;
}
