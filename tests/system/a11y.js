/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a page must not do to people who read with a screen reader, a
 * keyboard or weak eyes: a list of sentences, empty when all is well.  Run in
 * the page by a11y.py; the rules are those of WCAG 2.2 A and AA that a
 * program can decide. */
const found = [];
const d = document;
const all = (s, e = d) => Array.from(e.querySelectorAll(s));

function where(e) {
  const id = e.id ? `#${e.id}` : '';
  const cls = e.classList?.length ? `.${Array.from(e.classList).join('.')}` : '';
  const up = e.parentElement;
  const text = (e.textContent || '').trim().replace(/\s+/g, ' ').slice(0, 40);
  return `${up && up !== d.body ? up.localName + ' > ' : ''}${e.localName}${id}${cls} "${text}"`;
}

const say = (rule, e, more = '') =>
  found.push(`${rule}: ${e ? where(e) : ''} ${more}`.trim());

const shown = e => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) &&
  e.getClientRects().length > 0;

/* — The page as a whole — */
if (!d.documentElement.lang) say('page has no language');
if (!d.title.trim()) say('page has no title');
if (/user-scalable\s*=\s*no|maximum-scale\s*=\s*1\b/.test(d.querySelector('meta[name=viewport]')?.content || ''))
  say('page cannot be zoomed');
for (const [css, what] of [['main', 'main'], ['h1', 'h1']]) {
  const n = all(css).filter(shown).length;
  if (n !== 1) say(`page has ${n} of ${what}`);
}
let level = 0;
for (const h of all('h1, h2, h3, h4, h5, h6').filter(shown)) {
  const n = Number(h.localName[1]);
  if (n > level + 1 && level > 0) say('heading level is skipped', h);
  level = n;
}
const ids = new Map();
for (const e of all('[id]')) ids.set(e.id, (ids.get(e.id) || 0) + 1);
for (const [id, n] of ids) if (n > 1) say(`id ${id} is there ${n} times`);
for (const attr of ['aria-labelledby', 'aria-describedby', 'aria-controls', 'for', 'list'])
  for (const e of all(`[${attr}]`))
    for (const id of e.getAttribute(attr).split(/\s+/))
      if (!ids.has(id)) say(`${attr} names nothing (${id})`, e);
for (const e of all('a[href^="#"]')) {
  const id = decodeURIComponent(e.getAttribute('href').slice(1));
  if (id && !ids.has(id)) say(`link leads nowhere (#${id})`, e);
}
for (const kind of ['nav', 'aside'])
  for (const e of all(kind).filter(shown))
    if (all(kind).filter(shown).length > 1 && !e.ariaLabel && !e.getAttribute('aria-labelledby'))
      say(`one of several ${kind} has no name`, e);

/* — Structure — */
for (const list of all('ul, ol')) {
  if (list.getAttribute('role') && list.getAttribute('role') !== 'list') continue;
  for (const e of list.children)
    if (!['LI', 'SCRIPT', 'TEMPLATE'].includes(e.tagName)) say('list holds what is no item', e);
}
for (const e of all('li')) if (!e.closest('ul, ol, menu')) say('item without a list', e);
for (const list of all('dl'))
  for (const e of list.children)
    if (!['DT', 'DD', 'DIV'].includes(e.tagName)) say('dl holds what is neither term nor text', e);
const rows = {
  table: ['rowgroup', 'row', 'caption'], rowgroup: ['row'],
  row: ['cell', 'rowheader', 'columnheader', 'gridcell']
};
const roleOf = e => e.getAttribute('role') || {
  TABLE: 'table', THEAD: 'rowgroup', TBODY: 'rowgroup', TFOOT: 'rowgroup', TR: 'row',
  TD: 'cell', TH: 'cell', CAPTION: 'caption', COLGROUP: 'caption'
}[e.tagName];
for (const e of all('table, [role=table], thead, tbody, tfoot, [role=rowgroup], tr, [role=row]'))
  for (const c of e.children)
    if (rows[roleOf(e)] && !rows[roleOf(e)].includes(roleOf(c)) && !c.hidden &&
        getComputedStyle(c).display !== 'none')
      say(`${roleOf(e)} holds ${roleOf(c) || c.localName}`, c);
for (const e of all('table'))
  if (getComputedStyle(e).display !== 'table' && e.getAttribute('role') !== 'table')
    say('table loses its role by its display', e);
