"""The HTML report: one self-contained page of documents with their findings highlighted, for review.

The page fetches nothing, and nothing from a document, a label or a file name is interpreted as markup. The text in the
pane of a document is the document, character for character, so that copied text equals the input; labels and the codes
of hidden characters are drawn by the style sheet (base.css), not inserted into the text.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from electra_ie.common.errors import UserError
from electra_ie.common.escaping import UNSAFE, escape_controls
from electra_ie.common.files import atomic_path
from electra_ie.data.document import passage_of
from electra_ie.data.fields import ATTRIBUTES, LISTED_KINDS

RESOURCES = files("electra_ie.inference")
BASE_STYLE, REPORT_STYLE, SCRIPT = (
    "\n" + (RESOURCES / name).read_text("utf-8") for name in ("base.css", "report.css", "report.js")
)
STYLE = BASE_STYLE + REPORT_STYLE
"""base.css, which the pages of the local servers share (`web`), and what only the report needs."""
GENERATOR = '<meta name="generator" content="electra_ie">'
"""What tells a page from the files of others, which are not overwritten."""
HUES = 8
"""How many colors base.css defines (`--hue0` to `--hue7`), distinguishable with the common color deficiencies."""
LINES = ("solid", "dashed", "dotted", "double")
"""Line styles: all labels beyond the first eight repeat the colors with the next style."""
POLICY = "base-uri 'none'; form-action 'none'"
LINE, LOWEST, HIGHEST = 90, 320, 700
"""Size of a frame in a notebook: approximate characters per line, and smallest and largest height in pixels."""
SPECIAL = re.compile(f"[&<>\"']|{UNSAFE.pattern}")


@dataclass(frozen=True)
class _Mark:
    """A highlighted finding: offsets, index of its label, displayed tag, and lane.

    Overlapping findings are underlined in different lanes; lane 0 is next to the text.
    """

    start: int
    end: int
    label: int
    tag: str
    lane: int = 0
    fragments: tuple[tuple[int, int], ...] = ()

    def parts(self) -> list[_Mark]:
        """Return a mark for each fragment, with its number in the tag; the mark itself if it has none."""
        count = len(self.fragments)
        return [
            replace(self, start=start, end=end, tag=f"{self.tag} ({number} of {count})", fragments=())
            for number, (start, end) in enumerate(self.fragments, start=1)
        ] or [self]


class Page:
    """A report that is written document by document, in constant memory.

    Usage: `with Page(path, title, kinds) as page: page.add(record, text)`. Findings of spans are highlighted in the
    text with their attributes, the answers of classes and flags are listed above it, relations in a table below it.
    The documents go to an unnamed temporary file first, because the legend in front of them counts their findings.
    `path` is replaced as a whole when the block ends, and stays unchanged when the block raises.
    """

    def __init__(self, path: str | os.PathLike[str], title: str, kinds: Mapping[str, str]) -> None:
        """Begin a report. `kinds` maps the name of each field to its kind."""
        self.path, self.title, self.kinds = Path(path), title, dict(kinds)
        self.labels: dict[tuple[str, str], int] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.documents = self.characters = self.lanes = 0

    def __enter__(self) -> Page:
        """Open the temporary file.

        Raises:
            UserError: The page cannot be written.
        """
        if self.path.is_dir():
            raise UserError("is a folder.", file=self.path, remedy="Give a file name for the page: --html page.html.")
        try:
            self._body: IO[bytes] = tempfile.TemporaryFile(dir=self.path.parent)
        except OSError as error:
            remedy = "Choose a folder that exists and can be written to."
            raise UserError(f"cannot be written: {error.strerror}.", file=self.path, remedy=remedy) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._body:
            if kind is None:
                self._finish()

    def add(self, record: Mapping[str, Any], text: str, made: Iterable[Mapping[str, Any]] = ()) -> None:
        """Add one document.

        Args:
            record: Its findings as `extract` writes them.
            text: The text that the offsets refer to.
            made: The records that were made of the findings, as JSON has them (`records.writing.as_dict`).
        """
        self.documents += 1
        self.characters += record["characters"]
        spans: list[Mapping[str, Any]] = []
        answers: list[Mapping[str, Any]] = []
        for finding in record["findings"]:
            self.counts[finding["field"], finding["label"]] += 1
            (spans if self.kinds[finding["field"]] == "spans" else answers).append(finding)
        # A window that is the whole text needs no link.
        offsets = {(answer["start"], answer["end"]) for answer in answers}
        partial = sorted((start, end) for start, end in offsets if end - start < len(text))
        windows = {window: index for index, window in enumerate(partial, 1)}
        relations: list[Mapping[str, Any]] = record.get("relations", [])
        self.counts.update((relation["field"], relation["label"]) for relation in relations)
        labels = sorted({self._label(finding) for finding in (*record["findings"], *relations)})
        own = f'id="d{self.documents}" aria-labelledby="h{self.documents}"'
        lines = [
            f'<article {own} data-labels="{" ".join(map(str, labels))}">',
            self._heading(record),
            self._answers(answers, windows),
            self._pane(text, self._marks(spans), windows),
            self._relations(relations),
            *(_record_table(each) for each in made),
            "</article>\n",
        ]
        self._body.write("\n".join(lines).encode("utf-8"))

    def _label(self, finding: Mapping[str, Any]) -> int:
        """Return the index of the finding's label on this page."""
        return self.labels.setdefault((finding["field"], finding["label"]), len(self.labels))

    def _heading(self, record: Mapping[str, Any]) -> str:
        name = str(record["file"] or record["id"])
        identity = f'<p class="id">{_plain(record["id"])}</p>' if str(record["id"]) != name else ""
        facts = f"{_count(record['characters'], 'character')} read in {_count(record['windows'], 'window')}"
        link = f'<a href="#d{self.documents}">{_plain(name)}</a>'
        name = f'<h2 id="h{self.documents}" dir="auto">{link}</h2>'
        return f'<div class="top">{name}<p class="facts">{facts}</p></div>{identity}'

    def _answers(self, answers: list[Mapping[str, Any]], windows: Mapping[tuple[int, int], int]) -> str:
        """Return the answers about the whole text as a list; `none` for a field without a finding."""
        items = []
        for field in (name for name, kind in self.kinds.items() if kind not in LISTED_KINDS):
            items.append(f'<li class="field">{_plain(field)}</li>')
            chips = [self._chip(answer, windows) for answer in answers if answer["field"] == field]
            items += chips or ["<li>none</li>"]
        return f'<ul class="answers">{"".join(items)}</ul>' if items else ""

    def _chip(self, answer: Mapping[str, Any], windows: Mapping[tuple[int, int], int]) -> str:
        inside = f"{_plain(answer['label'])} <small>{answer['score']:.2f}</small>"
        style = f'class="chip label{self._label(answer)}"'
        window = windows.get((answer["start"], answer["end"]))
        if window is None:
            return f"<li {style}>{inside}</li>"
        where = f"<small>characters {answer['start']:,}–{answer['end']:,}</small>"
        return f'<li><a {style} href="#d{self.documents}w{window}" data-window="{window}">{inside} {where}</a></li>'

    def _relations(self, relations: list[Mapping[str, Any]]) -> str:
        """Return the relations as a table: head, label, tail, and the field before them if there are several."""
        several = sum(kind == "relations" for kind in self.kinds.values()) > 1
        rows = []
        for relation in relations:
            head, tail = (f"<td>{self._end(relation[end])}</td>" for end in ("head", "tail"))
            inside = f"{_plain(relation['label'])} <small>{relation['score']:.2f}</small>"
            field = f"<td>{_plain(relation['field'])}</td>" if several else ""
            chip = f'<span class="chip label{self._label(relation)}">{inside}</span>'
            rows.append(f"<tr>{field}{head}<td>{chip}</td>{tail}</tr>")
        names = (*(["field"] if several else []), "from", "relation", "to")
        heading = f"<thead><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr></thead>"
        return f'<table class="relations">{heading}<tbody>{"".join(rows)}</tbody></table>' if rows else ""

    @staticmethod
    def _end(span: Mapping[str, Any]) -> str:
        """Return the head or the tail of a relation: its text, its label and its characters, of fragments theirs."""
        ranges = span.get("fragments") or [(span["start"], span["end"])]
        where = ", ".join(f"{start:,}–{end:,}" for start, end in ranges)
        return f"<bdi>{_exact(passage_of(span))}</bdi> <small>{_plain(span['label'])}, characters {where}</small>"

    def _marks(self, spans: Iterable[Mapping[str, Any]]) -> list[_Mark]:
        marks = []
        for finding in spans:
            said = [finding, *finding.get("attributes", {}).values()]
            tag = " · ".join(f"{escape_controls(each['label'])} {each['score']:.2f}" for each in said)
            fragments = tuple((start, end) for start, end in finding.get("fragments", ()))
            marks.append(_Mark(finding["start"], finding["end"], self._label(finding), tag, fragments=fragments))
        return [part for mark in _assign_lanes(marks) for part in mark.parts()]

    def _pane(self, text: str, marks: list[_Mark], windows: Mapping[tuple[int, int], int]) -> str:
        """Return the text, cut at every boundary of a mark or window; each piece is wrapped in all that contain it.

        HTML elements nest, but findings may cross each other: only elements around pieces can express that.
        """
        depth = max((mark.lane for mark in marks), default=0)
        self.lanes = max(self.lanes, depth)
        cuts = {0, len(text), *(cut for window in windows for cut in window)}
        cuts.update(cut for mark in marks for cut in (mark.start, mark.end))
        waiting = sorted(marks, key=lambda mark: mark.start, reverse=True)
        active: list[_Mark] = []
        pieces = []
        for start, end in pairwise(sorted(cuts)):
            active = [mark for mark in active if mark.end > start]
            while waiting and waiting[-1].start == start:
                active.append(waiting.pop())
            piece = _exact(text[start:end])
            for mark in sorted(active, key=lambda mark: mark.lane):
                tag = f' data-tag="{escape(mark.tag)}"' if mark.end == end else ""
                piece = f'<mark class="label{mark.label} lane{mark.lane}"{tag}>{piece}</mark>'
            pieces.append(self._in_windows(piece, start, end, windows))
        return f'<div class="text deep{depth}" dir="auto">{"".join(pieces)}</div>'

    def _in_windows(self, piece: str, start: int, end: int, windows: Mapping[tuple[int, int], int]) -> str:
        for (first, last), index in windows.items():
            if first <= start and end <= last:
                anchor = f' id="d{self.documents}w{index}"' if first == start else ""
                piece = f'<span class="window window{index}"{anchor}>{piece}</span>'
        return piece

    def _finish(self) -> None:
        """Write the page to a temporary file and move it to `path`."""
        with atomic_path(self.path) as part, part.open("wb") as page:
            self._compose(page)

    def _compose(self, page: IO[bytes]) -> None:
        """Write the head, whose legend counts the findings of the body, and then the body."""
        page.write(self._head().encode("utf-8"))
        self._body.seek(0)
        shutil.copyfileobj(self._body, page)
        page.write(f"</main>\n</div>\n<script>{SCRIPT}</script>\n</body>\n</html>\n".encode())

    def _head(self) -> str:
        style, title = self._style(), _plain(self.title)
        policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(SCRIPT)}; {POLICY}"
        totals = (_count(self.documents, "document"), _count(self.characters, "character"))
        findings = _count(self.counts.total(), "finding")
        related = sum(number for (field, _), number in self.counts.items() if self.kinds.get(field) == "relations")
        findings += f" ({related:,} of them relations)" if related else ""
        facts = " · ".join((*totals, findings))
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{GENERATOR}
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p class="facts">{facts}</p></header>
<div class="columns">
<nav aria-label="Labels">
{"".join(self._legend(field) for field, kind in self.kinds.items() if kind != ATTRIBUTES)}
<label class="only"><input type="checkbox" id="only">Only documents with a ticked label</label>
<p role="status"></p>
</nav>
<main>
"""

    def _legend(self, field: str) -> str:
        rows = []
        for (owner, label), count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0])):
            if owner == field:
                index = self.labels[owner, label]
                box = f'<input type="checkbox" value="{index}" checked>'
                name = f'<span class="name label{index}"><span>{_plain(label)}</span></span>'
                rows.append(f'<label>{box}{name}<span class="number">{count:,}</span></label>')
        content = "".join(rows) or "<p>nothing found</p>"
        kind = f" <small>{_plain(self.kinds[field])}</small>" if self.kinds[field] != field else ""
        button = '<button type="button">all / none</button>' if rows else ""
        return f"<fieldset><legend>{_plain(field)}{kind} {button}</legend>{content}</fieldset>"

    def _style(self) -> str:
        """Return the style sheet with the rules of this page's labels and lanes."""
        rules = [STYLE]
        styled: Counter[bool] = Counter()  # marks and chips look different, so both begin with the first hue
        for (field, _), index in self.labels.items():
            line, hue = divmod(styled[self.kinds[field] == "spans"], HUES)
            styled[self.kinds[field] == "spans"] += 1
            rules.append(f".label{index}{{--c:var(--hue{hue});--s:{LINES[line % len(LINES)]}}}")
            rules.append(f".without{index} mark.label{index}{{--c:transparent}}")
            rules.append(f".without{index} mark.label{index}::after{{display:none}}")
            rules.append(f".without{index} .chip.label{index}{{display:none}}")
        for lane in range(self.lanes + 1):
            rules.append(f".lane{lane}{{padding-bottom:{1 + 5 * lane}px}}")
            rules.append(f".deep{lane}{{line-height:calc(1.8em + {6 * lane}px)}}")
        return "\n".join(rules)


