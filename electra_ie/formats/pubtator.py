"""PubTator: title, abstract and annotations of an article as lines: `1|t|Title`, `1|a|Abstract`, and columns by tabs.

The text is title, one character (a line end here) and abstract. Lines of relations name concepts, not mentions (see
`concepts`): a label and two concepts or more, and in BioRED `Novel` or `No`. The reader is not that of bioc, which
strips lines and prints what it skips.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, lines
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Reference
from electra_ie.formats.base import Format
from electra_ie.formats.concepts import LEAST, LOST, NOVEL, RELATIONS, relation_of, relations_of_concepts
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.parts.references import identifier, is_exact, references_of
from electra_ie.formats.parts.spans import SpanReader
from electra_ie.formats.parts.text_output import text_output

TITLE = re.compile(r"([^|\t]*)\|([ta])\|(.*)", re.DOTALL)
SPACE = re.compile(r"[\t\r\n]")
"""What a quoted text has as a blank, and a text cannot hold, but for one line end."""
OFFSET = re.compile("[0-9]{1,9}")
NOVELTY = ("Novel", "No")
"""The last column of a relation of BioRED."""
ROLES_LOST, VALUES_LOST = "roles of relations of concepts", "values of relations of concepts"
"""Kinds of loss."""
LABEL, ID, NAMES = 4, 5, 6
"""Columns of annotations: label, identifiers, and the texts of their parts."""
MIN_RELATION = 4


@dataclass
class _Article:
    """The lines of a document."""

    id: str
    source: SourceLine
    title: str | None = None
    abstract: str | None = None
    annotations: list[tuple[list[str], SourceLine]] = field(default_factory=list)
    relations: list[dict[str, Any]] = field(default_factory=list)
    error: UserError | None = None


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the articles of a file, which blank lines or titles separate."""
    spans, unread = SpanReader(str(path)), Counter[str]()
    for article in _articles(path, on_error):
        try:
            yield _document(article, spans, unread)
        except UserError as error:
            on_error(error)
    spans.report()
    for what, number in unread.items():
        warn(f"{path}: {what} of {number} annotations are not read.")


def _articles(path: Path, on_error: OnError) -> Iterator[_Article]:
    """Yield the articles; one with an invalid line has the first error."""
    article: _Article | None = None
    for number, raw in lines(path, on_error):
        line, source = raw.rstrip("\r\n"), SourceLine(str(path), number)
        match = TITLE.fullmatch(line)
        if article and (not line.strip() or (match and match[2] == "t" and article.title is not None)):
            yield article
            article = None
        if not line.strip():
            continue
        id = match[1] if match else line.split("\t")[0]
        article = article or _Article(id, source)
        try:
            _add(article, id, line, match, source)
        except UserError as error:
            article.error = article.error or error
    if article:
        yield article


def _add(article: _Article, id: str, line: str, match: re.Match[str] | None, source: SourceLine) -> None:
    """Add a line to an article."""
    if id != article.id:
        remedy = "A blank line separates documents."
        raise source.error(f'the id "{id[:40]}" is not that of the document, "{article.id[:40]}".', remedy)
    if match:
        name = "title" if match[2] == "t" else "abstract"
        if getattr(article, name) is not None:
            raise source.error(f"this document has a second {name}.", "A blank line separates documents.")
        setattr(article, name, match[3])
        return
    columns = line.split("\t")
    if len(columns) > LABEL and OFFSET.fullmatch(columns[1]) and OFFSET.fullmatch(columns[2]):
        article.annotations.append((columns, source))
    elif len(columns) >= MIN_RELATION and not columns[1][:1].isdigit():
        article.relations.append(_relation(columns[1], columns[2:]))
    else:
        remedy = "It must be a title, an abstract, or id, start, end, text, type and identifier with tabs between."
        raise source.error(f"{line[:60]!r} is not a line of PubTator.", remedy)


def _relation(label: str, columns: list[str]) -> dict[str, Any]:
    """Return a relation of concepts from its columns, of which the last may say whether it is new."""
    while len(columns) > LEAST and not columns[-1]:
        columns = columns[:-1]
    novel = columns[-1] if len(columns) > LEAST and columns[-1] in NOVELTY else None
    return relation_of(label, columns[:-1] if novel else columns, (), {NOVEL: novel} if novel else {})


def _document(article: _Article, spans: SpanReader, unread: Counter[str]) -> AnnotatedDocument:
    if article.error:
        raise article.error
    if article.title is None:
        remedy = "A document begins with ID|t|TITLE."
        raise article.source.error(f'the document "{article.id}" has no title.', remedy)
    text = article.title if article.abstract is None else f"{article.title}\n{article.abstract}"
    blank = SPACE.sub(" ", text)
    found = []
    for number, (columns, source) in enumerate(article.annotations, start=1):
        offsets = spans.offsets(blank, int(columns[1]), int(columns[2]), source, columns[3], folds=True)
        if len(columns) > NAMES + 1:
            unread["further columns"] += 1
        references = _references(columns[ID:])
        found.append(AnnotatedSpan(f"T{number}", columns[LABEL], (offsets,), references=references))
    metadata = {RELATIONS: article.relations} if article.relations else {}
    return AnnotatedDocument(article.id, text, tuple(found), metadata=metadata, **_position(article))