for (const e of all('form form')) say('form within a form', e);
for (const e of all('[aria-hidden=true]'))
  for (const f of all('a[href], button, input, select, textarea, summary, [tabindex]', e))
    if (shown(f) && f.tabIndex >= 0) say('focus goes into what is hidden', f);
for (const e of all('[tabindex]')) if (e.tabIndex > 0) say('tabindex above 0', e);
for (const e of all('a[href], button'))
  if (e.querySelector('a[href], button, input, select, textarea')) say('control within a control', e);
for (const e of all('[autofocus]')) if (all('[autofocus]').length > 1) say('several autofocus', e);
for (const e of all('[aria-invalid=true]'))
  if (!e.getAttribute('aria-describedby')) say('wrong field does not say what is wrong', e);
for (const e of all('input, select, textarea'))
  if (e.type !== 'hidden' && !e.labels?.length && !e.ariaLabel &&
      !e.getAttribute('aria-labelledby')) say('field without a label', e);
for (const e of all('[style]')) say('inline style', e);

/* — Colours — */
const pen = d.createElement('canvas').getContext('2d', { willReadFrequently: true });
const seen = new Map();
function rgba(text) {
  if (!seen.has(text)) {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    seen.set(text, [r, g, b, a / 255]);
  }
  return seen.get(text);
}
const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3])).concat(1);
function ground(e) {
  const layers = [];
  for (let at = e; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
}
function opacity(e) {
  let a = 1;
  for (let at = e; at; at = at.parentElement) a *= Number(getComputedStyle(at).opacity);
  return a;
}
function light(c) {
  const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a, b) {
  const [hi, lo] = [light(a), light(b)].sort((x, y) => y - x);
  return (hi + 0.05) / (lo + 0.05);
}
const walker = d.createTreeWalker(d.body, NodeFilter.SHOW_TEXT);
const looked = new Set();
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || looked.has(e) || e.closest('svg, script, template, :disabled')) continue;
  looked.add(e);
  if (!shown(e)) continue;
  const s = getComputedStyle(e);
  const size = parseFloat(s.fontSize);
  const need = size >= 24 || size >= 18.66 && Number(s.fontWeight) >= 700 ? 3 : 4.5;
  const under = ground(e);
  const ink = rgba(s.color);
  const have = contrast(over([...ink.slice(0, 3), ink[3] * opacity(e)], under), under);
  if (have < need - 0.005) say(`text contrast ${have.toFixed(2)} is below ${need}`, e);
}
for (const e of all('input, select, textarea').filter(shown)) {
  if (['hidden', 'checkbox', 'radio', 'range', 'file', 'submit'].includes(e.type) || e.disabled) continue;
  const s = getComputedStyle(e);
  const under = ground(e.parentElement);
  const edge = parseFloat(s.borderBottomWidth) > 0 ? contrast(over(rgba(s.borderBottomColor), under), under) : 1;
  const face = contrast(ground(e), under);
  if (Math.max(edge, face) < 3 && !e.closest('[role=search]')) say(`field edge contrast ${edge.toFixed(2)} is below 3`, e);
}

/* — Targets (2.5.8): 24 px, or so far apart that a circle of 24 px around a
   smaller one meets no other; links in running text are let be — */
const targets = all('button, summary, select, input:not([type=hidden]), textarea, [role=button], a[href]')
  .filter(e => shown(e) && !e.closest('.sr, .skip') && !e.classList.contains('go-to') &&
    !(e.localName === 'a' && getComputedStyle(e).display === 'inline'))
  .map(e => {
    const label = e.labels?.[0];
    const b = (label?.contains(e) ? label : e).getBoundingClientRect();
    return { e, b, x: b.x + b.width / 2, y: b.y + b.height / 2, small: b.width < 23.5 || b.height < 23.5 };
  });
const beside = (t, o) => Math.hypot(
  t.x - (o.small ? o.x : Math.min(Math.max(t.x, o.b.left), o.b.right)),
  t.y - (o.small ? o.y : Math.min(Math.max(t.y, o.b.top), o.b.bottom))) < (o.small ? 23.5 : 11.75);
for (const t of targets)
  if (t.small && targets.some(o => o !== t && !o.e.contains(t.e) && !t.e.contains(o.e) && beside(t, o)))
    say(`target is ${t.b.width.toFixed(0)} x ${t.b.height.toFixed(0)} and close to another`, t.e);
return found;
