/** Which unsaved work is taken up again, and when it is no work at all. Pure. */

/**
 * Choose among the drafts of one image.
 * @param {Array<{tab: string, time: number}>} drafts
 * @param {string} tab this tab
 * @param {Set<string>} liveTabs tabs that are open now
 * @returns {{draft: Object|null, elsewhere: boolean}} `elsewhere`: another open tab works on this image
 */
export function chooseDraft(drafts, tab, liveTabs) {
  const newestFirst = [...drafts].sort((one, other) => other.time - one.time);
  const own = newestFirst.find((draft) => draft.tab === tab);
  const orphan = newestFirst.find((draft) => draft.tab !== tab && !liveTabs.has(draft.tab));
  const elsewhere = newestFirst.some((draft) => draft.tab !== tab && liveTabs.has(draft.tab));
  return { draft: own ?? orphan ?? null, elsewhere };
}

/** Whether a draft can be laid over this image. */
export function fits(draft, width, height) {
  return draft.width === width && draft.height === height && draft.cells.length === width * height;
}

/**
 * Whether a draft says nothing that the server does not have: same mask, same classes, same note.
 * @param {{cells: Uint8Array, classes: Array, note: string}} draft bit 0 of a cell is the mask
 * @param {{mask: Uint8Array, classes: Array, note: string}} stored
 */
export function isStored(draft, stored) {
  const words = (classes) =>
    classes
      .map(({ x, y, name }) => `${x},${y},${name}`)
      .sort()
      .join('\n');
  return (
    draft.note === stored.note &&
    words(draft.classes) === words(stored.classes) &&
    draft.cells.every((cell, index) => (cell & 1) === stored.mask[index])
  );
}

/** The label that a mask speaks for. */
export function labelOf(mask) {
  return mask.includes(1) ? 'anomalous' : 'normal';
}

/** Whether saving would add a revision that equals the newest. */
export function isNothingNew({ dirty, label, revision }) {
  if (dirty || !revision || revision.kind === 'delete') return false;
  return label === revision.label || label === null;
}
