/* The page of electra-ie label: a person marks a text by keyboard or mouse, and the server saves it. */

import {CodePoints, ServerError, announce, make, paint, request, selectRange, selectedRange, showText} from '/static/text.js';
import {curve, percent} from '/static/curve.js';
import {Marks, identity} from '/static/marks.js';
import {snapped, trimmed, wordsOf} from '/static/words.js';

const $ = id => document.getElementById(id);
const RESERVED = 'rxz', LETTERS = [...'qwertyuiopasdfghjklcvbnm'].filter(key => !RESERVED.includes(key)), DIGITS = [...'1234567890'];
const JUMP = 5, DRAFT_DELAY = 300, POLL = 1500, POLL_SLOWLY = 10_000, FEW_LABELS = 12;
const page = {task: null, item: null, points: null, words: [], marks: null, colors: new Map(), keys: new Map(), range: null,
  current: null, relating: null, history: [], busy: false, dirty: false, timer: null, keeping: Promise.resolve(), training: '', run: ''};

/* The task and its labels */

async function start() {
  connect();
  await attempt(async () => {
    page.task = await request('/api/task');
    document.title = `Label: ${page.task.name}`;
    $('title').textContent = `Label: ${page.task.name}`;
    giveKeys();
    await show(await request('/api/next'));
  });
  poll();
}

function giveKeys() {
  const digits = [...DIGITS], letters = [...LETTERS];
  let hues = 0;
  for (const field of page.task.fields) {
    let hue = field.kind === 'spans' ? hues : 0;  // labels of passages differ in all fields, since they stand in one text
    if (field.kind === 'spans') hues += field.labels.length;
    const free = field.kind === 'spans' || field.kind === 'relations' ? [digits, letters] : [letters, digits];
    for (const label of field.labels) {
      const name = `${field.name}\n${label}`;
      page.colors.set(name, hue++);
      // Keys of relations are used while one is made, so that they may be those of spans.
      const key = field.kind === 'relations' ? DIGITS[field.labels.indexOf(label)] : (free[0].shift() ?? free[1].shift());
      if (key) page.keys.set(name, key);
    }
  }
  $('find').hidden = page.colors.size <= FEW_LABELS;
}

const colorOf = mark => page.colors.get(`${mark.field}\n${mark.label}`) ?? 0;
const keyOf = (field, label) => page.keys.get(`${field}\n${label}`);
const fieldOf = name => page.task.fields.find(field => field.name === name);

/* A text */

async function show(answer) {
  Object.assign(page, {current: null, relating: null, history: [], dirty: false, range: null});
  page.item = answer.text && answer;
  for (const id of ['work', 'actions']) $(id).hidden = !answer.text;
  $('done').hidden = Boolean(answer.text);
  progress(answer.progress);
  warn(null);
  if (!answer.text) {
    $('again').parentElement.hidden = !answer.progress.skipped;
    $('others').hidden = true;
    announce('There is no text left.');
    labels();
    return;
  }
  const {text} = answer;
  page.points = new CodePoints(text.text);
  page.words = wordsOf(page.points);
  page.marks = new Marks(page.task.fields);
  $('id').textContent = text.id;
  const drawn = {typical: 'typical of many texts', uncertain: 'the model is unsure', random: 'drawn at random'}[text.chosen];
  $('facts').textContent = [text.part === 'dev' ? 'for dev' : '', drawn, answer.saved ? 'saved before' : '',
    text.skipped ? 'skipped before' : ''].filter(Boolean).join(' \u00b7 ');
  const draft = answer.draft?.['#page'];
  if (draft) page.marks.restore(draft);
  else page.marks.load(answer.draft ?? answer.annotation);
  if (answer.draft) page.dirty = true;
  others(answer.others);
  step(0, false);
  page.current = page.marks.suggestions()[0] ?? null;
  render();
  $('pane').focus({preventScroll: true});
  announce(answer.draft ? 'What you had marked and not saved is here again.' : `Text ${text.id}.`);
  if (!answer.saved) suggestions(text.key);
}

