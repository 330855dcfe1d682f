/** A name for this tab that outlives a reload, and which other tabs are open. */

const PREFIX = 'oddity-tab-';
const BEAT_S = 3;
const SILENT_S = 90; // background tabs may run a timer once a minute

function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function storage(kind) {
  try {
    const place = globalThis[kind];
    place.getItem(PREFIX);
    return place;
  } catch {
    return null; // storage is switched off in this browser
  }
}

/** Hold a lock until the tab closes; false where another tab has it (a duplicated tab copies the name). */
function hold(locks, name) {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(1000);
    locks
      .request(name, { signal }, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

async function claimWithLocks(locks, remembered) {
  let id = remembered ?? randomName();
  if (!(await hold(locks, PREFIX + id))) {
    id = randomName();
    await hold(locks, PREFIX + id);
  }
  const live = async () => {
    const { held } = await locks.query();
    return new Set(held.filter(({ name }) => name.startsWith(PREFIX)).map(({ name }) => name.slice(PREFIX.length)));
  };
  return { id, live };
}

/** Without Web Locks (a page over plain http): each tab notes in localStorage that it is alive. */
function claimWithBeats(remembered) {
  const beats = storage('localStorage');
  const id = remembered ?? randomName();
  if (!beats) return { id, live: async () => new Set([id]) };
  const beat = () => beats.setItem(PREFIX + id, String(Date.now()));
  beat();
  setInterval(beat, BEAT_S * 1000);
  addEventListener('pagehide', () => beats.removeItem(PREFIX + id));
  addEventListener('pageshow', beat);
  const live = async () => {
    const names = Object.keys(beats).filter((name) => name.startsWith(PREFIX));
    const isFresh = (name) => Date.now() - Number(beats.getItem(name)) < SILENT_S * 1000;
    return new Set(names.filter(isFresh).map((name) => name.slice(PREFIX.length)));
  };
  return { id, live };
}

/** @returns {Promise<{id: string, live: () => Promise<Set<string>>}>} */
export async function claimTab() {
  const own = storage('sessionStorage');
  const remembered = own?.getItem(PREFIX) ?? null;
  const tab = navigator.locks ? await claimWithLocks(navigator.locks, remembered) : claimWithBeats(remembered);
  own?.setItem(PREFIX, tab.id);
  return tab;
}
