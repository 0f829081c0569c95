/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progressive enhancement only: every flow works without this file. */
(() => {
  'use strict';
  const d = document, root = d.documentElement;
  const $ = (s, e = d) => e.querySelector(s);
  root.classList.add('js');

  /* — Theme: kept in a cookie; this makes a change instant — */
  const theme = (d.cookie.match(/(?:^|; )rm_theme=(light|dark)/) || [])[1];
  if (theme && !root.dataset.theme) root.dataset.theme = theme;
  d.addEventListener('click', e => {
    if (!e.target.closest('[data-theme-toggle]')) return;
    e.preventDefault();
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    d.cookie = `rm_theme=${root.dataset.theme};path=/;max-age=31536000;samesite=lax${location.protocol === 'https:' ? ';secure' : ''}`;
  });

  /* — Copy: the text is selectable without us — */
  d.addEventListener('click', async e => {
    const b = e.target.closest('[data-copy]');
    if (!b) return;
    const src = $('pre, .fp', b.parentElement);
    try {
      await navigator.clipboard.writeText(src.innerText.trim());
      say('Copied');
    } catch {
      getSelection().selectAllChildren(src);
      say('Selected. Press Ctrl+C to copy');
    }
  });

  function say(text) {
    let box = $('.toasts');
    if (!box) {
      box = d.createElement('div');
      box.className = 'toasts';
      box.setAttribute('role', 'status');
      d.body.append(box);
    }
    const t = d.createElement('div');
    t.className = 'toast';
    t.textContent = text;
    box.replaceChildren(t);
    setTimeout(() => t.remove(), 4000);
  }

  /* — Menus and keys — */
  d.addEventListener('click', e => {
    for (const m of d.querySelectorAll('details.menu[open]')) if (!m.contains(e.target)) m.open = false;
  });
  d.addEventListener('keydown', e => {
    const m = e.target.closest?.('details.menu[open]');
    if (e.key === 'Escape' && m) {
      m.open = false;
      $('summary', m).focus();
    }
    if (e.metaKey || e.ctrlKey || e.altKey || e.target.matches('input:not([type=checkbox], [type=radio]), textarea, select')) return;
    if (e.key === 'j' || e.key === 'k') {
      const rows = [...d.querySelectorAll('.go-to')], row = d.activeElement.closest('tr, li'), at = rows.indexOf(row && $('.go-to', row));
      rows[Math.max(0, Math.min(rows.length - 1, at + (e.key === 'j' ? 1 : -1)))]?.focus();
    }
    const tick = e.key === ' ' && e.target.matches('.go-to') && $('.ck input', e.target.closest('tr'));
    if (tick) {
      e.preventDefault();
      tick.click();
    }
  });
  /* — Search: a dialog over the page; without us a link leads to its page — */
  const palette = $('dialog.palette');
  function openPalette(e) {
    e.preventDefault();
    if (!palette.open) palette.showModal();
    $('input', palette).select();
  }
  if (palette) {
    d.addEventListener('keydown', e => {
      if (e.key === 'k' && (e.ctrlKey || e.metaKey) && !e.altKey) openPalette(e);
      if (e.key === '/' && !e.ctrlKey && !e.metaKey && !e.altKey && !e.target.matches('input, textarea, select')) openPalette(e);
    });
    d.addEventListener('click', e => {
      if (e.target === palette) palette.close();
      else if (e.target.closest('[data-palette]') && !e.ctrlKey && !e.metaKey && !e.shiftKey) openPalette(e);
    });
  }
  let typed = 0, asked = 0;
  async function search(input) {
    const mine = ++asked, box = $('.hits', input.form.parentElement);
    try {
      const r = await fetch('/search/hits?q=' + encodeURIComponent(input.value), { headers: { accept: 'text/html' } });
      const t = d.createElement('template');
      t.innerHTML = r.ok && !r.redirected ? await r.text() : '<div class="hits"><p class="mut">The search does not answer. Press Enter.</p></div>';
      if (mine === asked && box.isConnected) box.replaceWith(d.importNode(t.content, true));
    } catch { /* Enter loads the page, which says more */ }
  }
  d.addEventListener('input', e => {
    if (!e.target.matches('.palette-q input')) return;
    clearTimeout(typed);
    typed = setTimeout(search, 150, e.target);
  });
  /* Arrows go through what was found; Enter follows the link that has the focus. */
  d.addEventListener('keydown', e => {
    const form = (e.target.closest?.('.hits')?.parentElement ?? e.target.closest?.('.palette-q')?.parentElement);
    if (!form || (e.key !== 'ArrowDown' && e.key !== 'ArrowUp')) return;
    const stops = [$('.palette-q input', form), ...form.querySelectorAll('.hits a')], at = stops.indexOf(d.activeElement);
    e.preventDefault();
    stops[Math.max(0, Math.min(stops.length - 1, at + (e.key === 'ArrowDown' ? 1 : -1)))].focus();
  });
  d.addEventListener('change', e => {
    if (e.target.matches('[data-auto] select')) e.target.form.requestSubmit();
    if (e.target.matches('[data-all]')) for (const c of ticks(e.target.form)) c.checked = e.target.checked;
    ticked(e.target.form);
  });
  /* — What a form would come to: the server says it, while one types — */
  let soon = 0, latest = 0;
  async function preview(form) {
    const mine = ++latest, url = new URL(form.dataset.preview, location);
    for (const [k, v] of new FormData(form)) if (k !== 'csrf' && v !== '' && v.length < 300) url.searchParams.set(k, v);
    try {
      const r = await fetch(url, { headers: { accept: 'text/html' } });
      if (r.ok && !r.redirected && mine === latest) fragment(await r.text());
    } catch { /* it says what it said before */ }
  }
  for (const name of ['input', 'change']) d.addEventListener(name, e => {
    const form = e.target.form;
    if (!form?.dataset.preview) return;
    clearTimeout(soon);
    soon = setTimeout(preview, 300, form);
  });
  d.addEventListener('reset', e => setTimeout(() => ticked(e.target)));

  /* — Ticked rows: the count in words, and the box over all of them — */
  function ticks(form) {
    return [...form?.querySelectorAll('tbody .ck input') ?? []];
  }
  function ticked(form) {
    const out = form && $('[data-selected]', form), all = form && $('[data-all]', form), boxes = ticks(form);
    const n = boxes.filter(c => c.checked).length;
    if (out) out.textContent = n + ' selected';
    if (!all) return;
    all.checked = n > 0 && n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
  }
  for (const all of d.querySelectorAll('[data-all]')) ticked(all.form);
  /* A form is sent once; the button comes back with the page. */
  d.addEventListener('submit', e => {
    if (e.target.method === 'post') for (const b of e.target.querySelectorAll('button')) setTimeout(() => { b.disabled = true; });
  });
  addEventListener('pageshow', e => {
    if (e.persisted) for (const b of d.querySelectorAll('form button:disabled')) b.disabled = false;
  });

  /* — Heat strip: names the day under the pointer; the label says it all in words — */
  const WORD = { o: 'ok', i: 'incomplete', f: 'failed', m: 'missed', z: 'asleep', n: 'not scheduled', r: 'running', b: 'before enrolment' };
  d.addEventListener('pointermove', e => {
    const row = e.target.closest?.('tr'), s = row && $('svg.heat[data-days]', row), from = s?.closest('[data-heat-from]')?.dataset.heatFrom;
    if (!from) return;
    const box = s.getBoundingClientRect(), width = s.viewBox.baseVal.width, x = (e.clientX - box.left) / box.width * width, link = $('.go-to', row);
    if (x < 0 || x > width) return link.removeAttribute('title');
    const day = k => new Date(Date.parse(from) + k * 864e5);
    let right = 0, k = 0;
    for (; k < 29; k++) {
      if (k && day(k).getUTCDay() === 1) right += 3;
      right += 10;
      if (x < right) break;
    }
    link.title = day(k).toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }) + ': ' + WORD[s.dataset.days[k]];
  });

  /* — Relative times, in the server's words — */
  function relative(ms) {
    const past = ms <= Date.now(), s = Math.floor(Math.abs(Date.now() - ms) / 1000);
    if (s < 60) return past || s <= 3 ? 'just now' : 'in under 1 min';
    const text = s < 3600 ? Math.floor(s / 60) + ' min' : s < 172800 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' d';
    return past ? text + ' ago' : 'in ' + text;
  }
  setInterval(() => {
    for (const t of d.querySelectorAll('time[data-rel-ts]')) t.textContent = relative(+t.dataset.relTs);
  }, 30000);

  /* — Live regions: the client replaces elements, it renders nothing — */
  const waiting = new Map();
  const keyOf = el => el.dataset.live + '#' + el.id;

  function busy(el) {
    if (el.contains(d.activeElement) || $('details[open]', el)) return true;
    return false;
  }
  function place(el) {
    const key = keyOf(el);
    const old = [...d.querySelectorAll(`[data-live="${CSS.escape(el.dataset.live)}"]`)].find(o => keyOf(o) === key);
    if (!old) {
      waiting.delete(key);
      /* The first host: another page. */
      if (el.dataset.live === 'hosts' && !el.hidden && d.body.dataset.fleet === 'empty') reload();
      return;
    }
    if (busy(old)) return waiting.set(key, el);
    waiting.delete(key);
    const box = $('.ck input', el), was = $('.ck input', old);
    if (old.outerHTML === el.outerHTML) return;
    const now = d.importNode(el, true);
    if (box && was) $('.ck input', now).checked = was.checked;
    old.replaceWith(now);
  }
  function fragment(html) {
    const t = d.createElement('template');
    t.innerHTML = html;
    for (const el of [...t.content.children]) if (el.dataset.live) place(el);
  }
  function settle() {
    for (const el of [...waiting.values()]) place(el);
  }
  for (const name of ['focusout', 'toggle', 'pointerout']) d.addEventListener(name, () => setTimeout(settle), true);

  const light = $('[data-stream]');
  let dropped = 0;
  function streamState(kind, text) {
    if (!light) return;
    $('svg', light).setAttribute('class', 'g ' + kind);
    light.className = 'js-only st ' + (kind === 'ok' ? '' : kind);
    $('span', light).textContent = text;
  }
  function reload() {
    const el = d.activeElement;
    if (el?.matches('input, textarea, select') || $('details[open]')) return setTimeout(reload, 2000);
    location.reload();
  }
  function follow(source) {
    source.addEventListener('open', () => {
      clearTimeout(dropped);
      dropped = 0;
      streamState('ok', 'Live');
    });
    source.addEventListener('error', () => {
      if (!dropped) dropped = setTimeout(() => streamState('warn', 'Reconnecting'), 10000);
    });
  }
  /* A tab that nobody sees gets nothing; once it is seen, all that changed
     meanwhile. */
  if (d.body.dataset.events) {
    const rows = [...d.querySelectorAll('[data-live="host.row"]')].map(r => r.id.slice(5)).join();
    const url = d.body.dataset.events + (/page=dashboard/.test(d.body.dataset.events) ? '&rows=' + (rows || '-') : '');
    let source, again = '';
    const open = () => {
      if (source || d.hidden) return;
      source = new EventSource(url + again);
      again = '&again=1';
      follow(source);
      source.addEventListener('fragment', e => fragment(e.data));
      source.addEventListener('reload', () => reload());
    };
    d.addEventListener('visibilitychange', () => {
      if (!d.hidden) return open();
      source?.close();
      source = null;
    });
    open();
  }

  /* — A link to a line that is not among those shown: the server knows where it is — */
  const wanted = (location.hash.match(/^#L(\d{1,9})$/) || [])[1];
  if (wanted && $('.log') && !d.getElementById('L' + wanted) && !location.search.includes('from=')) location.replace('?line=' + wanted);

  /* — The job's log: appended as it comes, at most four times a second — */
  const log = $('[data-stream-url]');
  if (log) {
    const LINES = 5000, list = $('ol', log);
    const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZone: log.dataset.zone });
    const time = ts => { try { return clock.format(new Date(ts)); } catch { return ''; } };
    let n = +log.dataset.line, pending = [], timer = 0;

    function line(rec) {
      const li = d.createElement('li'), num = d.createElement(rec.stream === 'stderr' ? 'a' : 'i');
      li.id = 'L' + ++n;
      if (rec.stream === 'stderr') {
        li.className = /^Fatal:/.test(rec.payload) ? 'bad' : 'warn';
        num.href = '#L' + n;
        num.setAttribute('aria-label', 'Line ' + n);
      } else if (rec.stream === 'sys') {
        li.className = 'sys';
      }
      num.textContent = n;
      const when = d.createElement('time'), text = d.createElement('span');
      when.textContent = time(rec.ts);
      text.textContent = rec.payload;
      li.append(num, when, ' ', text);
      return li;
    }
    /* What was pushed out at the top is one link away. */
    function older() {
      const first = +list.firstElementChild?.id.slice(1), p = $('[data-older]');
      if (!p || !(first > 1)) return;
      $('[data-older-link]', p).href = '?from=' + Math.max(1, first - 500);
      p.hidden = false;
    }
    function flush() {
      timer = 0;
      list.append(...pending.map(line));
      pending = [];
      while (list.childElementCount > LINES) list.firstElementChild.remove();
      older();
      $('[data-empty]')?.remove();
    }
    const source = new EventSource(log.dataset.streamUrl);
    follow(source);
    source.addEventListener('log.stream', e => {
      pending.push(JSON.parse(e.data));
      timer ||= setTimeout(flush, 250);
    });
    source.addEventListener('job.finished', () => {
      source.close();
      flush();
      setTimeout(reload, 600);
    });
  }
})();
