/* The page of `electra-ie serve`: texts and files are sent to /extract, findings are shown and reviewed. All of it stays
in this page until it is downloaded. */

import {announce, CodePoints, download, make, paint, request, ServerError, showText, visible} from './text.js';

const AT_ONCE = 4, SHOWN = 30, CONTEXT = 60, MOST_FILES = 500;
const OPEN = 'open', REJECTED = 'rejected', ACCEPTED = 'accepted', REVIEW = 'review', DROPPED = 'dropped';
const BINARY = /\.(pdf|docx?|xlsx?|pptx?|odt|rtf|zip|gz|png|jpe?g|parquet|html?)$/i;
const at = id => document.getElementById(id);
const texts = [];  // {name, points, record, spans (findings with a passage), parts (their elements)}
let items = [];    // of the queue, by their scores: {owner, finding, kind, decision, review}
let chosen = null, done = [], saved = true, info = null;
const thresholds = new Map();

/* The labels of the task and their colors: those of passages and those of whole texts both begin with the first. */
const colors = new Map(), kinds = new Map();
const key = (field, label) => `${field}\n${label}`;

async function start() {
  info = await request('/info');
  at('task').textContent = visible(info.task);
  document.title = `${visible(info.task)}: extract and review`;
  at('facts').textContent = `${visible(info.run)} \u00b7 model ${info.model ?? 'unknown'} \u00b7 electra_ie ${info.version}`;
  let marks = 0, chips = 0;
  for (const field of info.fields) {
    kinds.set(field.name, field.kind);
    for (const label of field.labels) colors.set(key(field.name, label), field.kind === 'spans' ? marks++ : chips++);
  }
  for (const each of info.thresholds) thresholds.set(key(each.field, each.label), each);
  at('which').hidden = !thresholds.size;
  look();
  setInterval(look, 30_000);
}

async function look() {
  const state = await request('/ready').catch(error => ({error}));
  at('replaced').textContent = state.error ? state.error.message : state.status === 'replaced'
    ? 'The files of the model have changed. This server goes on with the model that it has loaded.' : '';
}

/* Texts in. */

async function extract(given) {
  problems([]);
  const names = new Set(texts.map(owner => owner.name)), sources = given.map(source => ({...source, name: free(source.name, names)}));
  const failed = [], answers = [];
  let next = 0, ready = 0, shown = 0;
  at('extract').disabled = true;
  const work = async () => {
    while (next < sources.length) {
      const place = next++;
      try { answers[place] = await send(sources[place]); } catch (error) {
        failed.push(`${sources[place].name}: ${error.message}`);
        answers[place] = null;
      }
      for (; shown in answers; shown++) if (answers[shown]) add(sources[shown], answers[shown]);
      announce(`${++ready} of ${sources.length} read`);
    }
  };
  await Promise.all(Array.from({length: Math.min(AT_ONCE, sources.length)}, work));
  at('extract').disabled = false;
  problems(failed);
  order();
  const found = items.length;
  announce(`${count(texts.length, 'text')}, ${count(found, 'finding')}.`);
}

/** A name that no other text has, since a text is known by it in the queue. */
function free(name, names) {
  let found = name;
  for (let number = 2; names.has(found); number++) found = `${name} (${number})`;
  names.add(found);
  return found;
}

async function send(source) {
  const length = new CodePoints(source.text).length;
  if (length > info.max_characters)
    throw new Error(`it has ${length.toLocaleString('en')} characters; this server takes ${info.max_characters.toLocaleString('en')}.`);
  const body = {text: source.text, id: [...source.name].slice(0, 500).join('')};
  for (let attempt = 0; ; attempt++) {
    try {
      return await request(`/extract${info.has_records ? '?records=true' : ''}`, {method: 'POST', body});
    } catch (error) {
      if (!(error instanceof ServerError) || error.status !== 503 || attempt === 20) throw error;
      await new Promise(resolve => setTimeout(resolve, 500 + 250 * attempt));
    }
  }
}

