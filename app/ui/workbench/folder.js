/** The button that imports a folder: it packs the folder with its structure, uploads it and says where it went. */
import { zipParts, zipProblem } from './zip.js';

const TELL_EVERY_MS = 100;
const NOTE_MS = 3000;
// As the server passes them over in a zip.
const SYSTEM_NAMES = new Set(['__macosx', 'thumbs.db', 'desktop.ini', 'ehthumbs.db', '$recycle.bin', '@eadir']);

/** Whether nobody means to import a file: it, or a folder it is in, is hidden or the work of an operating system. */
export function isLeftOut(path) {
  return path.split('/').some((name) => name.startsWith('.') || SYSTEM_NAMES.has(name.toLowerCase()));
}

/**
 * The files of a chosen folder that are imported, with their paths inside it, in order.
 * @param {Iterable<File>} files as an input with webkitdirectory gives them
 * @returns {import('./zip.js').Entry[]}
 */
export function entriesOf(files) {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath.split('/').slice(1).join('/'), file }))
    .filter(({ path }) => path && !isLeftOut(path))
    .sort((one, other) => (one.path < other.path ? -1 : 1));
}

/**
 * Bring a button and its file input to life.
 * @param {HTMLElement} place holds both
 * @param {object} page
 * @param {(file: File) => Promise<{path: string}>} page.upload
 * @param {(path: string) => void} page.arrived called with the path of the zip on the server
 * @param {(problem: string) => void} page.refused called with a sentence for people
 * @param {{maxBytes?: number, maxFiles?: number}} page.limits
 */
export function start(place, { upload, arrived, refused, limits }) {
  const button = place.querySelector('button');
  const input = place.querySelector('input');
  const title = button.textContent;
  let isBusy = false;

  async function take(files) {
    const entries = entriesOf(files);
    const problem = zipProblem(entries, limits);
    if (problem) throw new Error(problem);
    const parts = await zipParts(entries, teller((text) => (button.textContent = text)));
    const name = files[0].webkitRelativePath.split('/')[0];
    button.textContent = 'Uploading …';
    arrived(await sent(new File(parts, `${name}.zip`, { type: 'application/zip' })));
  }

  async function sent(zip) {
    try {
      return (await upload(zip)).path;
    } catch (error) {
      throw new Error(`The folder did not arrive (${error.message}), and nothing of it was imported; try again.`);
    }
  }

  input.addEventListener('change', async () => {
    isBusy = true;
    button.setAttribute('aria-disabled', 'true');
    try {
      await take([...input.files]);
    } catch (error) {
      refused(error.message);
    } finally {
      isBusy = false;
      button.removeAttribute('aria-disabled');
      button.textContent = title;
      input.value = ''; // the same folder can be chosen again
    }
  });
  // Some browsers take an empty folder for no choice at all, so no error is made of that.
  input.addEventListener('cancel', () => {
    button.textContent = 'No files chosen';
    setTimeout(() => isBusy || (button.textContent = title), NOTE_MS);
  });
  button.addEventListener('click', () => isBusy || input.click());
  button.disabled = false;
}

/** Says how far packing is, and not more often than people can read. */
function teller(say) {
  let told = -Infinity;
  return (done, total) => {
    if (performance.now() - told < TELL_EVERY_MS) return;
    told = performance.now();
    say(`Packing ${done.toLocaleString('en')} of ${total.toLocaleString('en')} …`);
  };
}
