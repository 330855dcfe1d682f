/**
 * Unsaved work, kept in the browser's IndexedDB: one record for each image and tab.
 *
 * A record is {digest, tab, time, name, width, height, cells, packed, classes, threshold, note, based_on}; of work that
 * was sent to be saved also {saved_as: save_id}, and while the answer is awaited {waiting: save_id, request}.
 * `cells` are an Uint8Array of width * height bytes, deflated if `packed`.
 */
import { deflate, inflate } from './packing.js';

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

async function openDatabase() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => {
    const store = request.result.createObjectStore(DRAFTS, { keyPath: ['digest', 'tab'] });
    store.createIndex('digest', 'digest');
    store.createIndex('waiting', 'waiting'); // records without a save under way are not in it
  };
  const database = await answered(request);
  database.onversionchange = () => database.close();
  return database;
}

/** Open the drafts; never fails: where the browser keeps nothing, `isAvailable` is false and writes answer false. */
export async function openDrafts() {
  try {
    return new Drafts(await openDatabase());
  } catch {
    return new Drafts(null);
  }
}

async function unpacked(record) {
  if (!record.packed) return record;
  return { ...record, packed: false, cells: await inflate(record.cells) };
}

class Drafts {
  #database;

  constructor(database) {
    this.#database = database;
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
      const cells = await deflate(record.cells);
      const { store, transaction } = this.#store('readwrite');
      store.put({ ...record, cells, packed: true });
      await finished(transaction);
      return true;
    } catch {
      return false;
    }
  }

  /** Hand a record over before this call returns, for a page that is going away; not deflated, for that takes time. */
  putAtOnce(record) {
    if (!this.isAvailable) return;
    try {
      const { store, transaction } = this.#store('readwrite');
      store.put({ ...record, packed: false });
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
      const readable = await Promise.allSettled(records.map(unpacked)); // a damaged draft must not hide the others
      return readable.filter(({ status }) => status === 'fulfilled').map(({ value }) => value);
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

  async #change(act) {
    if (!this.isAvailable) return;
    const { store, transaction } = this.#store('readwrite');
    act(store);
    await finished(transaction).catch(() => {});
  }
}
