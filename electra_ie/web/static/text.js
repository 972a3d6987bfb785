/* Texts with findings. Offsets are Unicode code points, end exclusive, as in all files of electra_ie; JavaScript counts
UTF-16 units. Nothing of a text becomes markup: pieces of it are text nodes. */

const HUES = 8, LINES = ['solid', 'dashed', 'dotted', 'double'];
const UNSAFE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]/u;

/** A text whose offsets are code points. */
export class CodePoints {
  constructor(text) {
    this.text = text;
    const starts = [];  // of code points in units; empty if both counts are the same
    if (/[\ud800-\udbff][\udc00-\udfff]/.test(text)) {
      let unit = 0;
      for (const character of text) { starts.push(unit); unit += character.length; }
      starts.push(unit);
    }
    this.starts = starts;
    this.length = starts.length ? starts.length - 1 : text.length;
  }
  /** The UTF-16 offset of a code point. */
  unit(point) {
    const inside = Math.max(0, Math.min(point, this.length));
    return this.starts.length ? this.starts[inside] : inside;
  }
  /** The code point at a UTF-16 offset; within a pair of surrogates, the one that the pair is. */
  point(unit) {
    if (!this.starts.length) return Math.max(0, Math.min(unit, this.length));
    let low = 0, high = this.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= unit) low = middle; else high = middle - 1;
    }
    return low;
  }
  slice(start, end) { return this.text.slice(this.unit(start), this.unit(end)); }
}

/** Give an element the color and line of the label with this index, as the HTML report does. */
export function paint(element, index) {
  element.style.setProperty('--c', `var(--hue${index % HUES})`);
  element.style.setProperty('--s', LINES[Math.floor(index / HUES) % LINES.length]);
  return element;
}

/** A string on one line, in which control and bidirectional characters are visible. */
export function visible(value) {
  const code = character => '\n\r'.includes(character) ? '\u21b5' : character === '\t' ? '\u21e5'
    : `<U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}>`;
  return [...String(value)].map(c => '\n\r\t'.includes(c) || UNSAFE.test(c) ? code(c) : c).join('');
}

/** An element with attributes and children; strings become text nodes. An attribute of null or false is left out. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** Give each span a lane, so that spans that overlap are underlined in different ones: lane 0, the innermost, is next to
the text. Returns the lanes in the order of the spans. */
export function lanes(spans) {
  const found = new Array(spans.length).fill(0);
  const place = group => {
    const placed = [];
    for (const index of [...group].sort((a, b) => (spans[a].end - spans[a].start) - (spans[b].end - spans[b].start)
        || spans[a].start - spans[b].start || a - b)) {
      const taken = new Set(placed.filter(other => spans[other].start < spans[index].end
        && spans[index].start < spans[other].end).map(other => found[other]));
      let lane = 0;
      while (taken.has(lane)) lane++;
      found[index] = lane;
      placed.push(index);
    }
  };
  let group = [], reach = 0;
  for (const index of spans.map((_, i) => i).sort((a, b) => spans[a].start - spans[b].start || a - b)) {
    if (spans[index].start >= reach) { place(group); group = []; }
    group.push(index);
    reach = Math.max(reach, spans[index].end);
  }
  place(group);
  return found;
}

/** Show a text with spans in an element, in place of what is in it; its `textContent` is the text.

    spans: objects with `start` and `end` in code points, `color` (the index of the label, for `paint`), `tag` (drawn
        behind the span and read by screen readers, such as "AMOUNT 0.93"), and optionally `fragments`, pairs of offsets,
        which alone are marked. Spans may overlap and cross. Those that are empty or outside the text are left out.

Returns for each span the elements that it consists of, in the order of the text. They have the class `span` and the
attribute `data-span` with the index of the span. */
export function showText(pane, text, spans) {
  const points = text instanceof CodePoints ? text : new CodePoints(text);
  const inside = spans.map((span, index) => ({...span, index}))
    .filter(span => 0 <= span.start && span.start < span.end && span.end <= points.length);
  const lane = lanes(inside), deepest = lane.reduce((most, next) => Math.max(most, next), 0);
  inside.forEach((span, order) => { span.lane = lane[order]; });
  const cuts = [...new Set([0, points.length, ...inside.flatMap(span => [span.start, span.end, ...(span.fragments ?? []).flat()])])].sort((a, b) => a - b);
  const waiting = [...inside].sort((a, b) => b.start - a.start);
  const parts = spans.map(() => []), pieces = [];
  let active = [];
  for (let cut = 0; cut + 1 < cuts.length; cut++) {
    const [start, end] = [cuts[cut], cuts[cut + 1]];
    active = active.filter(span => span.end > start);
    while (waiting.length && waiting.at(-1).start === start) active.push(waiting.pop());
    let content = exact(points.slice(start, end));
    const marked = active.filter(span => !span.fragments || span.fragments.some(([first, last]) => first <= start && end <= last));
    for (const span of marked.sort((a, b) => a.lane - b.lane)) {
      const mark = paint(make('mark', {class: 'span', 'data-span': span.index,
        'data-tag': span.end === end && span.tag ? visible(span.tag) : null}, ...content), span.color ?? 0);
      mark.style.setProperty('padding-bottom', `${1 + 5 * span.lane}px`);
      parts[span.index].push(mark);
      content = [mark];
    }
    pieces.push(...content);
  }
  pane.classList.add('text');
  pane.dir = 'auto';
  pane.style.setProperty('line-height', `calc(1.8em + ${6 * deepest}px)`);
  pane.replaceChildren(...pieces);
  return parts;
}

