// Small touches; every page works without them and htmx does the rest. The paths of sprites come from <html data-icons>.
(() => {
  const root = document.documentElement;
  const words = document.getElementById('toasts')?.dataset ?? {};  // what this script says, in the language of the page
  const each = (selector, act) => document.querySelectorAll(selector).forEach(act);
  const icon = name => {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    svg.setAttribute('class', 'i');
    svg.setAttribute('aria-hidden', 'true');
    use.setAttribute('href', root.dataset.icons + '#' + name);
    svg.append(use);
    return svg;
  };

  // Toasts: HX-Trigger {"toast": {"text": "...", "kind": "ok|bad"}}, or ui/_toast.html swapped into #toasts.
  const fade = node => setTimeout(() => node.matches(':hover, :focus-within') ? fade(node) : node.remove(), 8000);
  const toast = (text, kind = 'ok') => {
    const box = document.getElementById('toasts');
    if (!box || !text) return;
    const node = document.createElement('div'), p = document.createElement('p'), close = document.createElement('button');
    node.className = 'toast ' + kind;
    p.textContent = text;
    close.type = 'button';
    close.className = 'icon-btn';
    close.dataset.close = '';
    close.setAttribute('aria-label', words.close);
    close.append(icon('x'));
    node.append(icon({ bad: 'circle-alert', news: 'bell' }[kind] ?? 'circle-check'), p, close);
    box.append(node);
    while (box.children.length > 3) box.firstElementChild.remove();
    fade(node);
  };
  document.addEventListener('toast', e => toast(e.detail?.text ?? e.detail?.value, e.detail?.kind));

  // Theme: painted at once, kept by the server (the form posts without script, too).
  const dark = () => (root.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  document.addEventListener('submit', e => {
    if (!e.target.matches('[data-theme-form]')) return;
    e.preventDefault();
    const theme = dark() ? 'light' : 'dark', body = new FormData(e.target);
    body.set('theme', theme);
    root.dataset.theme = theme;
    each('[data-theme-form] [name="theme"]', n => { n.value = theme === 'dark' ? 'light' : 'dark'; });
    fetch(e.target.action, { method: 'POST', body, redirect: 'manual' }).catch(() => {});
  });
  each('[data-theme-form] [name="theme"]', n => { n.value = dark() ? 'light' : 'dark'; });

  // Questions before a step that cannot be undone: data-confirm on a form or its button, or hx-confirm.
  const ask = (text, from) => new Promise(resolve => {
    const box = document.getElementById('confirm');
    if (!box?.showModal) return resolve(window.confirm(text));
    const ok = box.querySelector('[value="yes"]');
    box.querySelector('[data-q]').textContent = text;
    const heading = box.querySelector('h2');
    heading.dataset.own ??= heading.textContent;
    ok.dataset.own ??= ok.textContent;
    heading.textContent = from?.dataset?.confirmTitle || heading.dataset.own;
    ok.textContent = from?.dataset?.confirmOk || ok.dataset.own;
    ok.className = 'btn ' + (from?.dataset?.confirmKind || 'primary');
    box.returnValue = '';
    box.addEventListener('close', () => { resolve(box.returnValue === 'yes'); }, { once: true });
    box.showModal();
  });
  let agreed = null;
  document.addEventListener('submit', e => {
    const from = e.submitter?.dataset.confirm ? e.submitter : e.target.dataset.confirm ? e.target : null;
    if (!from) return;
    if (agreed === e.target) { agreed = null; return; }
    e.preventDefault();
    e.stopImmediatePropagation();
    const form = e.target, button = e.submitter;
    ask(from.dataset.confirm, from).then(yes => { if (yes) { agreed = form; form.requestSubmit(button); } });
  }, true);
  document.addEventListener('htmx:confirm', e => {
    if (!e.detail.ctx?.confirm) return;
    e.preventDefault();
    ask(e.detail.ctx.confirm, e.target).then(yes => (yes ? e.detail.issueRequest() : e.detail.dropRequest()));
  });

  // A plain form goes out once.
  document.addEventListener('submit', e => {
    const form = e.target;
    if (e.defaultPrevented || form.method !== 'post' || form.target === '_blank') return;
    if (form.ariaBusy === 'true') { e.preventDefault(); return; }
    form.ariaBusy = 'true';
    setTimeout(() => form.removeAttribute('aria-busy'), 6000);
  });
  addEventListener('pageshow', e => { if (e.persisted) each('form[aria-busy]', n => n.removeAttribute('aria-busy')); });

  document.addEventListener('click', async e => {
    each('details.menu[open], details.burger[open]', d => { if (!d.contains(e.target)) d.open = false; });
    const at = e.target.closest?.('[data-close], [data-copy], [data-copy-from], [data-reveal], [data-print], [data-use]');
    if (!at) return;
    if (at.dataset.use) {
      // A value that the page suggests goes into its field; without script the button sends it.
      const field = document.getElementById(at.dataset.for);
      e.preventDefault();
      field.value = at.dataset.use;
      field.focus();
      field.dispatchEvent(new Event('change', { bubbles: true }));
    }
    if ('close' in at.dataset) (at.closest('.toast, .closable') ?? at.closest('dialog'))?.remove();
    if ('print' in at.dataset) window.print();
    if (at.dataset.reveal) {
      const field = document.getElementById(at.dataset.reveal), shown = field.type === 'text';
      field.type = shown ? 'password' : 'text';
      at.textContent = shown ? words.show : words.hide;
      at.setAttribute('aria-pressed', String(!shown));
    }
    if ('copy' in at.dataset || at.dataset.copyFrom) {
      const text = at.dataset.copy || document.getElementById(at.dataset.copyFrom)?.textContent.trim().replace(/[ \t]*\n\s*/g, '\n');
      try {
        await navigator.clipboard.writeText(text);
        at.classList.add('copied');
        setTimeout(() => at.classList.remove('copied'), 2000);
        toast(words.copied);
      } catch { toast(words.notCopied, 'bad'); }
    }
  });
  document.addEventListener('keydown', e => {
    if (e.key === 'Escape') each('details.menu[open], details.burger[open]', d => { d.open = false; d.querySelector('summary').focus(); });
    // Ctrl or Cmd with Enter sends a composer.
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && e.target.matches?.('.composer textarea')) { e.preventDefault(); e.target.form.requestSubmit(); }
  });

  document.addEventListener('input', e => {
    const id = e.target.dataset?.count, n = id && document.querySelector('#' + CSS.escape(id) + ' [data-n]');
    if (n) n.textContent = e.target.value.length;
  });
  document.addEventListener('change', e => {
    // Filters and choices that answer at once; without script their form has its own button.
    if (e.target.closest?.('[data-autosubmit]') && e.target.form) e.target.form.requestSubmit();
  });

  const settle = () => {
    each('.tabs', n => { const on = n.querySelector('[aria-current]'); if (on && n.scrollWidth > n.clientWidth) n.scrollLeft = on.offsetLeft - n.offsetLeft - 24; });
    each('#toasts > .toast:not([data-seen])', n => { n.dataset.seen = ''; fade(n); });
    const summary = document.querySelector('.errsum:not([data-seen])');
    if (summary) { summary.dataset.seen = ''; summary.focus(); }
    each('select[data-guess-zone]:not([data-seen])', n => {
      n.dataset.seen = '';
      // Unless somebody has chosen already. The list is short on purpose: a zone it lacks is added.
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      if (!zone || n.querySelector('option[selected]:not([value=""], [value="UTC"])') || n.form?.querySelector('.errsum, .has-err')) return;
      if (![...n.options].some(o => o.value === zone)) n.add(new Option(zone.split('/').pop().replaceAll('_', ' '), zone));
      n.value = zone;
      // What the page shows depends on the zone: it is asked for again, once htmx listens.
      if (n.dataset.guessZone === 'ask') addEventListener('load', () => n.dispatchEvent(new Event('change', { bubbles: true })), { once: true });
    });
  };
  settle();

  const busy = (e, on) => {
    const t = e.detail?.ctx?.target;
    if (t?.setAttribute) on ? t.setAttribute('aria-busy', 'true') : t.removeAttribute('aria-busy');
  };
  document.addEventListener('htmx:before:request', e => busy(e, true));
  document.addEventListener('htmx:finally:request', e => busy(e, false));
  document.addEventListener('htmx:after:swap', e => {
    settle();
    // A refusal lands in the message area, which may be out of sight.
    if (e.detail?.ctx?.target?.id === 'messages') e.detail.ctx.target.scrollIntoView({ block: 'center' });
  });
  // A whole page never belongs inside a part of this one.
  document.addEventListener('htmx:before:swap', e => {
    const c = e.detail?.ctx;
    if (!c || c.target === document.body || !/^\s*<!doctype/i.test(c.text || '') || c.select) return;
    e.preventDefault();
    if (c.sourceElement?.matches('[data-live], [hx-trigger*=every]') || c.response?.status >= 500) return;
    toast(c.response?.raw?.redirected ? words.signedOut : words.failed, 'bad');
  });
  document.addEventListener('htmx:response:error', e => {
    if (e.detail?.ctx?.response?.status >= 500) toast(words.fault, 'bad');
  });
  document.addEventListener('htmx:error', e => {
    if (/fetch|network|timeout/i.test(String(e.detail?.error))) toast(navigator.onLine ? words.noAnswer : words.offline, 'bad');
  });
})();