async function open(files) {
  const sources = [], failed = [];
  if (files.length > MOST_FILES) failed.push(`${files.length} files: the first ${MOST_FILES} are read. For more: electra-ie extract.`);
  for (const file of [...files].slice(0, MOST_FILES)) {
    try { sources.push(...await read(file)); } catch (error) { failed.push(`${file.name}: ${error.message}`); }
  }
  if (sources.length) await extract(sources);
  problems(failed, true);
}

async function read(file) {
  if (BINARY.test(file.name)) throw new Error('it is not a text file. electra-ie extract reads HTML and PDF files.');
  if (file.size > 4 * info.max_characters && !/\.jsonl$/i.test(file.name))
    throw new Error(`it has ${file.size.toLocaleString('en')} bytes; this server takes ${info.max_characters.toLocaleString('en')} characters.`);
  let text;
  try { text = new TextDecoder('utf-8', {fatal: true}).decode(await file.arrayBuffer()); }
  catch { throw new Error('it is not UTF-8. Save it as UTF-8.'); }
  if (!/\.jsonl$/i.test(file.name)) return [{name: file.name, text}];
  return text.split('\n').map((line, number) => [line, number + 1]).filter(([line]) => line.trim()).map(([line, number]) => {
    let record = null;
    try { record = JSON.parse(line); } catch { /* reported below */ }
    if (typeof record?.text !== 'string') throw new Error(`line ${number} is not an object with a text.`);
    return {name: typeof record.id === 'string' ? record.id : `${file.name}:${number}`, text: record.text};
  });
}

function problems(lines, more = false) {
  const list = lines.map(line => make('li', {}, visible(line)));
  if (more) at('problems').append(...list); else at('problems').replaceChildren(...list);
}

/* Texts with their findings. */

function add(source, record) {
  const owner = {name: source.name, points: new CodePoints(source.text), record, spans: [], parts: [], chips: new Map()};
  texts.push(owner);
  for (const finding of record.findings) {
    const item = {owner, finding, kind: kinds.get(finding.field), decision: decide(finding), review: OPEN};
    items.push(item);
    if (item.kind === 'spans') owner.spans.push(item);
  }
  owner.pane = make('div');
  const number = texts.length, answers = answersOf(owner);
  owner.article = make('article', {class: 'panel passage', 'aria-labelledby': `text${number}`},
    make('div', {class: 'top'}, make('h2', {id: `text${number}`, dir: 'auto'}, visible(owner.name)),
      make('p', {class: 'facts'}, `${count(record.characters, 'character')} read in ${count(record.windows, 'window')}`)),
    answers, owner.pane, relationsOf(owner), ...(record.records ?? []).map(recordOf));
  at('documents').append(owner.article);
  at('clear').hidden = at('go').hidden = false;
  show(owner);
}

/** What the thresholds of the run say of a finding, as calibration.decisions does. */
function decide(finding) {
  const {accept = null, keep = null} = thresholds.get(key(finding.field, finding.label)) ?? {};
  if (accept !== null && finding.score >= accept) return ACCEPTED;
  return keep !== null && finding.score < keep ? DROPPED : REVIEW;
}

/** Show the text of an owner with its findings as they are reviewed. */
function show(owner) {
  owner.parts = showText(owner.pane, owner.points, owner.spans.map(({finding, review}) => ({start: finding.start, end: finding.end, fragments: finding.fragments,
    color: colors.get(key(finding.field, finding.label)), tag: tagOf(finding, review)})));
  owner.spans.forEach((item, index) => { for (const part of owner.parts[index]) decorate(part, item); });
}

function decorate(element, item) {
  element.classList.toggle('current', item === chosen);
  element.classList.toggle(REJECTED, item.review === REJECTED);
  element.classList.toggle(DROPPED, item.decision === DROPPED);
}

function tagOf(finding, review) {
  const mark = {[ACCEPTED]: ' \u2713', [REJECTED]: ' \u2717', [OPEN]: ''}[review];
  const said = Object.values(finding.attributes ?? {}).map(each => ` \u00b7 ${each.label} ${each.score.toFixed(2)}`);
  return `${finding.label} ${finding.score.toFixed(2)}${said.join('')}${mark}`;
}