/** The nodes of a piece of text; characters that act instead of showing are displayed by their codes (base.css). */
function exact(text) {
  const nodes = [];
  let plain = '';
  for (const character of text) {
    if (!UNSAFE.test(character)) { plain += character; continue; }
    if (plain) nodes.push(document.createTextNode(plain));
    plain = '';
    const code = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
    nodes.push(make('span', {class: 'hidden', 'data-code': code}, character));
  }
  if (plain || !nodes.length) nodes.push(document.createTextNode(plain));
  return nodes;
}

/** The selected part of an element that shows a text, as `{start, end}` in code points; null if nothing of it is. */
export function selectedRange(pane, text) {
  const selection = document.getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0), whole = document.createRange();
  whole.selectNodeContents(pane);
  if (range.compareBoundaryPoints(Range.START_TO_END, whole) <= 0
    || range.compareBoundaryPoints(Range.END_TO_START, whole) >= 0) return null;
  const points = text instanceof CodePoints ? text : new CodePoints(text);
  const [first, last] = [unitAt(pane, range.startContainer, range.startOffset, 0),
    unitAt(pane, range.endContainer, range.endOffset, points.text.length)];
  const start = points.point(first), end = points.point(last);
  // An end within a pair of surrogates takes the whole character.
  return start < end || points.unit(end) < last ? {start, end: points.unit(end) < last ? end + 1 : end} : null;
}

/** Select a part of an element that shows a text; offsets are code points. */
export function selectRange(pane, text, start, end) {
  const points = text instanceof CodePoints ? text : new CodePoints(text);
  const range = document.createRange(), units = [points.unit(start), points.unit(end)];
  const [first, last] = units.map(unit => nodeAt(pane, unit));
  range.setStart(...first);
  range.setEnd(...last);
  document.getSelection().removeAllRanges();
  document.getSelection().addRange(range);
}

function unitAt(pane, node, offset, outside) {
  if (!pane.contains(node)) return outside;
  const before = document.createRange();
  before.selectNodeContents(pane);
  before.setEnd(node, offset);
  return before.toString().length;
}

function nodeAt(pane, unit) {
  const walker = document.createTreeWalker(pane, NodeFilter.SHOW_TEXT);
  let rest = unit, node = walker.nextNode(), last = pane;
  for (; node; node = walker.nextNode()) {
    if (rest <= node.length) return [node, rest];
    rest -= node.length;
    last = node;
  }
  return [last, last.length ?? last.childNodes.length];
}

/** Send JSON to this server and return what it answers. Raises `ServerError` with the message for the user. */
export async function request(path, {method = 'GET', body, signal} = {}) {
  let answer;
  try {
    answer = await fetch(path, {method, signal, headers: body === undefined ? {} : {'Content-Type': 'application/json'},
      body: body === undefined ? undefined : JSON.stringify(body)});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ServerError(0, 'The server does not answer.', 'Is it still running?');
  }
  if (answer.status === 401) { location.assign('/sign-in'); return new Promise(() => {}); }
  const content = await answer.json().catch(() => null);
  if (answer.ok && content !== null) return content;
  const error = content?.error ?? {message: `the server answered with status ${answer.status}.`, remedy: ''};
  throw new ServerError(answer.status, error.message, error.remedy, error.faults);
}

/** An answer with an error: its status (0 for none), message, remedy and faults (`web.errors.ErrorBody`). */
export class ServerError extends Error {
  constructor(status, message, remedy = '', faults = []) {
    super([message, ...faults.map(fault => `${fault.where}: ${fault.message}.`), remedy].filter(Boolean).join(' '));
    Object.assign(this, {status, remedy, faults});
  }
}

/** Save a text as a file of the user. */
export function download(name, text, type = 'application/jsonl') {
  const address = URL.createObjectURL(new Blob([text], {type: `${type};charset=utf-8`}));
  make('a', {href: address, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Announce a message to screen readers, in the element with role=status and the id `status`, and show it there. */
export function announce(message) {
  document.getElementById('status').textContent = message;
}