def _record_table(record: Mapping[str, Any]) -> str:
    """Return a record as a table: a row for each value, with the passage that says it."""
    rows = []
    for name, entries in record["fields"].items():
        conflict = " <small>conflict</small>" if name in record["conflicts"] else ""
        for number, entry in enumerate(entries or [None]):
            heading = f'<th scope="row">{_plain(name)}{conflict}</th>' if not number else "<th></th>"
            rows.append(f"<tr>{heading}{_value_cells(entry)}</tr>")
    title = f"record of {_plain(record['anchor']['text'])}" if record["anchor"] else "record"
    return f'<table class="record"><caption>{title}</caption><tbody>{"".join(rows)}</tbody></table>'


def _value_cells(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "<td>–</td><td></td>"
    parts = [entry["value"], entry["currency"] or entry["unit"]]
    value = " ".join(_plain(part) for part in parts if part is not None)
    is_certain = entry["status"] in ("exact", "normalized")
    reason = "" if is_certain else f"<small>{_plain(entry['status'])}: {_plain(entry['reason'])}</small>"
    where = f"characters {entry['start']:,}–{entry['end']:,}"
    passage = "<small>the whole text</small>"
    if entry["text"] is not None:
        passage = f"<bdi>{_plain(entry['text'])}</bdi> <small>{where}</small>"
    return f"<td><bdi>{value}</bdi>{reason}</td><td>{passage}</td>"


def frame(title: str, kinds: Mapping[str, str], record: Mapping[str, Any], text: str) -> str:
    """Return the page of one document as an element for a notebook.

    The page is in a sandboxed frame, so that its content cannot reach the notebook and the two do not share styles.
    """
    page, whole_page = Page(os.devnull, title, kinds), io.BytesIO()
    page._body = io.BytesIO()
    page.add(record, text)
    page._compose(whole_page)
    lines = sum(1 + len(line) // LINE for line in text.splitlines())
    style = f"width:100%;height:{min(HIGHEST, LOWEST + 30 * lines)}px;border:0"
    inside = escape(whole_page.getvalue().decode("utf-8"))
    return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{inside}"></iframe>'


def _assign_lanes(marks: list[_Mark]) -> list[_Mark]:
    """Give each mark the first lane that is free along it, short marks first, so that outer marks are below inner ones.

    Only marks of one group of overlapping marks are compared, since the cost is quadratic.
    """
    done: list[_Mark] = []
    group: list[_Mark] = []
    reach = 0
    for mark in sorted(marks, key=lambda mark: mark.start):
        if mark.start >= reach:
            done += _stack(group)
            group = []
        group.append(mark)
        reach = max(reach, mark.end)
    return done + _stack(group)


def _stack(group: list[_Mark]) -> list[_Mark]:
    placed: list[_Mark] = []
    for mark in sorted(group, key=lambda mark: (mark.end - mark.start, mark.start)):
        taken = {other.lane for other in placed if other.start < mark.end and mark.start < other.end}
        lane = next(lane for lane in range(len(group)) if lane not in taken)
        placed.append(replace(mark, lane=lane))
    return placed


def _exact(text: str) -> str:
    """Return a document's text as HTML that a parser reads back as the same characters.

    A control or bidirectional character is displayed by its code and isolated from the text after it. HTML cannot
    express U+0000 and lone surrogates: they are displayed as ␀ and U+FFFD.
    """

    def write(match: re.Match[str]) -> str:
        character = match[0]
        if character in "\n\t":
            return character
        if character in "&<>\"'":
            return escape(character)
        if character == "\r":  # unescaped, a parser reads it as a line feed
            return "&#13;"
        if character == "\0" or "\ud800" <= character <= "\udfff":
            return "␀" if character == "\0" else "\ufffd"
        return f'<span class="hidden" data-code="U+{ord(character):04X}">{character}</span>'

    return SPECIAL.sub(write, text)


def _plain(value: object) -> str:
    """Return other text (a label, a file name) as HTML, with the codes of hidden characters."""
    return escape(escape_controls(str(value)))


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _hash(source: str) -> str:
    """Return the hash by which the Content-Security-Policy admits this inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
