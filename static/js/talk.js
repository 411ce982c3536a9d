// The open thread: stays at its end while news arrive, keeps what is being typed, and says when somebody is looking.
(() => {
  const at = id => document.getElementById(id);
  const nearEnd = () => document.documentElement.scrollHeight - innerHeight - scrollY < 240;
  const toEnd = () => at('thread')?.scrollIntoView({ block: 'end' });
  const from = e => e.detail?.ctx?.sourceElement;
  const look = () => {
    if (document.visibilityState === 'visible') at('looked')?.dispatchEvent(new CustomEvent('look'));
  };
  const names = form => {
    const line = form.querySelector('[data-files]'), files = form.querySelector('[type=file]').files;
    line.textContent = [...files].map(file => file.name).join(', ');
    line.hidden = !files.length;
  };
  let wasNearEnd = true, sending = false, sent = '';

  // One message at a time: what is typed while it is on its way stays for the next.
  document.addEventListener('submit', e => {
    if (e.target.id !== 'composer') return;
    if (sending) { e.preventDefault(); e.stopImmediatePropagation(); }
    else sent = at('id_body').value;
  }, true);
  document.addEventListener('htmx:before:request', e => { if (from(e)?.id === 'composer') sending = true; });
  document.addEventListener('htmx:finally:request', e => { if (from(e)?.id === 'composer') sending = false; });

  document.addEventListener('htmx:before:swap', e => {
    wasNearEnd = nearEnd();
    // What has not changed stays as it is, with whatever is being filled in there; what has changed keeps its open parts open.
    const tasks = e.detail?.tasks ?? [];
    for (let i = tasks.length - 1; i >= 0; i--) {
      const old = tasks[i].target, fresh = tasks[i].fragment?.firstElementChild;
      if (tasks[i].type !== 'oob' || !old?.dataset?.mark) continue;
      if (old.dataset.mark === fresh?.dataset.mark) tasks.splice(i, 1);
      else old.querySelectorAll('details[open][id]').forEach(n => { fresh?.querySelector('#' + CSS.escape(n.id))?.setAttribute('open', ''); });
    }
  });
  document.addEventListener('htmx:after:swap', e => {
    // Who put something aside goes on where one writes.
    if (e.detail.ctx?.swap === 'delete') at('id_body')?.focus({ preventScroll: true });
    const source = from(e), said = source?.id === 'composer' && e.detail.ctx.response?.status === 200;
    if (source?.id !== 'poll' && !said) return;
    if (said) {
      const body = at('id_body');
      body.value = body.value.startsWith(sent) ? body.value.slice(sent.length) : body.value;
      source.querySelector('[type=file]').value = '';
      names(source);
      body.focus({ preventScroll: true });
    }
    // A poll and a message that were under way together may bring the same line.
    const known = new Set();
    document.querySelectorAll('#feed > :is(.msg, .note, .inlay)[id]').forEach(n => (known.has(n.id) ? n.remove() : known.add(n.id)));
    if (said || wasNearEnd) toEnd();
    look();
  });
  document.addEventListener('visibilitychange', look);
  document.addEventListener('change', e => { if (e.target.matches?.('.composer [type=file]')) names(e.target.form); });
  if (!location.hash.startsWith('#card-') && document.querySelector('#feed > :is(.msg, .inlay)')) toEnd();
})();