async function suggestions(key) {
  let found = null, failure = '';
  try {
    while (found === null && page.item?.text.key === key) {
      ({suggestions: found, failure} = await request(`/api/texts/${key}/suggestions`));
    }
  } catch { return; }
  if (failure) announce(`No suggestions: ${failure}.`);
  if (page.item?.text.key !== key || !found) return;
  const added = page.marks.suggest(found);
  if (added) {
    page.current ??= page.marks.suggestions()[0];
    render();
    announce(`${added} suggestion${added > 1 ? 's' : ''}. Enter accepts, Delete rejects.`);
  }
  $('pane').dataset.ready = key;
}

function others(found) {
  const names = Object.keys(found);
  $('others').hidden = !names.length;
  const shown = value => (value === null ? 'unknown' : typeof value === 'string' ? value
    : value.map(item => (item.head ? `${quote(item.head)} ${item.label} ${quote(item.tail)}`
      : item.start === undefined ? item : `${item.label} ${quote(item)}`)).join(', ') || 'none');
  $('others').replaceChildren(make('h2', {}, 'Others have marked'), ...names.map(name => make('div', {},
    make('table', {class: 'values'}, make('caption', {class: 'offscreen'}, name), ...Object.entries(found[name]).map(
      ([field, value]) => make('tr', {}, make('th', {scope: 'row'}, field), make('td', {}, make('bdi', {}, shown(value)))))),
    make('button', {type: 'button', onclick: () => change(() => page.marks.load(found[name]), `Taken from ${name}. Save to settle it.`)},
      `Take that of ${name}`))), make('p', {class: 'hint'}, 'What you save now settles the difference.'));
}

const quote = span => `\u201c${page.points.slice(span.start, span.end)}\u201d`;

function progress({train, dev, open, skipped}) {
  $('progress').textContent = [`${train} labeled`, dev ? `${dev} in dev` : '', skipped ? `${skipped} skipped` : '', `${open} open`]
    .filter(Boolean).join(' \u00b7 ');
  $('progress-bar').value = (train + dev) / Math.max(1, train + dev + open);
}

/* Drawing */

function render() {
  const {marks, current, relating} = page, spans = marks.spans();
  const tag = span => span.label + (span.suggested ? ` ${span.score === null ? '' : span.score.toFixed(2)}?` : '');
  const parts = showText($('pane'), page.points, spans.map(span => ({...span, color: colorOf(span), tag: tag(span)})));
  spans.forEach((span, index) => parts[index].forEach(part => {
    part.classList.toggle('suggested', span.suggested);
    part.classList.toggle('current', span === (relating ? relating.at : current));
    part.classList.toggle('head', Boolean(relating?.head) && identity(relating.head) === identity(span));
  }));
  $('marks').replaceChildren(...marks.items().map(chip));
  labels();
  const left = marks.suggestions().length;
  $('save-name').textContent = left ? 'Accept all and save' : 'Save';
  $('save-key').textContent = left ? 'Shift Enter' : 'Enter';
  select();
}

function chip(mark) {
  const of = mark.kind === 'relations' ? `${page.points.slice(mark.head.start, mark.head.end)} \u2192 ${page.points.slice(mark.tail.start, mark.tail.end)}`
    : mark.kind === 'spans' ? page.points.slice(mark.start, mark.end) : '';
  const state = mark.suggested ? `suggested${mark.score === null ? '' : ` ${mark.score.toFixed(2)}`}` : '';
  return make('li', {}, paint(make('button', {type: 'button', tabindex: -1, class: ['mark', mark.suggested ? 'suggested' : '',
    mark === page.current ? 'current' : ''].join(' '), onclick: () => { focusMark(mark); $('pane').focus(); }},
  make('b', {}, mark.label), of && make('span', {}, make('bdi', {}, of)), state && make('small', {}, state)), colorOf(mark)));
}