function answersOf(owner) {
  const lines = [];
  for (const field of info.fields.filter(each => each.kind === 'classes' || each.kind === 'flags')) {
    lines.push(make('li', {class: 'quiet'}, visible(field.name)));
    const own = items.filter(item => item.owner === owner && item.finding.field === field.name);
    for (const item of own) {
      const chip = chipOf(item.finding, item.review, 'li');
      owner.chips.set(item, chip);
      lines.push(chip);
    }
    if (!own.length) lines.push(make('li', {}, 'none'));
  }
  return lines.length ? make('ul', {class: 'answers'}, ...lines) : null;
}

function chipOf(finding, review, name = 'span') {
  const chip = make(name, {class: 'chip'}, visible(finding.label), make('small', {}, tagOf(finding, review).slice(finding.label.length + 1)));
  return paint(chip, colors.get(key(finding.field, finding.label)) ?? 0);
}

/** The relations of a text as a table, with the names of their fields if there are several. */
function relationsOf(owner) {
  const several = info.fields.filter(each => each.kind === 'relations').length > 1;
  const fieldOf = relation => several ? [make('td', {}, visible(relation.field))] : [];
  const rows = (owner.record.relations ?? []).map(relation => make('tr', {}, ...fieldOf(relation), make('td', {}, endOf(relation.head)),
    make('td', {}, chipOf(relation, OPEN)), make('td', {}, endOf(relation.tail))));
  if (!rows.length) return null;
  const heads = [...(several ? ['field'] : []), 'from', 'relation', 'to'].map(name => make('th', {scope: 'col'}, name));
  return make('div', {class: 'wide'}, make('table', {class: 'relations'}, make('thead', {}, make('tr', {}, ...heads)), make('tbody', {}, ...rows)));
}

/** The text of a span, that of its fragments joined by blanks. */
function textOf(span) {
  const points = new CodePoints(span.text);
  return span.fragments ? span.fragments.map(([start, end]) => points.slice(start - span.start, end - span.start)).join(' ') : span.text;
}

function endOf(span) {
  const cell = make('span', {}, make('bdi', {}, visible(textOf(span))), ' ');
  const ranges = (span.fragments ?? [[span.start, span.end]]).map(([start, end]) => `${start}\u2013${end}`).join(', ');
  cell.append(make('small', {class: 'quiet'}, `${visible(span.label)}, ${ranges}`));
  return cell;
}

function recordOf(record) {
  const rows = Object.entries(record.fields).flatMap(([name, entries]) => (entries.length ? entries : [null]).map((entry, number) =>
    make('tr', {}, number ? make('td') : make('th', {scope: 'row'}, visible(name),
      record.conflicts.includes(name) ? make('small', {}, ' conflict') : null), ...cellsOf(entry))));
  const title = record.anchor ? `record of ${visible(record.anchor.text)}` : 'record';
  return make('div', {class: 'wide'}, make('table', {class: 'record'}, make('caption', {}, title), make('tbody', {}, ...rows)));
}

function cellsOf(entry) {
  if (!entry) return [make('td', {}, '\u2013'), make('td')];
  const value = [entry.value, entry.currency ?? entry.unit].filter(part => part !== null && part !== undefined).join(' ');
  const sure = entry.status === 'exact' || entry.status === 'normalized';
  const reason = sure ? null : make('small', {}, ` ${visible(entry.status)}: ${visible(entry.reason)}`);
  const passage = entry.text === null ? make('small', {class: 'quiet'}, 'the whole text') : make('bdi', {}, visible(entry.text));
  return [make('td', {}, make('bdi', {}, visible(value)), reason), make('td', {}, passage)];
}

/* The review queue. */

/** The findings in the queue: those for review, or all of them. Without thresholds, all are for review. */
const queued = () => at('all').checked ? items : items.filter(item => item.decision === REVIEW || item.review !== OPEN);

function order() {
  items.sort((a, b) => a.finding.score - b.finding.score);
  const listed = queued();
  if (!chosen || !listed.includes(chosen)) chosen = listed.find(item => item.review === OPEN) ?? listed[0] ?? null;
  draw();
  texts.forEach(refresh);
}

