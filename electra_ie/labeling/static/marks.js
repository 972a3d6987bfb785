/* What is marked in a text: spans, flags, classes and relations; accepted ones, and suggestions that wait for an answer.
Nothing here knows the page. Offsets are code points. */

const sameSpan = (one, other) => one.start === other.start && one.end === other.end && one.label === other.label;
const plain = ({start, end, label}) => ({start, end, label});

/** The marks of one text.

Every mark is an object with `kind` (classes, flags, spans, relations), `field`, `label`, `suggested` and `score`; spans
have `start` and `end`, relations `head` and `tail`. */
export class Marks {
  constructor(fields) {
    this.fields = fields;
    this.byName = Object.fromEntries(fields.map(field => [field.name, field]));
    this.list = [];
    this.rejected = new Set();
    this.answered = new Set();  // fields with an annotation, which needs no suggestion
  }

  /** Take an annotation, as the server has it. */
  load(annotation) {
    this.list = [];
    for (const [field, value] of Object.entries(annotation)) this.#take(field, value, {suggested: false, score: null});
    this.answered = new Set(Object.keys(annotation));
  }

  /** Add what a run suggests, where nothing is marked or was rejected. Returns the number of new marks. */
  suggest(found) {
    const before = this.list.length;
    for (const [field, value] of Object.entries(found)) {
      if (this.answered.has(field) || !this.byName[field]) continue;
      this.#take(field, value, {suggested: true});
    }
    this.#dropLoose(this.spans(), mark => mark.suggested);
    return this.list.length - before;
  }

  #take(field, value, state) {
    const {kind} = this.byName[field] ?? {};
    if (!kind || value === null) return;
    for (const item of kind === 'classes' ? [value] : value) {
      const mark = typeof item === 'string' ? {label: item} : item;
      this.#add({kind, field, label: mark.label, ...(kind === 'spans' ? plain(mark) : {}),
        ...(kind === 'relations' ? {head: plain(mark.head), tail: plain(mark.tail)} : {}), score: mark.score ?? null, ...state});
    }
  }

  #add(mark) {
    if (mark.suggested && (this.rejected.has(identity(mark)) || this.list.some(other => this.excludes(other, mark)))) return;
    this.list.push(mark);
  }

  /** Whether two marks cannot both be there. */
  excludes(one, other) {
    if (one.field !== other.field) return false;
    if (one.kind === 'classes') return true;
    if (one.kind === 'flags') return one.label === other.label;
    if (one.kind === 'relations') return identity(one) === identity(other);
    const {tracks, overlaps} = this.byName[one.field];
    if (sameSpan(one, other)) return true;
    return !overlaps && (!tracks || one.label === other.label) && one.start < other.end && other.start < one.end;
  }

  /** Add a mark of the person, in place of those that it excludes. Returns it. */
  put(mark) {
    for (const other of this.list.filter(each => this.excludes(each, mark))) this.#drop(other, mark);
    const added = {...mark, suggested: false, score: null};
    this.list.push(added);
    return added;
  }

  /** Remove a mark, and relations whose head or tail it is. It is not suggested again. */
  remove(mark) {
    this.rejected.add(identity(mark));
    this.#drop(mark, null);
  }

  #drop(mark, instead) {
    this.list = this.list.filter(each => each !== mark);
    if (mark.kind !== 'spans') return;
    this.#dropLoose([...this.spans(), ...(instead?.kind === 'spans' ? [instead] : [])]);
  }

  /** Drop relations, of those that `may` names, whose head or tail is none of these spans: no save could have them. */
  #dropLoose(spans, may = () => true) {
    const is = end => spans.some(span => sameSpan(span, end));
    this.list = this.list.filter(each => each.kind !== 'relations' || !may(each) || (is(each.head) && is(each.tail)));
  }

  accept(mark) {
    mark.suggested = false;
    mark.score = null;
    if (mark.kind === 'relations') {
      for (const span of this.spans()) if (sameSpan(span, mark.head) || sameSpan(span, mark.tail)) span.suggested = false;
    }
  }

  acceptAll() { for (const mark of this.suggestions()) this.accept(mark); }

  /** Give a span another label. Its relations follow it. */
  relabel(span, field, label) {
    const before = plain(span), relations = this.list.filter(each => each.kind === 'relations');
    this.list = this.list.filter(each => each !== span);
    this.rejected.add(identity(span));
    const added = this.put({...span, field, label});
    for (const relation of relations) {
      for (const end of ['head', 'tail']) if (sameSpan(relation[end], before)) relation[end] = plain(added);
    }
    this.list = [...this.list.filter(each => each.kind !== 'relations'), ...relations.filter(each => this.mayRelate(each))];
    return added;
  }

  /** Whether a relation has ends that are there, and may have this label. */
  mayRelate({field, head, tail, label}) {
    const {between, symmetric} = this.byName[field], spans = this.spans();
    const is = end => spans.some(span => sameSpan(span, end));
    const allowed = ([one, other]) => (one === head.label && other === tail.label)
      || (symmetric.includes(label) && one === tail.label && other === head.label);
    return is(head) && is(tail) && !sameSpan(head, tail) && (!between.length || between.some(allowed));
  }

  spans() { return this.list.filter(mark => mark.kind === 'spans').sort((a, b) => a.start - b.start || b.end - a.end); }
  suggestions() { return this.items().filter(mark => mark.suggested); }
  find(field, label) { return this.list.find(mark => mark.field === field && (label === undefined || mark.label === label)); }

  /** The marks in the order in which the keyboard goes through them: by field, spans by place. */
  items() {
    const order = this.fields.map(field => field.name);
    const place = mark => mark.start ?? mark.head?.start ?? this.byName[mark.field].labels.indexOf(mark.label);
    const group = mark => (mark.kind === 'spans' ? -1 : order.indexOf(mark.field));
    return [...this.list].sort((a, b) => group(a) - group(b) || place(a) - place(b));
  }

  /** The annotation, as the server takes it: what is accepted. */
  annotation() {
    const accepted = this.items().filter(mark => !mark.suggested), found = {};
    for (const {name, kind} of this.fields) {
      const own = accepted.filter(mark => mark.field === name);
      if (kind === 'classes') found[name] = own[0]?.label ?? null;
      else if (kind === 'flags') found[name] = own.map(mark => mark.label);
      else if (kind === 'spans') found[name] = own.map(plain);
      else found[name] = own.map(({head, tail, label}) => ({head: plain(head), tail: plain(tail), label}));
    }
    return found;
  }

  /** All there is, as JSON: for drafts, and to go back to. */
  snapshot() { return {list: this.list.map(mark => ({...mark})), rejected: [...this.rejected], answered: [...this.answered]}; }

  restore({list, rejected, answered}) {
    this.list = list.filter(mark => this.byName[mark.field]?.labels.includes(mark.label)).map(mark => ({...mark}));
    this.rejected = new Set(rejected);
    this.answered = new Set(answered);
  }
}

export function identity(mark) {
  const ends = mark.kind === 'relations' ? [mark.head, mark.tail].map(end => [end.start, end.end, end.label]) : [mark.start, mark.end];
  return JSON.stringify([mark.field, mark.label, ends]);
}