function labels() {
  const wanted = $('find').value.trim().toLowerCase(), {relating, marks, current} = page;
  const fields = (page.task?.fields ?? []).filter(field => (field.kind === 'relations') === Boolean(relating?.tail));
  $('labels').replaceChildren(...fields.map(field => make('div', {class: 'field', role: 'group', 'aria-label': field.name},
    make('h3', {}, `${field.name} `, make('span', {class: 'quiet'}, {spans: 'mark passages', flags: 'tick all that apply',
      classes: 'pick one', relations: 'pick the relation'}[field.kind])),
    make('div', {class: 'labels'}, ...field.labels.filter(label => label.toLowerCase().includes(wanted)).map(label => {
      const mark = page.item && ['flags', 'classes'].includes(field.kind) ? marks.find(field.name, label)
        : current?.field === field.name && current.label === label ? current : null;
      const state = !mark ? 'false' : mark.suggested ? 'mixed' : 'true';
      const score = mark?.suggested && mark.score !== null ? make('small', {}, `${mark.score.toFixed(2)}?`) : null;
      return paint(make('button', {type: 'button', class: 'label', 'aria-pressed': state, disabled: !page.item,
        title: field.descriptions[label], onmousedown: event => event.preventDefault(), onclick: () => apply(field, label)},
      make('span', {}, label), score, keyOf(field.name, label) ? make('kbd', {}, keyOf(field.name, label)) : null),
      page.colors.get(`${field.name}\n${label}`));
    })))));
}

/** Show the words that are selected. */
function select() {
  if (page.range && !page.relating && document.activeElement === $('pane')) selectRange($('pane'), page.points, page.range.start, page.range.end);
}

/* Changes */

/** Change the marks, so that it can be undone and is kept as a draft. */
function change(action, message) {
  page.history.push({marks: page.marks.snapshot(), range: page.range});
  const current = action();
  page.current = current ?? null;
  page.dirty = true;
  render();
  announce(message);
  clearTimeout(page.timer);
  page.timer = setTimeout(keepDraft, DRAFT_DELAY);
}

const draft = () => ({annotation: {'#page': page.marks.snapshot()}, task: page.task.version});

/** Keep the marks as a draft, after the one that is being kept: the last one sent is the last one kept. */
function keepDraft() {
  clearTimeout(page.timer);
  page.keeping = page.keeping.then(sendDraft);
  return page.keeping;
}

async function sendDraft() {
  if (!page.dirty || !page.item) return;
  page.dirty = false;
  try {
    await request(`/api/texts/${page.item.text.key}/draft`, {method: 'PUT', body: draft()});
  } catch (error) {
    page.dirty = true;
    explain(error);
  }
}

/** Mark the selected words, tick, pick, or give the current mark this label. */
function apply(field, label) {
  if (!page.item || page.busy) return;
  const {marks, current, relating} = page, mark = {kind: field.kind, field: field.name, label};
  if (relating?.tail) return relate(field, label);
  if (field.kind === 'spans') {
    if (current?.kind === 'spans') {
      if (current.field === field.name && current.label === label) return current.suggested ? accept(current) : remove(current);
      return change(() => marks.relabel(current, field.name, label), `${label}: ${quote(current)}.`);
    }
    const range = page.range && trimmed(page.points, page.range);
    if (!range) return announce('Select words first.');
    const there = marks.list.find(each => each.field === field.name && each.label === label && each.start === range.start && each.end === range.end);
    if (there && !there.suggested) return remove(there);
    return change(() => { marks.put({...mark, ...range}); }, `${label}: ${quote(range)}.`);
  }
  const there = marks.find(field.name, label);
  if (there && !there.suggested) return change(() => { marks.remove(there); }, `${label} taken back.`);
  const next = nextSuggestion(there ?? marks.find(field.name));
  return change(() => { marks.put(mark); return next; }, `${label}.`);
}

/** The suggestion after a mark, when that one has been answered. */
function nextSuggestion(mark) {
  const rest = page.marks.suggestions().filter(each => each !== mark), items = page.marks.items();
  return rest.find(each => items.indexOf(each) > items.indexOf(mark)) ?? rest[0] ?? null;
}

function accept(mark) {
  const next = nextSuggestion(mark), done = next ? '' : ' All are answered: Enter saves.';
  change(() => { page.marks.accept(mark); return next; }, `${mark.label} accepted.${done}`);
}

