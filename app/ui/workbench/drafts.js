/**
 * Unsaved work, kept in the browser's IndexedDB: one database for each workspace, as the same address may serve another
 * tomorrow, and in it one record for each image and tab.
 *
 * A record is {digest, tab, time, name, width, height, cells, packed, classes, threshold, note, based_on}; of work that
 * was sent to be saved also {saved_as: save_id}, and while the answer is awaited {waiting: save_id, request}.
 * `cells` are an Uint8Array of width * height bytes, or their runs if `packed`.
 */
import { forgetLastMoment, keepLastMoment, lastMoments } from './last_moment.js';
import { fromRuns, toRuns } from './runs.js';

const DATABASE = 'oddity-workbench';
const DRAFTS = 'drafts';

function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another tab holds an older database'));
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}

async function openDatabase(workspace) {
  const request = indexedDB.open(`${DATABASE} ${workspace}`, 1);
  request.onupgradeneeded = () => {
    const store = request.result.createObjectStore(DRAFTS, { keyPath: ['digest', 'tab'] });
    store.createIndex('digest', 'digest');
    store.createIndex('waiting', 'waiting'); // records without a save under way are not in it
  };
  const database = await answered(request);
  database.onversionchange = () => database.close();
  return database;
}

/** The record as it is stored. Runs are small enough to be handed over whole by a page that is going away. */
function packed(record) {
  const runs = toRuns(record.cells);
  return { ...record, cells: runs ?? record.cells, packed: runs !== null };
}

function unpacked(record) {
  const cells = record.packed ? fromRuns(record.cells, record.width * record.height) : record.cells;
  return { ...record, packed: false, cells };
}

/** Nothing in here fails: where the browser keeps nothing, `isAvailable` is false and writes answer false. */
export class Drafts {
  #database = null;
  #workspace = null;

  /** @returns {?string} the identity of the workspace whose drafts are kept */
  get workspace() {
    return this.#workspace;
  }

  /** Keep the drafts of this workspace from now on. @param {string} workspace its identity */
  async enter(workspace) {
    this.#database?.close();
    this.#database = await openDatabase(workspace).catch(() => null);
    this.#workspace = workspace;
    for (const record of lastMoments(workspace)) await this.#takeIn(record);
  }

  /** A page went away before its newest record was on disk. */
  async #takeIn(record) {
    const { digest, tab, time } = record;
    const isTaken = await this.#change((store) => {
      const request = store.get([digest, tab]);
      request.onsuccess = () => {
        if (!request.result || request.result.time < time) store.put(record);
      };
    });
    if (isTaken) forgetLastMoment(this.#workspace, record);
  }

  get isAvailable() {
    return this.#database !== null;
  }

  #store(mode) {
    const transaction = this.#database.transaction(DRAFTS, mode);
    return { store: transaction.objectStore(DRAFTS), transaction };
  }

  /** @returns {Promise<boolean>} whether the record is on disk */
  async put(record) {
    if (!this.isAvailable) return false;
    try {
      const { store, transaction } = this.#store('readwrite');
      store.put(packed(record));
      await finished(transaction);
      forgetLastMoment(this.#workspace, record);
      return true;
    } catch {
      return false;
    }
  }

  /** Hand a record over before this call returns, for a page that is going away. */
  putAtOnce(record) {
    if (!this.isAvailable) return;
    const whole = packed(record);
    if (whole.packed) keepLastMoment(this.#workspace, whole);
    try {
      const { store, transaction } = this.#store('readwrite');
      store.put(whole);
      transaction.commit();
    } catch {
      // the page is going away and nobody could be told; `beforeunload` has asked already
    }
  }

  /** Drafts of one image, of all tabs. */
  async of(digest) {
    return this.#read((store) => store.index('digest').getAll(digest));
  }

  /** Drafts whose save was under way when their tab closed, or still is. */
  async waiting() {
    return this.#read((store) => store.index('waiting').getAll());
  }

  async #read(select) {
    if (!this.isAvailable) return [];
    try {
      const records = await answered(select(this.#store('readonly').store));
      return records.flatMap((record) => {
        try {
          return [unpacked(record)];
        } catch {
          return []; // a damaged draft must not hide the others
        }
      });
    } catch {
      return [];
    }
  }

  /** @returns {Promise<Array<[string, string]>>} digest and tab of every draft */
  async keys() {
    if (!this.isAvailable) return [];
    return answered(this.#store('readonly').store.getAllKeys()).catch(() => []);
  }

  async remove(digest, tab) {
    forgetLastMoment(this.#workspace, { digest, tab });
    await this.#change((store) => store.delete([digest, tab]));
  }

  /** A save was stored: forget its draft, unless the person has gone on working since. */
  async acknowledge(digest, tab, saveId) {
    await this.#changeRecord(digest, tab, (record, store) => {
      if (record.saved_as === saveId) store.delete([digest, tab]);
    });
  }

  /** A save was refused: its draft is ordinary unsaved work again. */
  async release(digest, tab, saveId) {
    await this.#changeRecord(digest, tab, (record, store) => {
      if (record.saved_as !== saveId) return;
      const { waiting, request, ...draft } = record;
      store.put(draft);
    });
  }

  /** Make a closed tab's draft this tab's own. */
  async adopt(digest, fromTab, tab) {
    await this.#changeRecord(digest, fromTab, (record, store) => {
      store.put({ ...record, tab });
      store.delete([digest, fromTab]);
    });
  }

  async #changeRecord(digest, tab, change) {
    await this.#change((store) => {
      const request = store.get([digest, tab]);
      request.onsuccess = () => {
        if (request.result) change(request.result, store);
      };
    });
  }

  /** @returns {Promise<boolean>} whether it was done */
  async #change(act) {
    if (!this.isAvailable) return false;
    const { store, transaction } = this.#store('readwrite');
    act(store);
    return finished(transaction).then(
      () => true,
      () => false,
    );
  }
}
