// Pages that stay right by themselves. An element with data-live="5" asks the server about every five seconds (its hx-trigger is "live"):
// at once when the page comes into sight, never while it is hidden, less and less often while nothing comes and nobody touches the page,
// and less often still while the server does not answer. docs/live.md says why pages ask and are not told.
(() => {
  const CALM = 10, SLOWER = 1.3, LONGEST = 4, LEAST_LONGEST = 30, LOST = 120, TELL = 3, PATIENCE = 15;
  const beats = new Map();
  const now = () => performance.now() / 1000;
  const find = id => document.getElementById(id);
  const wait = b => {
    const longest = Math.max(LEAST_LONGEST, b.every * LONGEST);
    const calm = Math.min(longest, b.every * SLOWER ** Math.max(0, b.calm - CALM));
    const lost = b.lost ? Math.min(LOST, b.every * 2 ** b.lost) : 0;
    return Math.max(calm, lost, b.least) * (0.85 + 0.3 * Math.random());  // so that many pages do not ask at one moment
  };
  const plan = (id, seconds) => {
    const b = beats.get(id);
    clearTimeout(b.timer);
    b.due = now() + seconds;
    b.timer = setTimeout(() => ask(id), seconds * 1000);
  };
  const ask = id => {
    const node = find(id), b = beats.get(id);
    if (!node?.dataset.live || !b) { beats.delete(id); return; }
    if (document.hidden) return;
    plan(id, wait(b));  // an answer plans anew; without one it is asked again all the same
    if (now() - b.asked < PATIENCE) return;
    b.asked = now();
    node.dispatchEvent(new CustomEvent('live'));
  };
  // What is new on the page begins to ask, as does what an answer put in place of itself; the rest goes on in its own time.
  const settle = () => document.querySelectorAll('[data-live][id]').forEach(node => {
    const every = Number(node.dataset.live), known = beats.get(node.id);
    if (known?.node === node && known.every === every) return;
    clearTimeout(known?.timer);
    beats.set(node.id, { node, every, calm: 0, lost: 0, least: 0, asked: -PATIENCE });
    plan(node.id, wait(beats.get(node.id)));
  });
  // Somebody is there: nothing waits longer than it would on a page that was just opened.
  const wake = () => beats.forEach((b, id) => {
    b.calm = 0;
    if (!b.lost && b.due - now() > b.every) plan(id, b.every * Math.random());
  });

  document.addEventListener('htmx:finally:request', e => {
    const id = e.detail?.ctx?.sourceElement?.id, b = beats.get(id), response = e.detail?.ctx?.response;
    if (!b || !e.detail.ctx.sourceElement.dataset.live) return;
    if (response?.raw?.redirected) {  // signed out: asking on would change nothing
      clearTimeout(b.timer);
      beats.delete(id);
      find(id)?.removeAttribute('data-live');
      return;
    }
    const answered = response && (response.status < 400 || response.status === 404);
    b.asked = -PATIENCE;
    b.lost = answered ? 0 : b.lost + 1;
    b.least = answered ? 0 : Number(response?.headers?.get('Retry-After')) || 0;
    b.calm = response?.status === 200 ? 0 : b.calm + 1;
    const stale = find('stale'), words = [...beats.values()].some(b => b.lost >= TELL) ? stale?.dataset.words : '';
    if (stale && stale.textContent !== words) stale.textContent = words;
    plan(id, wait(b));
  });
  document.addEventListener('visibilitychange', () => beats.forEach((b, id) => {
    if (document.hidden) clearTimeout(b.timer);
    else { b.calm = 0; plan(id, Math.random() / 2); }
  }));
  addEventListener('online', () => beats.forEach((b, id) => { b.lost = 0; plan(id, Math.random()); }));
  for (const kind of ['pointerdown', 'keydown', 'focus']) addEventListener(kind, wake, { passive: true, capture: true });
  // A list that was fetched anew may have its rows in another order: the reader stays at the link where they were.
  let link = null;
  document.addEventListener('htmx:before:swap', e => {
    if (e.detail?.ctx?.sourceElement?.id === 'news') link = document.activeElement?.closest('#main a[href]')?.getAttribute('href');
  });
  document.addEventListener('htmx:after:swap', e => {
    settle();
    if (!link || e.detail?.ctx?.sourceElement?.id !== 'news') return;
    if (document.activeElement?.getAttribute('href') !== link) document.querySelector(`#main a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
    link = null;
  });
  settle();
})();