function remove(mark) {
  const next = mark.suggested ? nextSuggestion(mark) : null;
  change(() => { page.marks.remove(mark); return next; }, `${mark.label} ${mark.suggested ? 'rejected' : 'removed'}.`);
}

function rejectAll() {
  if (page.marks.suggestions().length) {
    change(() => { for (const mark of page.marks.suggestions()) page.marks.remove(mark); }, 'All suggestions are rejected.');
  }
}

function focusMark(mark) {
  if (page.relating) {
    if (mark.kind === 'spans') { page.relating.at = mark; choose(); }
    return;
  }
  page.current = mark;
  render();
  const what = mark.kind === 'spans' ? ` ${quote(mark)}` : mark.kind === 'relations' ? ` from ${quote(mark.head)} to ${quote(mark.tail)}` : '';
  announce(`${mark.label}${what}${mark.suggested ? ', suggested. Enter accepts, Delete rejects.' : '.'}`);
}

/** Move the cursor by words, or the end of the selection. */
function step(by, extend) {
  const {words, range} = page;
  page.current = null;
  if (!words.length) return;
  const at = range ? words.findIndex(word => word.end > range.head) : 0;
  const here = at < 0 ? words.length - 1 : at;
  const next = Math.max(0, Math.min(words.length - 1, here + by));
  const from = extend && range ? range.anchor : words[next].start;
  place(from, words[next].start);
}

/** Select from the word at an offset to the word at another. */
function place(anchor, head) {
  const word = offset => page.words.find(each => each.end > offset) ?? page.words.at(-1);
  const [one, other] = [word(anchor), word(head)];
  page.range = {anchor, head, start: Math.min(one.start, other.start), end: Math.max(one.end, other.end)};
}

function move(event) {
  const forward = (event.key === 'ArrowRight') === (getComputedStyle($('pane')).direction === 'ltr');
  const by = forward ? 1 : -1;
  if (page.relating) return cycle(by);
  if (event.altKey && page.range) {
    const {start, end} = page.range;
    page.current = null;
    if (event.shiftKey) page.range = {...page.range, end: Math.max(start + 1, Math.min(page.points.length, end + by))};
    else page.range = {...page.range, start: Math.max(0, Math.min(end - 1, start + by))};
  } else step(event.ctrlKey || event.metaKey ? JUMP * by : by, event.shiftKey);
  render();
  if (page.range) announce(page.points.slice(page.range.start, page.range.end));
}

/** Go through the marks; while a relation is made, through the spans. */
function cycle(by) {
  const items = page.relating ? page.marks.spans() : page.marks.items();
  if (!items.length) return announce('Nothing is marked.');
  const at = items.indexOf(page.relating ? page.relating.at : page.current);
  const next = items[at < 0 ? (by > 0 ? 0 : items.length - 1) : (at + by + items.length) % items.length];
  if (!page.relating) return focusMark(next);
  page.relating.at = next;
  render();
  announce(`${page.relating.head ? 'Tail' : 'Head'}: ${next.label} ${quote(next)}.`);
}

/* Relations */

function beginRelation() {
  const fields = page.task.fields.filter(field => field.kind === 'relations'), spans = page.marks.spans();
  if (!fields.length) return announce('The task has no relations.');
  if (spans.length < 2) return announce('Mark two passages first.');
  const head = page.current?.kind === 'spans' ? page.current : null;
  page.relating = {head: null, tail: null, at: head ?? spans[0]};
  if (head) choose(); else { render(); announce('Choose the head with the arrow keys, then Enter.'); }
}

