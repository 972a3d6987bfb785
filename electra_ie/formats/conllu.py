r"""CoNLL-U and CoNLL-U Plus: spans as tags of words, in MISC (`NER=B-PER`) or a column. Syntax is not read.

A document begins at `# newdoc id = ...`; a file without it has a document for each sentence. White space is exact by
`SpaceAfter=No`, and by `SpacesAfter` and `SpacesBefore` as UDPipe writes them (`\s`, `\t`, `\n`, `\r`), else as in
`# text`. The key of the tags may differ in its case (`ner`, as Stanza writes it), and the tag of a multiword token is
that of all its parts. Each line of a text is written as a sentence, unless a span goes on in the next line. A document
that was not annotated has the comment `# annotated = no`; the words of the others all have a tag.

The brackets of entities of CorefUD (see `conllu_entities`) are read as spans of the layer `Entity`. Their type is the
label, and the cluster (`eid`) and the other fields are attributes. They are not written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from electra_ie.common.errors import OnError, UserError, first_line
from electra_ie.common.logs import warn
from electra_ie.common.text_files import SourceLine, lines
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Offsets
from electra_ie.formats.base import Format
from electra_ie.formats.conllu_entities import FIELDS, KEY, Mention, Node, fields_of, has_brackets, mentions
from electra_ie.formats.features import Feature, Losses
from electra_ie.formats.parts.options import Option
from electra_ie.formats.parts.tagged_words import (
    OUTSIDE,
    SCHEMES,
    TAG,
    Tags,
    aligned,
    chunks,
    on_words,
    spans_of,
    tags,
    words,
)
from electra_ie.formats.parts.text_output import text_output
from electra_ie.formats.parts.writable import refuse_other_than_text

OPTIONS = {"tags": Option("NER"), "scheme": Option("iob2", choices=SCHEMES)}
"""tags: the key of MISC, or the name of a column, that has the tags. scheme: the scheme of the tags that are written;
those that are read are recognized."""
HOLDS = frozenset({Feature.IDS, Feature.SPANS, Feature.UNANNOTATED})
COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
NO_VALUE = "_"
GLOBAL_COLUMNS = re.compile(r"#\s*global\.columns\s*=\s*(.*)")
"""The first line of a file of CoNLL-U Plus."""
CELLS = re.compile(r"\t| {2,}")
"""What separates columns for the package that parses them."""
ESCAPES = {" ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
ESCAPED = re.compile(r"\\u([0-9a-f]{4})|\\(.)")
IN_LABELS = re.compile(r"[\s|]")
"""Characters that a value of MISC cannot have."""
WHITE_SPACE = "white space of texts without words"
"""A kind of loss."""


@dataclass(slots=True)
class _Sentence:
    """A sentence: its words as they are in the text, and the tag of each part of them.

    spaces: white space before the first word and after each, None where nothing says so. parts: for each tag, the index
    of its word; a multiword token has several parts. mentions: those that brackets mark.
    """

    source: SourceLine
    keys: Mapping[str, str]
    surfaces: list[str] = field(default_factory=list)
    spaces: list[str | None] = field(default_factory=lambda: [None])
    parts: list[int] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)

    def add_tag(self, tag: str) -> None:
        """Add the tag of the last word, or of a part of it."""
        self.parts.append(len(self.surfaces) - 1)
        self.tags.append(tag)


# Reading


def read(path: Path, options: Mapping[str, Any], on_error: OnError) -> Iterator[AnnotatedDocument]:
    """Yield the documents of a file. The documents of a file without any tag are not annotated."""
    reader = _Reader(path, options["tags"])
    sentences = list(reader.sentences(on_error))
    found = {tag for sentence in sentences for tag in sentence.tags} - {NO_VALUE}
    scheme = Tags(found) if found else None
    if others := [] if found else reader.like_tags():
        warn(
            f"{path}: tags are read from {options['tags']}, and no word has it. The values of "
            f"{', '.join(others)} look like tags. To read them, set the option tags: {others[0]}."
        )
    for group in _documents(sentences):
        try:
            yield _document(path, group, scheme, reader)
        except UserError as error:
            on_error(error)
    for what, number in reader.unread.items():
        warn(f"{path}: not read: {number} {what}.")


class _Reader:
    """Reads the sentences of one file."""

    def __init__(self, path: Path, tags: str) -> None:
        self.path, self.key, self.columns = path, tags, COLUMNS
        self.fields: tuple[str, ...] = ()
        self.has_entities, self.unread = False, Counter[str]()
        self.looks: dict[str, set[bool]] = {}

    def like_tags(self) -> list[str]:
        """Return the keys of MISC, and the columns, all of whose values look like tags, some with a prefix."""
        return [name for name, looks in self.looks.items() if looks == {True}]

    def sentences(self, on_error: OnError) -> Iterator[_Sentence]:
        """Yield sentences; one with an invalid line is an error."""
        block: list[tuple[int, str]] = []
        for number, line in [*lines(self.path), (0, "")]:
            match = GLOBAL_COLUMNS.match(line) if number == 1 else None
            if match:
                self.columns = tuple(match[1].lower().split())
                if not {"id", "form"} <= set(self.columns):
                    message = f"the columns are {match[1].strip()[:60]!r}."
                    raise SourceLine(str(self.path), 1).error(message, "ID and FORM must be among them.")
            if line.strip():
                block.append((number, line.strip()))
            elif block:
                try:
                    yield self._sentence(block)
                except UserError as error:
                    on_error(error)
                block = []

    def _sentence(self, block: Sequence[tuple[int, str]]) -> _Sentence:
        from conllu.exceptions import ParseException
        from conllu.parser import parse_id_value, parse_token_and_metadata

        for number, line in block:
            width = len(CELLS.split(line))
            if not line.startswith("#") and width != len(self.columns):
                message = f"this line has {width} columns, separated by tabs, and needs {len(self.columns)}."
                raise SourceLine(str(self.path), number).error(message, "Is this CoNLL-U? Other columns are conll.")
        source = SourceLine(str(self.path), block[0][0])
        parsers: dict[str, Any] = {name: _cell for name in self.columns}
        parsers |= {"id": lambda cells, index: parse_id_value(cells[index]), "misc": _misc}
        try:
            tokens = parse_token_and_metadata("\n".join(line for _, line in block), self.columns, parsers)
        except ParseException as error:
            message = f"this sentence is not CoNLL-U: {first_line(error)}."
            raise source.error(message, "Correct its lines.") from None
        keys = {key: value or "" for key, value in tokens.metadata.items()}
        sentence = _Sentence(source, keys)
        last, is_tagged, nodes = 0, False, list[Node]()
        numbers = [number for number, line in block if not line.startswith("#")]
        for number, token in zip(numbers, tokens, strict=True):
            id = token["id"]
            if id is None:
                raise source.error(f'the word "{token["form"][:40]}" has no id.', "Number the words from 1.")
            is_range = isinstance(id, tuple) and id[1] == "-"
            if is_range or (isinstance(id, int) and id > last):
                self._word(sentence, token)
                last, is_tagged = id[2] if is_range else last, False
            if isinstance(id, int) and not is_tagged:
                sentence.add_tag(self._tag(token))
            elif is_range and (tag := self._tag(token)) not in (NO_VALUE, *OUTSIDE):
                sentence.add_tag(tag)  # Stanza tags tokens: a multiword token, and not its parts
                is_tagged = True
            word = len(sentence.surfaces) - 1 if isinstance(id, int) else None
            nodes.append(Node(word, (token.get("misc") or {}).get(KEY, ""), SourceLine(str(self.path), number)))
        if self.key != KEY:
            sentence.mentions = self._mentions(nodes, keys, source)
        return sentence

    def _mentions(self, nodes: Sequence[Node], keys: Mapping[str, str], source: SourceLine) -> list[Mention]:
        """Return the mentions of a sentence that are in its text."""
        if FIELDS in keys:
            self.fields = fields_of(keys[FIELDS], source)
        if not has_brackets(nodes):
            return []
        if not self.fields:
            self.unread[f"words with brackets of entities, for want of the comment # {FIELDS}"] += sum(
                bool(node.value) for node in nodes
            )
            return []
        self.has_entities = True
        found = mentions(nodes, self.fields)
        self.unread["mentions of empty nodes only"] += sum(not mention.pieces for mention in found)
        self.unread = +self.unread
        return [mention for mention in found if mention.pieces]

    def _tag(self, token: Mapping[str, Any]) -> str:
        misc = token.get("misc") or {}
        for key in ("Bridge", "SplitAnte"):
            if key in misc and self.key != key:
                self.unread[f"words with links of entities ({key})"] += 1
        cells = {name: token[name] for name in self.columns if name not in ("id", "form", "misc")}
        for name, cell in (cells | misc).items():
            if cell not in (None, "", NO_VALUE, *OUTSIDE):
                self.looks.setdefault(name, set()).add(bool(TAG.fullmatch(cell)))
        column = self.key.lower()
        other_case = (cell for key, cell in misc.items() if key.lower() == column)
        value = cells[column] if column in cells else misc.get(self.key, next(other_case, NO_VALUE))
        return value or NO_VALUE

    def _word(self, sentence: _Sentence, token: Mapping[str, Any]) -> None:
        """Add a word, or a multiword token, with the white space around it."""
        misc = token.get("misc") or {}
        if not sentence.surfaces and "SpacesBefore" in misc:
            sentence.spaces[0] = _unescape(misc["SpacesBefore"])
        after = _unescape(misc["SpacesAfter"]) if "SpacesAfter" in misc else None
        sentence.surfaces.append(token["form"])
        sentence.spaces.append("" if misc.get("SpaceAfter") == "No" else after)


def _cell(cells: Sequence[str], index: int) -> str:
    return cells[index]


def _misc(cells: Sequence[str], index: int) -> dict[str, str]:
    """Return keys and values of MISC; a value may have another `=`."""
    pairs = [part.partition("=") for part in cells[index].split("|") if part != NO_VALUE]
    return {key: value for key, _, value in pairs}


def _unescape(value: str) -> str:
    characters = {escape[1]: character for character, escape in ESCAPES.items()} | {"p": "|"}
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else characters.get(match[2], match[2]), value)


def _escape(spaces: str) -> str:
    r"""Return white space as a value; what UDPipe has no escape for is a code point (`\u00a0`)."""
    return "".join(ESCAPES.get(character) or f"\\u{ord(character):04x}" for character in spaces)


def _documents(sentences: Sequence[_Sentence]) -> Iterator[list[_Sentence]]:
    """Yield the sentences of each document; those before the first `newdoc` are documents of their own."""
    group: list[_Sentence] = []
    inside = False
    for sentence in sentences:
        begins = "newdoc" in sentence.keys or "newdoc id" in sentence.keys
        if group and (begins or not inside):
            yield group
            group = []
        inside = inside or begins
        if sentence.surfaces or begins:
            group.append(sentence)
    if group:
        yield group


def _document(path: Path, sentences: Sequence[_Sentence], scheme: Tags | None, reader: _Reader) -> AnnotatedDocument:
    """Return the document of some sentences. Raises UserError for an invalid tag, or a text that is not its words."""
    first = sentences[0]
    text, spans = "", list[AnnotatedSpan]()
    for index, sentence in enumerate(sentences):
        following = sentences[index + 1] if index + 1 < len(sentences) else None
        offsets: list[Offsets] = []
        spaces = _spaces(sentence, following)
        text += spaces[0]
        for surface, after in zip(sentence.surfaces, spaces[1:], strict=True):
            offsets.append((len(text), len(text) + len(surface)))
            text += surface + after
        if scheme:
            parsed = [scheme.parse("O" if tag == NO_VALUE else tag, sentence.source) for tag in sentence.tags]
            spans += spans_of(chunks(parsed), [offsets[part] for part in sentence.parts], len(spans))
        for mention in sentence.mentions:
            spans.append(
                AnnotatedSpan(
                    f"T{len(spans) + 1}", mention.label, mention.fragments(offsets), layer=KEY,
                    attributes=mention.attributes,
                )
            )  # fmt: skip
    layers: tuple[str, ...] = ("",) if scheme and first.keys.get("annotated") != "no" else ()
    layers += (KEY,) if reader.has_entities else ()
    if not any(sentence.surfaces for sentence in sentences):
        layers = layers or ("",)
    if "newdoc" in first.keys or "newdoc id" in first.keys:
        id = first.keys.get("newdoc id", "")
    else:
        id = first.keys.get("sent_id", f"{path.stem}-{first.source.line}")
    return AnnotatedDocument(id, text, tuple(spans), layers=layers or None, file=str(path), line=first.source.line)


def _spaces(sentence: _Sentence, following: _Sentence | None) -> list[str]:
    """Return the white space before the first word and after each; after the last of a document it is none."""
    spaces = list(sentence.spaces)
    if "text" in sentence.keys and sentence.surfaces:
        offsets = aligned(sentence.keys["text"], sentence.surfaces)
        if offsets is None:
            message = f"the words of this sentence are not those of its text {sentence.keys['text'][:40]!r}."
            raise sentence.source.error(message, "Correct # text or the words.")
        if not any(spaces):  # white space other than a blank is only in MISC
            for index, ((_, end), (start, _)) in enumerate(pairwise(offsets), start=1):
                spaces[index] = sentence.keys["text"][end:start]
    if spaces[-1] is None:
        paragraph = following and any(key.startswith("newpar") for key in following.keys)
        spaces[-1] = "\n" if paragraph else " " if following else ""
    return [spaces[0] or "", *(" " if space is None else space for space in spaces[1:])]


# Writing


def reduce(document: AnnotatedDocument, options: Mapping[str, Any]) -> tuple[AnnotatedDocument, Losses]:
    """Remove and count what tags of words and comments cannot express."""
    document, losses = on_words(document, options["scheme"], IN_LABELS)
    id = " ".join(document.id.split())
    losses[Feature.IDS.value] += id != document.id
    if not words(document.text):
        losses[WHITE_SPACE] += document.text != ""
        losses[Feature.UNANNOTATED.value] += document.layers is None
        document = replace(document, text="", layers=("",))
    return replace(document, id=id), +losses


def write(documents: Sequence[AnnotatedDocument], path: Path, options: Mapping[str, Any]) -> None:
    """Write documents, with a sentence for each line of their texts."""
    from conllu.serializer import serialize

    if options["tags"].lower() in ("id", "form", "misc"):
        remedy = "Name a key of MISC, or another column."
        raise UserError(f"the option tags is {options['tags']!r}, which has other values.", remedy=remedy)
    number = 0
    with text_output(path) as file:
        for document in documents:
            for tokens in _sentences(document, options):
                if tokens:
                    number += 1
                    tokens.metadata |= {"sent_id": str(number), "text": _text(tokens)}
                content = serialize(tokens)
                refuse_other_than_text(document, content, path)
                file.write(content)


def _text(tokens: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a sentence with a blank for any white space between its words."""
    pieces = [token["form"] + ("" if (token["misc"] or {}).get("SpaceAfter") == "No" else " ") for token in tokens]
    return "".join(pieces).strip()


