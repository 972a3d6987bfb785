"""Spans that overlap within a label, and spans of several fragments: as data, as tags, and back."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import leveled
import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset, load_dataset
from hypothesis import given
from hypothesis import strategies as st
from reading import lines_of, read, refusal, write

from electra_ie.common.errors import UserError
from electra_ie.data.anchored.marked_spans import marked, marked_documents
from electra_ie.data.bio import to_spans, to_tags, track_logits, viterbi
from electra_ie.data.declaration.task_yaml import declaration, validated_fields
from electra_ie.data.document import Document, Relation, Span, as_bytes
from electra_ie.data.fields import (
    AttributeField,
    Field,
    RelationField,
    as_saved,
    by_track,
    from_saved,
    lost_by_overlap,
    with_levels,
    without_levels,
)
from electra_ie.data.gold_checks import across_windows, misaligned, refuse_lost_spans, warn_of_fragments
from electra_ie.data.readers.jsonl import record_of
from electra_ie.data.span_boundaries import BoundaryRules
from electra_ie.data.task import Task
from electra_ie.data.windowing import Window, WindowTokenizer, label
from electra_ie.inference.engine.decoding import decode_spans
from electra_ie.metrics import intervals, score
from electra_ie.models.bias_init import prior_logits
from electra_ie.models.tags import tag_logits
from electra_ie.runs.hub_dataset_card import features

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))  # the scripts are no package
OPEN = Field("names", "spans", ("x", "y"), scheme="levels", fragments=True)
TRACK = Field("names", "spans", ("x",), fragments=True)
DIVIDED = Span(0, 9, "x", ((0, 2), (5, 9)))


def test_a_span_without_fragments_is_written_as_before():
    assert repr(Span(0, 3, "x")) == "Span(start=0, end=3, label='x')"
    assert as_bytes(Document("1", "abc", {"f": (Span(0, 3, "x"),)})) == (
        b"('1', 'abc', [('f', (Span(start=0, end=3, label='x'),))])"
    )
    assert eval(repr(DIVIDED)) == DIVIDED == Span.of([(0, 2), (5, 9)], "x")
    assert Span.of([(0, 2)], "x") == Span(0, 2, "x")


def test_fragments_are_part_of_what_a_span_is():
    whole = Span(0, 9, "x")
    assert len({whole, DIVIDED, replace(DIVIDED, fragments=((0, 2), (6, 9)))}) == 3
    assert sorted([DIVIDED, whole]) == [whole, DIVIDED]
    assert (whole.ranges, DIVIDED.ranges) == (((0, 9),), ((0, 2), (5, 9)))
    assert DIVIDED.passage("ab and cdef") == "ab d cd"


@pytest.mark.parametrize(
    "fragments", [((0, 9),), ((0, 2), (2, 9)), ((0, 2), (5, 8)), ((1, 2), (5, 9)), ((5, 9), (0, 2))]
)
def test_fragments_that_are_none_are_refused(fragments):
    with pytest.raises(ValueError, match="the fragments of 0 to 9 are"):
        Span(0, 9, "x", fragments)


# Tags

OFFSETS = [(2 * index, 2 * index + 1) for index in range(8)]


def spans_of(labels):
    """Spans of one to three fragments that begin and end at tokens."""
    tokens = st.lists(st.integers(0, 7), min_size=1, max_size=5, unique=True).map(sorted)
    return st.builds(span_of_tokens, tokens, st.sampled_from(labels))


def span_of_tokens(tokens, label):
    ranges = []
    for token in tokens:
        start, end = OFFSETS[token]
        if ranges and ranges[-1][1] + 1 == start:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return Span.of(ranges, label)


@given(st.sets(spans_of("xy"), max_size=6))
def test_no_span_is_lost_by_levels(spans):
    """Also those that share words, cross, or are equal but for their fragments."""
    (field,) = with_levels([OPEN], [Document("1", " " * 20, {"names": tuple(spans)})])
    assert not lost_by_overlap(field, spans)
    found = set()
    for track, kept, _ in by_track(field, spans):
        found |= {span for span, _ in to_spans(track, to_tags(track, kept, OFFSETS, [0]), OFFSETS)}
    assert found == spans


@given(st.sets(spans_of("xy"), max_size=6), st.sets(st.integers(1, 7), max_size=3))
def test_only_spans_whose_fragments_are_in_different_windows_are_lost(spans, cuts):
    starts = [0, *sorted(cuts)]
    (field,) = with_levels([OPEN], [Document("1", " " * 20, {"names": tuple(spans)})])
    found = set()
    for track, kept, _ in by_track(field, spans):
        found |= {span for span, _ in to_spans(track, to_tags(track, kept, OFFSETS, starts), OFFSETS)}

    def window(offset):
        return sum(2 * start <= offset for start in starts)

    divided = {
        span
        for span in spans
        if any(window(one[1] - 1) != window(two[0]) for one, two in zip(span.ranges, span.ranges[1:], strict=False))
    }
    assert found == spans - divided


def test_levels_begin_with_the_outer_span():
    spans = [Span(0, 9, "x"), Span(2, 3, "x"), Span(3, 12, "x"), Span(5, 6, "y")]
    (field,) = with_levels([OPEN], [Document("1", " " * 12, {"names": tuple(spans)})])
    assert field.levels == (2, 1)
    assert [(track.labels, kept, dropped) for track, kept, dropped in by_track(field, spans)] == [
        (("x",), [spans[0]], []),
        (("x",), [spans[1], spans[2]], []),
        (("y",), [spans[3]], []),
    ]
    one = replace(field, levels=(1, 1))
    assert lost_by_overlap(one, spans) == [spans[1], spans[2]] == lost_by_overlap(replace(one, scheme="tracks"), spans)
    assert lost_by_overlap(OPEN, spans) == []


def valid(tags, starts):
    """The rules of `bio`, said in another way: which tag may follow which."""
    is_open = False  # a span is before in the window
    before = 0
    for token, tag in enumerate(tags):
        if token in starts:
            is_open = before in (1, 2, 3)
            after_gap = False
        else:
            after_gap = is_open and before == 0
        if tag == 2 and before == 0:
            return False
        if tag == 3 and not after_gap:
            return False
        is_open = tag > 0 or (is_open and not (token in starts and tag == 0))
        before = tag
    return True


LOGIT = st.integers(-40, 40).map(lambda value: value / 8)


@given(st.lists(st.lists(LOGIT, min_size=4, max_size=4), max_size=6), st.sets(st.integers(1, 5), max_size=2))
def test_viterbi_with_fragments_equals_exhaustive_search(logits, starts):
    scores = np.array(logits, dtype=np.float32).reshape(-1, 4)
    tags = viterbi(TRACK, scores, starts=sorted(starts)).tolist()
    assert valid(tags, starts)
    best = max(
        sum(scores[position, tag] for position, tag in enumerate(sequence))
        for sequence in product(range(4), repeat=len(logits))
        if valid(sequence, starts)
    )
    assert sum(scores[position, tag] for position, tag in enumerate(tags)) == pytest.approx(best)


@given(
    st.lists(st.lists(LOGIT, min_size=4, max_size=4), min_size=1, max_size=6), st.sets(st.integers(1, 5), max_size=2)
)
def test_no_fragment_is_found_beyond_a_break(logits, breaks):
    scores = np.array(logits, dtype=np.float32).reshape(-1, 4)
    positions = sorted(position for position in breaks if position < len(logits))
    parts = [viterbi(TRACK, part) for part in np.split(scores, positions)]
    assert viterbi(TRACK, scores, positions).tolist() == np.concatenate(parts).tolist()


@given(st.lists(st.integers(0, 3), max_size=6), st.sets(st.integers(1, 5), max_size=2))
def test_valid_tags_are_those_of_their_spans(tags, cuts):
    offsets = OFFSETS[: len(tags)]
    starts = [0, *sorted(cut for cut in cuts if cut < len(tags))]
    if valid(tags, set(starts) - {0}):
        spans = [span for span, _ in to_spans(TRACK, tags, offsets)]
        assert to_tags(TRACK, spans, offsets, starts) == tags


# Fields


def test_outputs_are_named_by_tag_level_and_label():
    """A label that looks like the name of a level is no other output."""
    field = Field("names", "spans", ("x", "2-x", "x#2"), scheme="levels", levels=(2, 1, 1), fragments=True)
    assert field.names[:6] == ("B-x", "I-x", "C-x", "B2-x", "I2-x", "C2-x")
    assert len(set(field.names)) == len(field.names) == 12
    assert [track.names for track in field.tracks[:2]] == [("O", "B-x", "I-x", "C-x")] * 2
    assert from_saved(as_saved(field)) == field
    assert validated_fields({"names": declaration(field)}) == (field,)
    assert without_levels([field]) == (replace(field, levels=()),)
    assert as_saved(Field("names", "spans", ("x",), scheme="tracks")).keys() == {"name", "kind", "labels", "scheme"}
    with pytest.raises(ValueError, match="the number of levels of names is not known"):
        OPEN.names  # noqa: B018 - it is computed when it is read
    with pytest.raises(UserError, match="the number of levels of the field names is not known. Give levels: 2"):
        validated_fields([OPEN])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"scheme": "level"}, "scheme is 'level'.*bio or tracks or levels"),
        ({"levels": 2}, "levels is given without the scheme of that name. Add scheme: levels"),
        (
            {"scheme": "levels", "levels": 0},
            "levels is 0. Give a number from 1 to 8, or a list with one for each label",
        ),
        ({"scheme": "levels", "levels": True}, "levels is True"),
        ({"scheme": "levels", "levels": 9}, "levels is 9. Give a number from 1 to 8"),
        ({"scheme": "levels", "overlaps": "count"}, "overlaps does nothing with the scheme levels"),
        ({"kind": "flags", "fragments": False}, "a field of kind flags has fragments. Only fields of kind spans"),
        ({"kind": "flags", "levels": 2}, "a field of kind flags has levels. Only fields of kind spans have it"),
        ({"scheme": "levels", "levels": [1, 2, 3]}, r"levels is \[1, 2, 3\]"),
        ({"fragments": True}, "one sequence of tags cannot express fragments. Add scheme: tracks"),
        ({"scheme": "tracks", "fragments": "yes"}, "fragments is 'yes'. It must be true or false"),
    ],
)
def test_declarations_that_cannot_be_meant_are_refused(declared, message):
    with pytest.raises(UserError, match=message):
        validated_fields({"names": {"kind": "spans", "labels": ["x", "y"], **declared}})


# Data

FRAGMENTED = Field("names", "spans", ("PER", "ORG"), scheme="levels", fragments=True)
TEXT = "left and right atrium"


def test_fragments_of_brat_are_read_where_a_field_learns_them(tmp_path):
    write(tmp_path, "a.txt", TEXT)
    write(tmp_path, "a.ann", "T1\tPER 0 4;15 21\tleft atrium\nT2\tPER 9 14;15 21\tright atrium\nT3\tORG 0 4\tleft\n")
    (document,) = read("brat", tmp_path, FRAGMENTED, Field("others", "spans", ("ORG",)))
    divided = Span(0, 21, "PER", ((0, 4), (15, 21)))
    # only white space is between the fragments of the second one
    assert document.gold == {"names": (Span(0, 4, "ORG"), divided, Span(9, 21, "PER")), "others": (Span(0, 4, "ORG"),)}
    with pytest.raises(UserError, match="has 2 fragments; the field names has continuous ones.*write fragments: true"):
        read("brat", tmp_path, replace(FRAGMENTED, fragments=False))
    hull = read("brat", tmp_path, FRAGMENTED, Field("others", "spans", ("PER", "ORG")), discontinuous="hull")
    assert hull[0].gold["names"][1] == divided
    assert hull[0].gold["others"][1] == Span(0, 21, "PER")


@pytest.mark.parametrize("option", ["error", "hull", "skip"])
def test_a_span_divided_at_a_line_end_is_continuous(tmp_path, capsys, option):
    """Brat writes a span over a line end as two fragments; JSON lines may have them too."""
    write(tmp_path, "a/a.txt", "left and right\natrium")
    write(tmp_path, "a/a.ann", "T1\tPER 9 14;15 21\tright atrium\n")
    (document,) = read("brat", tmp_path / "a", replace(FRAGMENTED, fragments=False), discontinuous=option)
    assert document.gold["names"] == (Span(9, 21, "PER"),)
    joined = "joined 1 fragments with the one before, only white space being between.\n"
    assert capsys.readouterr().err == f"warning: {tmp_path / 'a'}: {joined}"
    span = {"start": 9, "end": 21, "label": "PER", "fragments": [[9, 14], [15, 21]]}
    file = write(tmp_path, "a.jsonl", lines_of({"text": document.text, "names": [span]}))
    assert read("jsonl", file, replace(FRAGMENTED, fragments=False))[0].gold == document.gold
    assert capsys.readouterr().err == f"warning: {file}: {joined}"


def test_json_lines_hold_fragments_both_ways(tmp_path, capsys):
    divided = {"start": 0, "end": 21, "label": "PER", "fragments": [[0, 4], [15, 21]]}
    lines = [{"id": str(number), "text": TEXT, "names": [{**divided, **more}]} for number, more in enumerate(
        ({}, {"text": ["left", "atrium"]}, {"text": TEXT}, {"fragments": [[0, 4], [5, 8], [8, 21]]})
    )]  # fmt: skip
    documents = read("jsonl", write(tmp_path, "a.jsonl", lines_of(*lines)), FRAGMENTED)
    span = Span(0, 21, "PER", ((0, 4), (15, 21)))
    assert [document.gold["names"] for document in documents] == [(span,)] * 3 + [(Span(0, 21, "PER"),)]
    assert "joined 2 fragments with the one before, only white space being between" in capsys.readouterr().err
    again = write(tmp_path, "b.jsonl", lines_of(*(record_of(document, [FRAGMENTED]) for document in documents)))
    assert [each.gold for each in read("jsonl", again, FRAGMENTED)] == [each.gold for each in documents]


def test_a_data_set_of_the_hub_keeps_fragments(tmp_path):
    """The columns that `push_data` declares; a span without fragments has none there."""
    fields = (FRAGMENTED, RelationField("links", ("of",)))
    divided, one = Span(0, 21, "PER", ((0, 4), (15, 21))), Span(0, 4, "ORG")
    document = Document("1", TEXT, {"names": (one, divided), "links": (Relation(divided, one, "of"),)})
    file = write(tmp_path, "train.jsonl", lines_of(record_of(document, fields)))
    columns = features(fields, [document])
    table = load_dataset("json", data_files={"train": str(file)}, features=columns, cache_dir=str(tmp_path / "cache"))
    table.save_to_disk(str(tmp_path / "set"))
    yaml = "format: datasets\noptions: {name: set}\nfiles: {train: train}\nfields:\n" + "".join(
        f"  {field.name}: {json.dumps(declaration(field))}\n" for field in fields
    )
    write(tmp_path, "task.yaml", yaml)
    (again,) = Task.load(tmp_path).read("train")
    assert again.gold == document.gold


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ({"fragments": [[0, 4], [15, 20]]}, "is 0 to 21, and its fragments 0 to 20"),
        ({"fragments": [[0, 4, 5], [15, 21]]}, r'has "fragments": \[\[0, 4, 5\]'),
        ({"fragments": [[0, 12], [9, 21]]}, "two fragments of one span overlap: 0 to 12 and 9 to 21"),
        ({"fragments": [[0, 4], [15, 21]], "text": ["left"]}, "2 fragments and 1 texts"),
        ({"fragments": [[0, 4], [15, 21]], "text": ["left", "right"]}, "15 to 21 is 'atrium', not 'right'"),
        ({"fragments": [[0, 4], [15, 21]], "text": "left"}, "0 to 21 is 'left and right atrium', not 'left'"),
        ({"text": ["left"]}, "not a text"),
        ({"fragments": [], "text": ["left"]}, "not a text"),
    ],
)
def test_fragments_that_do_not_fit_are_faults(tmp_path, span, message):
    record = {"text": TEXT, "names": [{"start": 0, "end": 21, "label": "PER", **span}]}
    with pytest.raises(UserError, match=message):
        read("jsonl", write(tmp_path, "a.jsonl", lines_of(record)), FRAGMENTED)


def test_fragments_are_no_continuous_span_without_asking(tmp_path):
    record = {"text": TEXT, "names": [{"start": 0, "end": 21, "label": "PER", "fragments": [[0, 4], [15, 21]]}]}
    path = write(tmp_path, "a.jsonl", lines_of(record))
    with pytest.raises(
        UserError, match="has 2 fragments; the field names has continuous ones. To learn them, write fragments"
    ):
        read("jsonl", path, replace(FRAGMENTED, fragments=False))


@pytest.mark.parametrize("format", ["jsonl", "datasets"])
def test_spans_of_several_fragments_are_hulls_or_skipped_by_option(tmp_path, capsys, format):
    divided, side = Span(0, 21, "PER", ((0, 4), (15, 21))), Span(5, 8, "ORG")
    whole, links = Field("names", "spans", ("PER", "ORG")), RelationField("links", ("of",))
    document = Document("1", TEXT, {"names": (divided, side), "links": (Relation(divided, side, "of"),)})
    lines = lines_of(record_of(document, (FRAGMENTED, links)))
    path = write(tmp_path, "train.jsonl", lines) if format == "jsonl" else tmp_path / "train"
    if format == "datasets":
        Dataset.from_list([json.loads(lines)]).save_to_disk(str(tmp_path))
    message = refusal(format, path, whole, links)
    assert 'this span "PER" has 2 fragments; the field names has continuous ones.' in message
    assert "The option discontinuous: hull reads it as one span" in message
    hull = Span(0, 21, "PER")
    capsys.readouterr()
    (read_hull,) = read(format, path, whole, links, discontinuous="hull")
    assert read_hull.gold == {"names": (hull, side), "links": (Relation(hull, side, "of"),)}
    assert (
        "1 spans of several fragments are read from their first character to their last (discontinuous: hull), with "
        "the 11 characters between the fragments; 1 other spans share characters with those." in capsys.readouterr().err
    )
    (skipped,) = read(format, path, whole, links, discontinuous="skip")
    assert skipped.gold == {"names": (side,), "links": ()}
    assert (
        "1 spans of several fragments and 1 relations of these are not read (discontinuous: skip)."
        in capsys.readouterr().err
    )


def test_a_misspelled_key_of_fragments_is_an_error(tmp_path):
    span = {"start": 0, "end": 21, "label": "PER", "fragment": [[0, 4], [15, 21]]}
    path = write(tmp_path, "a.jsonl", lines_of({"text": TEXT, "names": [span]}))
    assert 'a span of "names" has no "fragments", but "fragment". Rename it' in refusal("jsonl", path, FRAGMENTED)
    named = write(tmp_path, "b.jsonl", lines_of({"text": TEXT, "names": [{**span, "fragment": "yes"}]}))
    (document,) = read("jsonl", named, FRAGMENTED, AttributeField("fragment", ("yes",), ("PER",)))
    assert document.gold["names"] == (Span(0, 21, "PER"),)


def test_messages_name_the_scheme_that_loses_none(capsys):
    flat = Field("names", "spans", ("x", "y"))
    gold = (Span(0, 9, "x"), Span(2, 4, "x"), Span(2, 3, "x"), Span(5, 6, "y"))
    documents = [Document("1", " " * 9, {"names": gold})]
    with pytest.raises(UserError, match="Write `scheme: levels` in the field, which loses none of them, or `overlaps"):
        refuse_lost_spans(flat, documents, None)
    refuse_lost_spans(replace(flat, scheme="levels", levels=(2, 1)), documents, None)
    message = capsys.readouterr().err
    assert "1 of 4 gold spans" in message
    assert "overlap longer ones of the same label in more levels than the field has" in message
    assert "`scheme: levels` and `levels: [3, 1]` in the field, which loses none" in message


# Windows


def test_a_span_whose_fragments_are_in_different_windows_is_counted_and_not_taught(encoder, capsys):
    windower = WindowTokenizer(tiny.windower_of(encoder("bert")).tokenizer, 8, 0, whole_words=True)
    text = "Arden sent goods. Brisk moved later. Corvo paid goods"
    names = [text.index(word) for word in ("Arden", "Brisk", "Corvo", "paid")]
    arden, brisk, corvo, paid = ((start, start + 5) for start in names)
    paid = (paid[0], paid[0] + 4)
    document = Document(
        "1", text, {"names": (Span.of([arden, brisk], "x"), Span.of([corvo, (text.rindex("goods"), len(text))], "x"))}
    )
    field = replace(TRACK, scheme="tracks")
    windows = windower(text)
    assert len(windows) == 3
    assert [span for _, _, span in across_windows([document], windower, [field])] == [document.gold["names"][0]]
    assert not misaligned([document], windower, [field])
    warn_of_fragments([document], windower, [field], "train")
    assert "1 of 2 gold spans of train have fragments in different windows: 1 (" in capsys.readouterr().err
    rows = label(document, windows, [field])
    assert [[tag[0] for tag in row.gold["names"] if tag[0] > 0] for row in rows] == [[], [], [1, 3]]


def test_edges_of_fragments_are_those_of_spans():
    text = "a \U0001f600b\n and c\U0001f600"
    span = Span.of([(2, 4), (10, 12)], "x")
    edges = BoundaryRules()
    assert edges.trim(text, span) == Span.of([(3, 4), (10, 11)], "x")
    assert edges.trim(text, Span.of([(2, 3), (10, 12)], "x")) == Span(10, 11, "x")
    assert BoundaryRules.of([(text, [span])]) == BoundaryRules(lines=False, pictures=False)
    assert BoundaryRules.of([(text, [Span.of([(0, 1), (3, 4)], "x")])]) == BoundaryRules()


# Models and scores


def test_outside_has_the_logit_zero_in_each_level():
    field = replace(OPEN, labels=("x",), levels=(2,))
    logits = torch.arange(6.0)[None, None]
    assert tag_logits(field, logits).tolist() == [[[[0, 0, 1, 2], [0, 3, 4, 5]]]]
    assert [scores.tolist() for _, scores in track_logits(field, logits[0].numpy())] == [[[0, 0, 1, 2]], [[0, 3, 4, 5]]]


def test_the_bias_of_each_output_is_its_share(encoder):
    windower = tiny.windower_of(encoder("bert"))
    records = leveled.records(6)
    documents = [
        Document(each["id"], each["text"], {"names": tuple(
            sorted(Span(one["start"], one["end"], one["label"], tuple(map(tuple, one.get("fragments", ())))) for one in each["names"])
        )})
        for each in records
    ]  # fmt: skip
    (field,) = with_levels([replace(OPEN, labels=("house", "amount"))], documents)
    rows = [row for document in documents for row in label(document, windower(document.text), [field])]
    bias = prior_logits(rows, field).reshape(4, 3)
    assert field.levels == (2, 2)
    # amounts: `x ... goods` are on the first level, the only ones with a further fragment
    assert bias[2, 2] == bias[2, 0] > bias[3, 2]


def test_what_two_levels_find_equally_is_one_finding():
    field = Field("names", "spans", ("x",), scheme="levels", levels=(2,), fragments=True)
    logits = np.full((6, 6), -5.0)
    for level, path in enumerate(([1, 2, 0, 3, 0, 1], [1, 2, 0, 3, 0, 0])):
        for token, tag in enumerate(path):
            if tag:
                logits[token, 3 * level + tag - 1] = 5.0
    offsets = tuple((2 * token, 2 * token + 1) for token in range(6))
    window, evidence = Window((1,) * 6, offsets, 0, 6, 1.0), []
    found = decode_spans(field, "a b c d e f", [window], [logits], BoundaryRules(), 100, evidence=evidence)
    assert [finding.span for finding in found] == [
        Span(100, 107, "x", ((100, 103), (106, 107))),
        Span(110, 111, "x"),
    ]
    assert [len(rows) for rows in evidence] == [2, 0]
    assert found[0].text == "a b c d"


def test_a_span_is_right_only_with_all_its_fragments():
    field = replace(OPEN, levels=(1, 1))
    gold = [[DIVIDED, Span(10, 12, "y")]]
    near = [replace(DIVIDED, fragments=((0, 3), (5, 9))), Span(0, 9, "x"), replace(DIVIDED, label="y")]
    for wrong in near:
        scores = score(field, gold, [[wrong, Span(10, 12, "y")]])
        assert (scores["f1"], scores["fragments"]["f1"]) == (0.5, 0.0)
        assert intervals(field, gold, [[wrong]])["labels"]["x"] == [0.0, 0.975]
    right = score(field, gold, gold)
    assert (right["f1"], right["fragments"]["f1"], right["fragments"]["support"]) == (1.0, 1.0, 1)
    assert right["labels"]["x"]["f1"] == 1.0
    assert "fragments" not in score(replace(field, fragments=False), gold, gold)


def test_each_fragment_of_a_marked_span_is_marked():
    span = Span(0, 21, "part", ((0, 4), (15, 21)))
    assert marked(TEXT, (span,)) == "@ * part * left @ and right @ * part * atrium @"
    (document,) = marked_documents(Document("d", TEXT), [(span,)])
    assert document.id == "d:0-4;15-21-part"
    assert Relation(span, Span(9, 21, "part"), "beside").head.ranges == ((0, 4), (15, 21))


# Real data


def test_counts_of_the_schemes_on_real_data():
    import span_schemes

    if not (ROOT / "../shared/data").is_dir():
        pytest.skip("../shared/data is not there")
    docs = (ROOT / "docs/data.md").read_text("utf-8")
    for name, read_data, expected in (
        ("cmeee", span_schemes.cmeee, [("bio", 4526, 1), ("tracks", 0, 1), ("levels", 0, 1)]),
        ("medical_cases_real", span_schemes.medical_cases, [("bio", 178, 1), ("tracks", 104, 1), ("levels", 0, 3)]),
    ):
        field, documents = read_data()
        assert list(span_schemes.lost(field, documents)) == expected
        spans = sum(len(document.gold[field.name]) for document in documents)
        numbers = " | ".join(f"{lost:,}" for _, lost, _ in expected)
        assert f"| `{name}` | {spans:,} | {numbers} | {expected[-1][2]} |" in docs
        (levels,) = with_levels([replace(field, scheme="levels")], documents)
        for document in documents:
            cuts = sorted({edge for span in document.gold[field.name] for edge in (span.start, span.end)})
            offsets = list(pairwise(cuts))
            found = {
                span
                for track, kept, _ in by_track(levels, document.gold[field.name])
                for span, _ in to_spans(track, to_tags(track, kept, offsets), offsets)
            }
            assert found == set(document.gold[field.name])
