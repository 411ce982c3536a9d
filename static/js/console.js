// Touches of the console; every page works without them. "/" finds, arrows walk what was found, Escape closes.
(() => {
  const q = document.querySelector('#gs-q'), box = document.querySelector('#results');
  const clear = () => { if (box) box.replaceChildren(); };
  document.addEventListener('keydown', e => {
    const t = e.target, typing = t.matches?.('input, textarea, select, [contenteditable]');
    if (e.key === '/' && !typing && !e.metaKey && !e.ctrlKey && !e.altKey && q) { e.preventDefault(); q.focus(); q.select(); }
    if (e.key === 'Escape') {
      if (box?.contains(t)) q.focus();
      clear();
      document.querySelectorAll('.menu[open]').forEach(d => { d.open = false; d.querySelector('summary').focus(); });
    }
    if ((e.key === 'ArrowDown' || e.key === 'ArrowUp') && box && t.closest?.('.gs')) {
      const links = [...box.querySelectorAll('a')];
      if (!links.length) return;
      const at = links.indexOf(t) + (e.key === 'ArrowDown' ? 1 : -1);
      e.preventDefault();
      (at < 0 ? q : links[Math.min(at, links.length - 1)]).focus();
    }
  });
  const all = document.querySelector('#b_all'), picks = () => [...(all?.form.querySelectorAll('input[name=pick]') || [])];
  all?.form.addEventListener('change', e => {
    if (e.target === all) picks().forEach(p => { p.checked = all.checked; });
    if (e.target.name === 'pick') all.checked = picks().every(p => p.checked);
  });
  document.addEventListener('click', e => {
    if (!e.target.closest('.gs')) clear();
    document.querySelectorAll('.menu[open]').forEach(d => { if (!d.contains(e.target)) d.open = false; });
  });
})();
