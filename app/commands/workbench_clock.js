/** The clocks of `python -m app bench workbench`.  They run before the page's own scripts and know it from outside. */
(() => {
  const now = () => performance.now();
  const frame = window.requestAnimationFrame.bind(window);
  const plainFetch = window.fetch.bind(window);
  const find = (selector) => document.querySelector(`#workbench ${selector}`);
  const calls = []; // of the workbench's server functions: {name, request, answered} in the order they were made
  const events = []; // ms of script per pointer event
  const frames = new Map(); // ms of script per frame, by its time stamp
  let opened = 0;
  let isActing = false; // only frames that an action asks for are timed: the page has others
  let keyed = 0;
  let map = null;

  for (const name of ['pointerdown', 'pointermove', 'pointerup']) {
    window.addEventListener(name, () => {
      isActing = true;
      opened = now();
    }, { capture: true });
    window.addEventListener(name, () => {
      events.push(now() - opened);
      isActing = false;
    });
  }
  window.addEventListener('keydown', () => { keyed = now(); }, { capture: true });
  window.requestAnimationFrame = (callback) => {
    if (!isActing) return frame(callback);
    return frame((stamp) => {
      const start = now();
      callback(stamp);
      frames.set(stamp, (frames.get(stamp) ?? 0) + now() - start);
    });
  };
  window.fetch = async (...args) => {
    const body = args[1]?.body;
    const call = typeof body === 'string' && body.includes('"fn_name"') ? JSON.parse(body) : null;
    if (!call) return plainFetch(...args);
    const entry = { name: call.fn_name, request: call.data, asked: now(), answered: null };
    calls.push(entry);
    const reply = await plainFetch(...args);
    const json = reply.json.bind(reply);
    reply.json = async () => {
      const data = await json();
      entry.answered = now();
      if (data?.map) map = data.map;
      return data;
    };
    return reply;
  };

  const rest = () => new Promise((resolve) => { frame(() => frame(resolve)); });

  function forget() {
    events.length = 0;
    frames.clear();
  }

  /** Script that an action and the frame after it took. */
  async function timed(act) {
    await rest();
    forget();
    isActing = true;
    const start = now();
    act();
    const script = now() - start;
    isActing = false;
    await rest();
    return script + Math.max(0, ...frames.values());
  }

  const press = (control) => timed(() => find(`[data-testid=${control}]`).click());

  /** Move a slider to places of its track, in thousandths: one drag. */
  async function drag(control, places) {
    const slider = find(`[data-testid=${control}]`);
    const times = [];
    for (const place of places) {
      slider.value = place;
      times.push(await timed(() => slider.dispatchEvent(new Event('input'))));
    }
    slider.dispatchEvent(new Event('change'));
    return times;
  }

  /** The longest time within `duration` for which the page answered nothing; a timer alone takes some 5 ms. */
  async function longestPause(duration) {
    let longest = 0;
    let last = now();
    for (const end = last + duration; last < end;) {
      await new Promise((resolve) => { setTimeout(resolve); });
      longest = Math.max(longest, now() - last);
      last = now();
    }
    return longest;
  }

  /** Begin to wait for another image: it is ready when it may be painted on and the frame with it was drawn. */
  function watch() {
    const [place, title] = [find('.editor-place'), find('.image-name')];
    const start = calls.length;
    let wasAway = !title.textContent;
    clock.ready = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (!title.textContent) wasAway = true;
        if (!wasAway || !title.textContent || place.getAttribute('aria-busy') !== 'false') return;
        observer.disconnect();
        rest().then(() => resolve({ ready: now(), keyed, call: calls[start] }));
      });
      observer.observe(place, { attributes: true });
    });
  }

  const answered = (name) => calls.filter((call) => call.name === name && call.answered);
  const isQuiet = () => calls.every((call) => call.answered || call.name === 'changes');
  const sinceKey = (name) => answered(name).at(-1).answered - keyed;

  /** Where on the screen the map of the newest answer is highest; null without a map. */
  function peak() {
    if (!map) return null;
    const values = new Float32Array(Uint8Array.from(atob(map.data), (letter) => letter.charCodeAt(0)).buffer);
    const at = values.reduce((best, value, index) => (value > values[best] ? index : best), 0);
    const { x, y, width, height } = find('.world').getBoundingClientRect();
    return [x + (((at % map.w) + 0.5) / map.w) * width, y + ((Math.floor(at / map.w) + 0.5) / map.h) * height];
  }

  const clock = {
    events, frames, forget, press, drag, longestPause, watch, answered, isQuiet, sinceKey, peak, ready: null,
  };
  window.clock = clock;
})();
