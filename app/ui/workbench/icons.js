/** The buttons' pictures, drawn on a grid of 20 by 20. */

const SVG = 'http://www.w3.org/2000/svg';

const ICONS = {
  brush:
    'M16.8 3.2c-3.4 1.5-6.4 4.2-8.3 7.2l2.1 2.1c3-1.9 5.4-4.9 6.2-9.3z' +
    'M7.3 11.2c-2.3 0-2.7 1.7-2.9 3.1-.1.9-.6 1.5-1.4 1.9 3 1 6.7.3 6.7-2.6',
  erase:
    'M8.2 16.5h8.8M3.6 11.4l7.3-7.6a1.3 1.3 0 0 1 1.9 0l3.7 3.7a1.3 1.3 0 0 1 0 1.9l-6.9 7.1H7.2l-3.6-3.4' +
    'a1.2 1.2 0 0 1 0-1.7zM7.3 7.7l5.4 5.3',
  polygon: 'M5 15.5L3.5 7.5l7-4 6.2 5.2-3 7.3zM5 15.5h.01M3.5 7.5h.01M10.5 3.5h.01M16.7 8.7h.01M13.7 16h.01',
  wand:
    'M3.5 16.5l8-8M13.5 2.8v3M13.5 10.2v2.3M9 6.5h2.3M15.8 6.5h2' +
    'M10.5 3.5l1.3 1.3M16.5 3.5l-1.3 1.3M16.5 9.5l-1.3-1.3',
  keep: 'M4.5 6.5c2-3.5 7.5-4 10-1s1.5 8-1.5 10-8 .5-9.5-3 .2-5 1-6zM7 10l2.2 2.2L13 8',
  undo: 'M7 3.8L3.5 7.3 7 10.8M3.8 7.3H12a4.3 4.3 0 0 1 0 8.7H8',
  redo: 'M13 3.8l3.5 3.5-3.5 3.5M16.2 7.3H8a4.3 4.3 0 0 0 0 8.7h4',
  hide: 'M1.8 10S4.8 4.7 10 4.7 18.2 10 18.2 10 15.2 15.3 10 15.3 1.8 10 1.8 10zM10 7.6a2.4 2.4 0 1 0 .01 0z',
  outline: 'M6 4.5c3-2 8-1.5 9.7 1.7s.3 7.5-2.7 9.3-7.5.5-9-2.5S3 6.5 6 4.5z',
  map: 'M3.3 3.3h13.4v13.4H3.3zM3.3 7.8h13.4M3.3 12.3h13.4M7.8 3.3v13.4M12.3 3.3v13.4',
  compare: 'M7.5 5a5 5 0 1 0 .01 0zM12.5 5a5 5 0 1 0 .01 0z',
  fit: 'M3.5 7.2V3.5h3.7M12.8 3.5h3.7v3.7M16.5 12.8v3.7h-3.7M7.2 16.5H3.5v-3.7',
  fillHoles: 'M10 3a7 7 0 1 0 .01 0zM5.4 10.6l5.2-5.2M7 13.4L13.4 7M9.4 15.4l6-6',
  grow: 'M11.5 8.5l5-5M12.3 3.5h4.2v4.2M8.5 11.5l-5 5M3.5 12.3v4.2h4.2',
  shrink: 'M16.5 3.5l-5 5M11.5 4.3v4.2h4.2M3.5 16.5l5-5M4.3 11.5h4.2v4.2',
  snap: 'M4.5 3.5v6.3a5.5 5.5 0 0 0 11 0V3.5h-3.3v6.3a2.2 2.2 0 0 1-4.4 0V3.5zM4.5 6.5h3.3M12.2 6.5h3.3',
  help: 'M10 2.5a7.5 7.5 0 1 0 .01 0zM7.8 8a2.2 2.2 0 1 1 3.1 2c-.7.3-.9.7-.9 1.5M10 14h.01',
  plus: 'M10 4v12M4 10h12',
  minus: 'M4 10h12',
};

/** @returns {SVGElement} decoration only: the button around it has the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}
