/** How high the workbench may be, so that the page around it fits the window and needs no scrollbar of its own. */

/** Keep `--ow-height` at what the window has left, also when something above the workbench comes or goes. */
export function fillWindow(root) {
  const measure = () => {
    if (root.offsetParent === null) return; // in a tab that is not shown, nothing has a place
    const above = root.getBoundingClientRect().top + scrollY;
    const height = Math.floor(innerHeight - above - heightBelow(root));
    root.style.setProperty('--ow-height', `${height}px`);
  };
  const observer = new ResizeObserver(measure);
  for (let at = root; at; at = at.parentElement) observer.observe(at);
  addEventListener('resize', measure);
}

/** What lies below an element on the page: padding and what follows it, of all that it stands in. */
function heightBelow(root) {
  let height = 0;
  for (let at = root; at.parentElement; at = at.parentElement) {
    const { paddingBottom, borderBottomWidth } = getComputedStyle(at.parentElement);
    height += parseFloat(paddingBottom) + parseFloat(borderBottomWidth);
    for (let next = at.nextElementSibling; next; next = next.nextElementSibling) height += outerHeight(next);
  }
  return height;
}

function outerHeight(element) {
  const { position, display, marginTop, marginBottom } = getComputedStyle(element);
  if (['absolute', 'fixed'].includes(position) || display === 'none') return 0;
  return element.offsetHeight + (parseFloat(marginTop) || 0) + (parseFloat(marginBottom) || 0);
}