/** Take the span at which the choice is as head, then as tail. */
function choose() {
  const {relating} = page, at = relating.at;
  if (!relating.head) {
    relating.head = at;
    relating.at = page.marks.spans().find(span => span !== at && span.start > at.start) ?? page.marks.spans().find(span => span !== at);
    render();
    return announce(`Head: ${quote(at)}. Choose the tail, then Enter.`);
  }
  if (at === relating.head) return announce('Head and tail are the same: choose another tail.');
  relating.tail = at;
  const possible = page.task.fields.filter(field => field.kind === 'relations').flatMap(field => field.labels.map(label => ({field, label})))
    .filter(({field, label}) => page.marks.mayRelate({field: field.name, label, head: relating.head, tail: relating.tail}));
  if (!possible.length) {
    relating.tail = null;
    return announce(`The task has no relation from ${relating.head.label} to ${at.label}. Choose another tail.`);
  }
  if (possible.length === 1) return relate(possible[0].field, possible[0].label);
  render();
  return announce(`From ${quote(relating.head)} to ${quote(at)}: press the key of the relation.`);
}

function relate(field, label) {
  const {head, tail} = page.relating, mark = {kind: 'relations', field: field.name, label, head, tail};
  if (!page.marks.mayRelate(mark)) return announce(`${label} may not be from ${head.label} to ${tail.label}.`);
  page.relating = null;
  const ends = {head: {start: head.start, end: head.end, label: head.label}, tail: {start: tail.start, end: tail.end, label: tail.label}};
  return change(() => {
    for (const span of [head, tail]) if (span.suggested) page.marks.accept(span);
    page.marks.put({...mark, ...ends});
  }, `${quote(head)} ${label} ${quote(tail)}.`);
}

/* Saving */

/** Do something that talks to the server; an error is shown, and nothing that is marked is lost. */
async function attempt(action, isSave = false) {
  if (page.busy) return;
  page.busy = true;
  try {
    await action();
  } catch (error) {
    explain(error, isSave);
  } finally {
    page.busy = false;
  }
}

async function save() {
  if (!page.item) return;
  const {text, version, others: found} = page.item;
  if (page.marks.suggestions().length) change(() => page.marks.acceptAll(), 'All suggestions are accepted.');
  await attempt(async () => {
    clearTimeout(page.timer);
    await page.keeping;  // a draft that arrives after the save would outlive it
    const body = {annotation: page.marks.annotation(), version, task: page.task.version, decide: Object.keys(found).length > 0};
    const answer = await request(`/api/texts/${text.key}`, {method: 'PUT', body});
    await show(answer);
    announce(`Saved. ${answer.text ? `Next text: ${answer.text.id}.` : 'There is no text left.'}`);
    refreshLists();
  }, true);
}

async function skip() {
  if (!page.item) return;
  await keepDraft();
  await attempt(async () => {
    await show(await request(`/api/texts/${page.item.text.key}/skip`, {method: 'POST'}));
    refreshLists();
  });
}

async function undo() {
  const before = page.history.pop();
  if (before) {
    page.marks.restore(before.marks);
    Object.assign(page, {range: before.range, current: null, relating: null, dirty: true});
    render();
    announce('Undone.');
    page.timer = setTimeout(keepDraft, DRAFT_DELAY);
    return;
  }
  await keepDraft();
  await attempt(async () => {
    await show(await request('/api/undo', {method: 'POST'}));
    announce('The last save is undone; what you had marked is here again.');
    refreshLists();
  });
}

async function open(path) {
  await keepDraft();
  await attempt(async () => show(await request(path)));
}

function warn(message, ...ways) {
  $('alert').textContent = message ?? '';
  $('ways').hidden = !ways.length;
  $('ways').replaceChildren(...ways);
}

function explain(error, isSave = false) {
  if (!(error instanceof ServerError)) throw error;
  const button = (name, action) => make('button', {type: 'button', onclick: action}, name);
  if (error.status === 409 && isSave) {
    const key = page.item.text.key;
    warn(error.message, button('Keep mine', () => attempt(async () => {
      page.item.version = (await request(`/api/texts/${key}`)).version;
      warn(null);
      announce('Save again to replace what was saved.');
    })), button('Take what was saved', () => attempt(async () => {
      const answer = await request(`/api/texts/${key}`);
      await show({...answer, draft: null});
    })));
  } else if (error.status === 412) {
    warn(error.message, button('Reload the page', () => location.reload()));
  } else warn(error.message);
}

/* Training, agreement and lists */