function draw() {
  const listed = queued(), reviewed = items.filter(item => item.review !== OPEN).length;
  at('empty').hidden = items.length > 0;
  at('current').hidden = !items.length;
  at('decide').hidden = at('card').hidden = !chosen;
  at('progress').textContent = items.length ? `${reviewed} of ${listed.length} reviewed` : '';
  at('others').textContent = `${count(items.filter(item => item.decision === ACCEPTED).length, 'finding')} accepted, `
    + `${items.filter(item => item.decision === DROPPED).length} dropped by the thresholds of the run.`;
  at('undo').disabled = !done.length;
  if (!chosen) { at('queue').replaceChildren(); at('more').textContent = ''; return; }
  const place = listed.indexOf(chosen), first = Math.max(0, Math.min(place - 5, listed.length - SHOWN));
  const part = listed.slice(first, first + SHOWN);
  at('queue').setAttribute('start', first + 1);
  at('queue').replaceChildren(...part.map(rowOf));
  at('more').textContent = listed.length > SHOWN ? `${first + 1}\u2013${first + part.length} of ${listed.length}` : '';
  at('accept').setAttribute('aria-pressed', chosen.review === ACCEPTED);
  at('reject').setAttribute('aria-pressed', chosen.review === REJECTED);
  at('card').replaceChildren(...cardOf(chosen));
}

function passageOf(item) {
  return item.kind === 'spans' ? textOf(item.finding) : item.owner.name;
}

function rowOf(item) {
  const {finding, review} = item;
  const mark = {[ACCEPTED]: '\u2713 ', [REJECTED]: '\u2717 ', [OPEN]: ''}[review];
  const label = paint(make('span', {class: 'label'}, visible(finding.label)), colors.get(key(finding.field, finding.label)) ?? 0);
  return make('li', {}, make('button', {type: 'button', 'aria-current': item === chosen && 'true', class: review,
    onclick: () => choose(item)}, label, make('bdi', {}, visible(passageOf(item))), make('span', {class: 'numbers'}, mark + finding.score.toFixed(2))));
}

function cardOf(item) {
  const {finding, owner} = item, points = owner.points;
  const head = make('div', {class: 'row'}, chipOf(finding, item.review), make('span', {class: 'quiet'}, visible(finding.field)));
  const text = make('div');
  const isSpan = item.kind === 'spans';
  const from = isSpan ? Math.max(0, finding.start - CONTEXT) : 0;
  const to = Math.min(points.length, isSpan ? finding.end + CONTEXT : 3 * CONTEXT);
  showText(text, points.slice(from, to), isSpan ? [{start: finding.start - from, end: finding.end - from,
    fragments: finding.fragments?.map(pair => pair.map(offset => offset - from)),
    color: colors.get(key(finding.field, finding.label))}] : []);
  if (from) text.prepend('\u2026');
  if (to < points.length) text.append('\u2026');
  const meaning = info.fields.find(field => field.name === finding.field)?.descriptions[finding.label];
  return [head, text, make('p', {class: 'facts'}, visible(owner.name)), meaning ? make('p', {class: 'facts'}, visible(meaning)) : null]
    .filter(Boolean);
}

function choose(item) {
  const before = chosen;
  chosen = item;
  draw();
  for (const owner of new Set([before?.owner, item.owner])) if (owner) refresh(owner);
  const index = item.owner.spans.indexOf(item);
  (index >= 0 ? item.owner.parts[index][0] : item.owner.chips.get(item))?.scrollIntoView({block: 'nearest'});
}

/** Draw again what the review of the findings of a text changes. */
function refresh(owner) {
  owner.spans.forEach((item, index) => {
    const parts = owner.parts[index];
    parts.forEach(part => decorate(part, item));
    parts.at(-1).dataset.tag = visible(tagOf(item.finding, item.review));
  });
  for (const [item, chip] of owner.chips) {
    decorate(chip, item);
    chip.querySelector('small').textContent = tagOf(item.finding, item.review).slice(item.finding.label.length + 1);
  }
}