def _sentences(document: AnnotatedDocument, options: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the lists of tokens of a document; one without words has an empty list."""
    from conllu.models import Metadata, TokenList

    offsets = words(document.text)
    found = [NO_VALUE] * len(offsets)
    if document.layers is not None:
        found = tags(document.spans, offsets, options["scheme"])
    starts = [*(start for start, _ in offsets), len(document.text)]
    comments = {"newdoc id": document.id} if document.id else {"newdoc": ""}
    if document.layers is None:
        comments["annotated"] = "no"
    covered = [(span.start, span.end) for span in document.spans]
    sentence = TokenList([], Metadata(comments))
    for index, ((start, end), following, tag) in enumerate(zip(offsets, starts[1:], found, strict=True)):
        after, is_last = document.text[end:following], index + 1 == len(offsets)
        misc = {} if tag == NO_VALUE else {options["tags"]: tag}
        if after == "" and not is_last:
            misc["SpaceAfter"] = "No"
        elif after != ("" if is_last else " "):
            misc["SpacesAfter"] = _escape(after)
        if index == 0 and start > 0:
            misc["SpacesBefore"] = _escape(document.text[:start])
        sentence.append(_token(len(sentence) + 1, document.text[start:end], misc))
        if {"\n", "\r"} & set(after) and not is_last and not any(first < end < last for first, last in covered):
            yield sentence
            sentence = TokenList()
    yield sentence


def _token(id: int, form: str, misc: Mapping[str, str]) -> dict[str, Any]:
    """Return a token; tags that are for a column are moved there."""
    token: dict[str, Any] = {"id": id, "form": form, **dict.fromkeys(COLUMNS[2:]), "misc": None}
    for key in list(misc):
        if key.lower() in token:
            token[key.lower()] = misc[key]
    return token | {"misc": {key: misc[key] for key in sorted(misc) if key.lower() not in token}}


def detect(path: Path) -> bool:
    """Return whether the first line of a file that is not a comment has the columns of CoNLL-U."""
    try:
        for number, line in lines(path):
            if number == 1 and GLOBAL_COLUMNS.match(line):
                return True
            if line.strip() and not line.startswith("#"):
                cells = line.split("\t")
                return len(cells) == len(COLUMNS) and re.fullmatch(r"\d+([-.]\d+)?", cells[0]) is not None
    except (UserError, OSError):
        return False
    return False


CONLLU = Format("conllu", "CoNLL-U", read, write, HOLDS, OPTIONS, detect, "conllu", "formats", reduce, (".conllu",))