async function poll() {
  let wait = POLL_SLOWLY;
  try {
    const status = await request('/api/status');
    progress(status.progress);
    if (status.training.state === 'running') wait = POLL;
    training(status);
  } catch (error) { $('training-text').textContent = error.message; }
  clearTimeout(poll.timer);
  poll.timer = setTimeout(poll, wait);
}

function training({training: {state, run, step: done, steps, dev, message}, curve: points, run: used, failure, order_failure: unordered}) {
  $('run').textContent = used ? `suggestions of run ${used}` : 'no run yet: no suggestions';
  const running = state === 'running';
  Object.assign($('training'), {hidden: !running, value: steps ? done / steps : 0});
  if (!steps) $('training').removeAttribute('value');
  $('train').hidden = running;
  $('stop').hidden = !running;
  const said = {running: `training run ${run}${steps ? `: step ${done} of ${steps}` : ''}${dev === null ? '' : `, dev ${percent(dev)}`}`,
    failed: `Run ${run} has failed: ${message}`, stopped: `Run ${run} was stopped.`, finished: `Run ${run} is finished.`, idle: ''}[state];
  $('training-text').textContent = [said, failure && `No suggestions: ${failure}.`, unordered && `Texts come in a random order: ${unordered}.`]
    .filter(Boolean).join(' ');
  const shown = JSON.stringify(points);
  if (shown !== page.training) {
    page.training = shown;
    const known = points.filter(point => point.score !== null);
    $('curve').replaceChildren(...(known.length ? [curve(points)] : []));
    $('curve-hint').textContent = known.length ? `Score on dev: ${percent(known.at(-1).score)} with ${known.at(-1).labels} labels.`
      : points.length ? 'The task has no dev split, so that runs have no score.' : 'Train when a few texts are labeled.';
  }
  if (page.run !== used) {
    page.run = used;
    if (page.item && !page.marks.list.length && !page.history.length) suggestions(page.item.text.key);
  }
}

const train = () => attempt(async () => {
  await request('/api/training', {method: 'POST'});
  warn(null);
  announce('The training has begun.');
  poll();
});

const stop = () => attempt(async () => {
  await request('/api/training', {method: 'DELETE'});
  poll();
});

const listed = text => make('li', {}, make('button', {type: 'button', onclick: () => open(`/api/texts/${text.key}`)},
  text.skipped ? '(skipped) ' : '', make('bdi', {}, text.start)));

async function refreshLists() {
  try { await showLists(); } catch (error) { explain(error); }
}

async function showLists() {
  if ($('recent').open) $('recent-list').replaceChildren(...(await request('/api/recent')).texts.map(listed));
  if ($('agreement').open) agreement(await request('/api/agreement'));
}

function agreement({agreements, disputed}) {
  const cell = value => make('td', {}, String(value));
  const rows = agreements.map(each => make('tr', {}, cell(each.annotators.join(', ')), cell(each.label || each.field),
    cell(each.value === null ? '-' : each.value.toFixed(2)), cell({kappa: '\u03ba', f1: 'F1'}[each.measure]), cell(`${each.same} of ${each.texts}`)));
  const head = ['annotators', 'field', 'value', '', 'same'].map(name => make('th', {scope: 'col'}, name));
  $('agreement-body').replaceChildren(rows.length ? make('div', {class: 'wide'}, make('table', {class: 'values'}, make('tr', {}, ...head), ...rows))
    : make('p', {class: 'hint'}, 'No text was labeled by two annotators.'),
  ...(disputed.length ? [make('h3', {}, 'To settle'), make('ol', {class: 'list'}, ...disputed.map(listed))] : []));
}

/* Keyboard and mouse */

