/**
 * The work of a page's last moment, in localStorage, which is written before a call returns. IndexedDB is not: it drops
 * a transaction, even one told to commit, whose page is gone before it is done. One record for each image and tab.
 */
import { bytesFromBase64, bytesToBase64 } from './packing.js';

const PREFIX = 'oddity-last-moment';

function keyOf(workspace, { digest, tab }) {
  return [PREFIX, workspace, digest, tab].join(' ');
}

/** @param {Object} record with its cells as runs; what is too large for the browser is left to IndexedDB */
export function keepLastMoment(workspace, record) {
  try {
    const { buffer, byteOffset, byteLength } = record.cells;
    const cells = bytesToBase64(new Uint8Array(buffer, byteOffset, byteLength));
    localStorage.setItem(keyOf(workspace, record), JSON.stringify({ ...record, cells }));
  } catch {
    // full or switched off
  }
}

/** @returns {Object[]} the records of this workspace */
export function lastMoments(workspace) {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(`${PREFIX} ${workspace} `));
    return keys.map((key) => {
      const record = JSON.parse(localStorage.getItem(key));
      return { ...record, cells: new Uint32Array(bytesFromBase64(record.cells).slice().buffer) };
    });
  } catch {
    return [];
  }
}

/** The record is kept elsewhere, or no longer wanted. @param {{digest: string, tab: string}} place */
export function forgetLastMoment(workspace, place) {
  try {
    localStorage.removeItem(keyOf(workspace, place));
  } catch {
    // nothing was kept
  }
}