function review(value) {
  if (!chosen) return;
  done.push([chosen, chosen.review]);
  chosen.review = value;
  saved = false;
  const listed = queued(), place = listed.indexOf(chosen);
  const next = [...listed.slice(place + 1), ...listed.slice(0, place)].find(item => item.review === OPEN) ?? chosen;
  announce(`${value}: ${visible(chosen.finding.label)}. ${listed.filter(item => item.review === OPEN).length} left.`);
  refresh(chosen.owner);
  choose(next);
}

function undo() {
  const last = done.pop();
  if (!last) return;
  last[0].review = last[1];
  saved = false;
  announce(`undone: ${visible(last[0].finding.label)}.`);
  choose(last[0]);
}

function step(by) {
  const listed = queued(), place = listed.indexOf(chosen) + by;
  if (listed[place]) choose(listed[place]);
}

/** One line for each text with a finding for review, as `extract --review` writes it: `correct` is what the person says. */
function lines() {
  const correct = {[ACCEPTED]: true, [REJECTED]: false, [OPEN]: null};
  return texts.map(owner => [owner, owner.record.findings.map(finding => items.find(item => item.finding === finding))])
    .filter(([, own]) => own.some(item => item.decision === REVIEW || item.review !== OPEN))
    .map(([{points, record}, own]) => JSON.stringify({id: record.id, file: '', text: points.text, drawn: thresholds.size ? 'to_review' : 'all',
      model: record.model, findings: own.map(({finding, decision, review: said}) => ({...finding, decision, correct: correct[said]}))}) + '\n').join('');
}

function clear() {
  if (!saved && !confirm('Leave out all texts? The review has not been downloaded.')) return;
  texts.length = items.length = done.length = 0;
  chosen = null;
  saved = true;
  at('documents').replaceChildren();
  at('clear').hidden = at('go').hidden = true;
  problems([]);
  announce('');
  draw();
  at('text').focus();
}

const count = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;

/* Events. */

at('form').addEventListener('submit', async event => {
  event.preventDefault();
  const text = at('text').value, where = document.activeElement;  // the text or the button
  if (!text.trim()) { announce('Enter a text, or open files.'); at('text').focus(); return; }
  await extract([{name: `text ${texts.length + 1}`, text}]);
  const stayed = [where, document.body].includes(document.activeElement) && at('text').value === text;
  if (items.length && stayed) at('review').focus();
});
at('text').addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); at('form').requestSubmit(); }
});
at('files').addEventListener('change', async event => { await open(event.target.files); event.target.value = ''; });
at('clear').addEventListener('click', clear);
at('accept').addEventListener('click', () => review(ACCEPTED));
at('reject').addEventListener('click', () => review(REJECTED));
at('undo').addEventListener('click', undo);
at('all').addEventListener('change', order);
at('download').addEventListener('click', () => { download('queue.jsonl', lines()); saved = true; });
at('documents').addEventListener('click', event => {
  const mark = event.target.closest('mark.span'), article = event.target.closest('article');
  const owner = mark && document.getSelection().isCollapsed && texts.find(text => text.article === article);
  if (owner) choose(owner.spans[Number(mark.dataset.span)]);
});
at('review').addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || !chosen) return;
  const action = {a: () => review(ACCEPTED), r: () => review(REJECTED), u: undo, ArrowDown: () => step(1), ArrowUp: () => step(-1)}[
    event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  const inside = at('queue').contains(document.activeElement);
  action();
  if (inside || document.activeElement === document.body) at('review').focus();  // the list was drawn again
});
for (const name of ['dragenter', 'dragover', 'dragleave', 'drop']) document.addEventListener(name, event => {
  if (![...event.dataTransfer?.types ?? []].includes('Files')) return;
  event.preventDefault();
  document.body.classList.toggle('dropping', name === 'dragenter' || name === 'dragover');
  if (name === 'drop') open(event.dataTransfer.files);
});
addEventListener('beforeunload', event => { if (!saved) event.preventDefault(); });

start().catch(error => problems([error.message]));