const KEYS = {
  ArrowLeft: move, ArrowRight: move, ArrowUp: () => cycle(-1), ArrowDown: () => cycle(1),
  Home: () => { page.range = null; step(0, false); render(); }, End: () => { step(page.words.length, false); render(); },
  Enter: event => {
    if (page.relating) return page.relating.tail ? undefined : choose();
    if (event.shiftKey) return save();
    if (page.current?.suggested) return accept(page.current);
    const next = page.marks.suggestions()[0];
    return next ? focusMark(next) : save();
  },
  Delete: event => (event.shiftKey ? rejectAll() : erase()), Backspace: () => erase(),
  Escape: () => { Object.assign(page, {relating: null, current: null}); render(); announce(''); },
  r: beginRelation, x: skip, z: undo, '?': () => $('help').showModal(),
  '/': () => ($('find').hidden ? announce('All labels are shown.') : $('find').focus()),
};

/** Remove the current mark, or the innermost one at the cursor. */
function erase() {
  const {current, range, marks} = page;
  if (current) return remove(current);
  const at = range && marks.spans().filter(span => span.start < range.end && range.start < span.end)
    .sort((a, b) => (a.end - a.start) - (b.end - b.start))[0];
  return at ? remove(at) : announce('Nothing is marked here.');
}

/** The key of an event as it is printed on a keyboard of Latin letters. */
const latin = event => (/^[\x20-\x7e]$/.test(event.key) ? event.key.toLowerCase()
  : /^Key[A-Z]$/.test(event.code) ? event.code.at(-1).toLowerCase() : event.key);

function pressed(event) {
  const {target} = event, inText = target === $('pane') || target === document.body;
  if ($('help').open || event.isComposing || target.matches('input, select, textarea, summary')) return;
  const key = latin(event), isUndo = (event.ctrlKey || event.metaKey) && key === 'z';
  if ((event.ctrlKey || event.metaKey) && !isUndo && !key.startsWith('Arrow')) return;
  if (event.altKey && !key.startsWith('Arrow')) return;
  if (!inText && (key === 'Enter' || key === ' ')) return;  // of a button
  if (!page.item && !['?', 'z'].includes(key)) return;
  const wanted = page.task?.fields.filter(field => (field.kind === 'relations') === Boolean(page.relating?.tail)) ?? [];
  for (const field of wanted) {
    const label = field.labels.find(each => keyOf(field.name, each) === key);
    if (label !== undefined && !isUndo) { event.preventDefault(); apply(field, label); return; }
  }
  if (KEYS[key]) {
    event.preventDefault();
    if (!page.busy) KEYS[key](event);
  }
}

function mouse(event) {
  if (!page.item) return;
  const marked = event.target.closest?.('.span'), selection = selectedRange($('pane'), page.points);
  if (!selection) {
    if (marked) focusMark(page.marks.spans()[Number(marked.dataset.span)]);
    return;
  }
  const range = event.altKey ? trimmed(page.points, selection) : snapped(page.words, selection);
  if (!range || page.relating) return;
  Object.assign(page, {range: {...range, anchor: range.start, head: Math.max(range.start, range.end - 1)}, current: null});
  render();
  announce(`Selected: ${page.points.slice(range.start, range.end)}`);
}

function connect() {
  document.addEventListener('keydown', pressed);
  $('pane').addEventListener('mouseup', mouse);
  $('pane').addEventListener('focus', () => { if (page.item) select(); });
  const clicks = {save, skip, undo, train, stop, again: () => open('/api/skipped'), 'help-open': () => $('help').showModal()};
  for (const [id, action] of Object.entries(clicks)) {
    $(id).addEventListener('click', () => { action(); if (['save', 'skip', 'undo'].includes(id)) $('pane').focus(); });
  }
  $('find').addEventListener('input', labels);
  $('find').addEventListener('keydown', event => {
    if (event.key === 'Escape' || event.key === 'Enter') {
      event.preventDefault();
      const first = $('labels').querySelector('button');
      $('pane').focus();
      $('find').value = '';
      if (event.key === 'Enter' && first) first.click();
      labels();
    }
  });
  for (const id of ['recent', 'agreement']) $(id).addEventListener('toggle', refreshLists);
  addEventListener('pagehide', () => {
    if (page.dirty && page.item) {
      fetch(`/api/texts/${page.item.text.key}/draft`, {method: 'PUT', keepalive: true, body: JSON.stringify(draft()),
        headers: {'Content-Type': 'application/json'}});
    }
  });
}

start();
