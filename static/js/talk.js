// The open thread: stays at its end while news arrive, names the chosen files, and says when somebody is looking.
(() => {
  const end = () => document.documentElement.scrollHeight - innerHeight - scrollY < 240;
  const bottom = () => scrollTo({ top: document.documentElement.scrollHeight });
  const look = () => {
    const looked = document.getElementById('looked');
    if (looked && document.visibilityState === 'visible') looked.dispatchEvent(new CustomEvent('look'));
  };
  const inThread = e => e.detail?.ctx?.sourceElement?.closest?.('#thread');
  let wasAtEnd = true, typing = false;

  document.addEventListener('htmx:before:swap', e => {
    if (!inThread(e)) return;
    wasAtEnd = end();
    typing = e.detail.ctx.sourceElement.id === 'composer';
  });
  document.addEventListener('htmx:after:swap', e => {
    if (!inThread(e)) return;
    const from = e.detail.ctx.sourceElement;
    if (from.id === 'poll' || from.id === 'composer') {
      if (wasAtEnd || typing) bottom();
      look();
    }
    if (typing) { document.getElementById('id_body')?.focus({ preventScroll: true }); typing = false; }
  });
  document.addEventListener('visibilitychange', look);
  document.addEventListener('change', e => {
    if (e.target.type !== 'file' || !e.target.form?.matches('.composer')) return;
    const line = e.target.form.querySelector('[data-files]');
    line.textContent = [...e.target.files].map(file => file.name).join(', ');
    line.hidden = !e.target.files.length;
  });
  if (document.getElementById('poll')?.previousElementSibling && !location.hash.startsWith('#m-')) bottom();
})();