def _position(article: _Article) -> dict[str, Any]:
    return {"file": article.source.file, "line": article.source.line}


def _references(columns: Sequence[str]) -> tuple[Reference, ...]:
    """Return the references in the columns of identifiers and of their names, as many or none."""
    references = references_of(columns[0]) if columns else []
    names = columns[1].split("|") if len(columns) > 1 else []
    if len(names) == len(references):
        references = [replace(entry, name=name) for entry, name in zip(references, names, strict=True)]
    return tuple(references)


def detect(path: Path) -> bool:
    """Return whether a file begins with the line of a title."""
    try:
        _, first = next(lines(path))
    except (UserError, StopIteration):
        return False
    match = TITLE.match(first)
    return match is not None and match[2] == "t"


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove what the lines cannot hold: line ends after the first, tabs in names, other metadata than relations."""
    losses = Losses()

    def count(what: str, number: int) -> None:
        losses.update({what: number} if number else {})

    title, line_end, abstract = document.text.partition("\n")
    parts = [re.sub("[\r\n]", " ", part) for part in (title, abstract)]
    text = line_end.join(parts) if line_end else parts[0]
    count("line ends in texts", sum(old != new for old, new in zip(document.text, text, strict=True)))
    stated = relations_of_concepts(document.metadata)
    count(Feature.METADATA.value, len(document.metadata) - bool(stated))
    relations = [item for item in stated if _is_line(item)]
    count(LOST, len(stated) - len(relations))
    count(ROLES_LOST, sum("roles" in item for item in relations))
    count(VALUES_LOST, sum(item.get("values", {}) != _novel(item) for item in relations))
    bare = [relation_of(item["label"], item["concepts"], (), _novel(item)) for item in relations]
    metadata = {RELATIONS: bare} if bare else {}
    spans = []
    for span in document.spans:
        kept = tuple(entry for entry in span.references if _is_held(entry))
        count(Feature.SPAN_REFERENCES.value, len(span.references) - len(kept))
        spans.append(replace(span, references=kept))
    return replace(document, text=text, metadata=metadata, spans=tuple(spans)), losses


def _novel(relation: Mapping[str, Any]) -> dict[str, str]:
    """Return what a relation says of its novelty, if a column can say it."""
    novel = relation.get("values", {}).get(NOVEL)
    return {NOVEL: novel} if novel in NOVELTY else {}


def _is_line(relation: Mapping[str, Any]) -> bool:
    """Return whether the columns of a line hold label and concepts of a relation."""
    label, concepts = relation["label"], relation["concepts"]
    if not label or label[0].isdigit() or not all(concepts) or SPACE.search("".join([label, *concepts])):
        return False
    return bool(_novel(relation)) or len(concepts) == LEAST or concepts[-1] not in NOVELTY


def _is_held(reference: Reference) -> bool:
    return is_exact(reference) and "|" not in reference.name and not SPACE.search(reference.name)


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents, each with its first line as title; a blank line follows each."""
    with text_output(path) as file:
        for document in documents:
            if "|" in document.id or SPACE.search("".join([document.id, *(span.label for span in document.spans)])):
                message = f'the id or a label of the document "{document.id}" has a tab, a line end or "|".'
                raise UserError(message, file=path, remedy="Rename it.")
            file.write("\n".join(_lines(document)) + "\n\n")


def _lines(document: AnnotatedDocument) -> Iterator[str]:
    title, line_end, abstract = document.text.partition("\n")
    yield f"{document.id}|t|{title}"
    if line_end:
        yield f"{document.id}|a|{abstract}"
    for span in document.spans:
        quoted = SPACE.sub(" ", document.passage(span))
        columns = [document.id, str(span.start), str(span.end), quoted, span.label]
        columns.append("|".join(identifier(entry) for entry in span.references))
        if any(entry.name for entry in span.references):
            columns.append("|".join(entry.name for entry in span.references))
        yield "\t".join(columns)
    for relation in relations_of_concepts(document.metadata):
        yield "\t".join([document.id, relation["label"], *relation["concepts"], *_novel(relation).values()])


HOLDS = frozenset({
    Feature.IDS, Feature.SPANS, Feature.NESTED, Feature.CROSSING, Feature.EQUAL, Feature.SPAN_REFERENCES,
    Feature.METADATA,
})  # fmt: skip
PUBTATOR = Format("pubtator", "PubTator", read, write, HOLDS, detect=detect, reduce=reduce, endings=(".pubtator",))
