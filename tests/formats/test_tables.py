"""Tables: csv, tsv, Excel and Parquet are read and written without changing a value."""

from __future__ import annotations

import datetime
import gzip
import json
import tempfile
import zipfile
from pathlib import Path

import annotated
import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Relation, canonical

openpyxl = pytest.importorskip("openpyxl")

TABLES = ("csv", "tsv", "xlsx", "parquet")
TRAPS = (
    "007",
    "NA",
    "=1+1",
    "+1",
    "-2",
    "@SUM(A1)",
    "#N/A",
    "TRUE",
    "1e5",
    "2024-01-02",
    " a ",
    "nan",
    "'x",
    "_x000D_",
)
"""Texts that tools take for numbers, formulas, dates, missing values or escapes."""


def document(text: str = "ACME paid", id: str = "", **values: object) -> AnnotatedDocument:
    return AnnotatedDocument(id, text, layers=None, **values)


def read(name: str, path: Path, **options: object) -> list[AnnotatedDocument]:
    return list(FORMATS[name].documents(path, options))


def again(name: str, documents: list[AnnotatedDocument], folder: Path, **options: object) -> list[AnnotatedDocument]:
    """Write documents, and read them again."""
    FORMATS[name].save(documents, folder / "data", options)
    return read(name, folder / "data", **options)


def refusal(name: str, path: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        read(name, path, **options)
    return str(caught.value)


def text_file(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def workbook(folder: Path, *rows: list[object], sheet: str = "Memos") -> Path:
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


@pytest.mark.parametrize("name", TABLES)
def test_texts_that_tools_take_for_something_else_stay_texts(tmp_path, name):
    documents = [document(trap, f"0{number}", metadata={"note": trap}) for number, trap in enumerate(TRAPS)]
    assert again(name, documents, tmp_path) == documents


@pytest.mark.parametrize("name", ["csv", "xlsx", "parquet"])
def test_line_ends_and_white_space_of_texts_are_kept(tmp_path, name):
    texts = ["a\r\nb", "a\rb\n", "\n", "  ", "\t x", 'say "yes"', "a,b;c|d", "\u2028\x85\u00a0", "_x005F_x000D_"]
    assert [item.text for item in again(name, [*map(document, texts)], tmp_path)] == texts


@pytest.mark.parametrize(("name", "options"), [("csv", {}), ("csv", {"delimiter": ";"}), ("tsv", {"quotes": True})])
@given(texts=st.lists(st.text('ab\r\n" ,;', max_size=6), min_size=1, max_size=3))
@example(texts=["a\rb", "\r", "a\r", "\ra", "a,b\r"])
def test_every_line_end_within_a_cell_is_kept(name, options, texts):
    documents = [document(text, f"m{number}", metadata={"note": f"n{text}"}) for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        found = again(name, documents, Path(folder), **options)
    assert [(item.id, item.text, item.metadata) for item in found] == [
        (item.id, item.text, item.metadata) for item in documents
    ]


def test_tsv_has_blanks_in_place_of_tabs_and_line_ends_and_counts_them(tmp_path):
    losses = FORMATS["tsv"].save([document("a\tb\r\nc")], tmp_path / "data")
    assert losses == {"delimiters and line ends within cells, which become blanks": 3}
    assert [item.text for item in read("tsv", tmp_path / "data")] == ["a b  c"]
    quoted = FORMATS["tsv"].save([document("a\tb")], tmp_path / "quoted", {"quotes": True})
    assert not quoted
    assert [item.text for item in read("tsv", tmp_path / "quoted", quotes=True)] == ["a\tb"]


ANSWERS = {"labels": ["topic", "risk"], "blank": "none", "unlabeled": ["?"]}


@pytest.mark.parametrize("name", TABLES)
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(documents=st.lists(annotated.documents(), min_size=1, max_size=3, unique_by=lambda document: document.id))
def test_labels_in_named_columns_are_kept_also_unknown_and_empty_ones(name, documents):
    options = {"labels": ["topic", "risk"]} if name == "parquet" else ANSWERS
    with tempfile.TemporaryDirectory() as folder:
        expected = [FORMATS[name].reduced(item, options)[0] for item in documents]
        assert [item.labels for item in expected] == [item.labels for item in documents]
        assert [*map(canonical, again(name, documents, Path(folder), **options))] == [*map(canonical, expected)]


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_labels_without_the_option_are_read_as_other_values_and_counted(tmp_path, name):
    item = document(labels={"topic": ("trade", "travel")})
    losses = FORMATS[name].save([item], tmp_path / "data")
    assert losses == {"labels in columns that the option labels does not name, read as other values": 1}
    assert [item.metadata for item in read(name, tmp_path / "data")] == [{"topic": "trade|travel"}]
    assert [item.labels for item in read(name, tmp_path / "data", labels=["topic"])] == [{"topic": ("trade", "travel")}]


def test_answers_that_cells_cannot_express_are_counted(tmp_path):
    items = [document(labels={"topic": ()}), document(labels={})]
    losses = FORMATS["csv"].save(items, tmp_path / "a", {"labels": ["topic"]})
    assert losses == {"answers that no label applies": 1}
    losses = FORMATS["csv"].save(items, tmp_path / "b", {"labels": ["topic"], "blank": "none"})
    assert losses == {"questions without an answer, read as no label applies": 1}
    losses = FORMATS["csv"].save([document(metadata={"page": 1, "empty": "", "no": None})], tmp_path / "c")
    assert losses == {"types of other values, which become texts": 1, "other values that are empty": 2}


def test_empty_cells_of_labels_are_unknown_with_a_warning(tmp_path, capsys):
    path = text_file(tmp_path, "id,text,risk\n1,a,fraud|scam\n2,b,\n")
    assert [item.labels for item in read("csv", path, labels=["risk"])] == [{"risk": ("fraud", "scam")}, {}]
    assert 'column "risk" are empty and 1 have labels' in capsys.readouterr().err
    assert read("csv", path, labels=["risk"], blank="none")[1].labels == {"risk": ()}
    assert read("csv", path, labels=["risk"], blank="unknown", separator="")[0].labels == {"risk": ("fraud|scam",)}
    assert not capsys.readouterr().err


@pytest.mark.parametrize("blank", ["", "unknown", "none"])
def test_cells_of_the_option_none_say_that_no_label_applies(tmp_path, blank):
    options = {"labels": ["risk"], "none": ["-", "n/a"], "unlabeled": ["?"]} | ({"blank": blank} if blank else {})
    path = text_file(tmp_path, "id,text,risk\n1,a,-\n2,b,fraud\n3,c, n/a\n")
    documents = read("csv", path, **options)
    assert [item.labels for item in documents] == [{"risk": ()}, {"risk": ("fraud",)}, {"risk": ()}]
    documents.append(document("d", "4"))
    assert not FORMATS["csv"].save(documents, tmp_path / "again.csv", options)
    assert [item.labels for item in read("csv", tmp_path / "again.csv", **options)] == [
        item.labels for item in documents
    ]


def test_text_of_several_columns_is_read_and_not_written(tmp_path):
    path = text_file(tmp_path, "payer,memo,page\nACME,cash,3\n")
    assert [(item.text, item.metadata) for item in read("csv", path, text=["payer", "memo"])] == [
        ("payer: ACME\nmemo: cash", {"page": "3"})
    ]
    with pytest.raises(UserError, match="cannot be divided into several columns"):
        FORMATS["csv"].save([document()], tmp_path / "b", {"text": ["payer", "memo"]})


def test_rows_have_their_lines_and_faults_are_collected(tmp_path):
    path = text_file(tmp_path, 'id,text,topic\n1,"two\nlines",a\n2,b\n3,c,|\n1,d,a\n4,e,b\n')
    faults: list[UserError] = []
    documents = list(FORMATS["csv"].documents(path, {"labels": ["topic"]}, faults.append))
    assert [(item.id, item.line) for item in documents] == [("1", 2), ("4", 7)]
    assert [fault.line for fault in faults] == [4, 5, 6]
    for fault, words in zip(
        faults, ["has 2 columns, not 3", "has an empty label", 'id "1" is also that of line 2'], strict=True
    ):
        assert words in str(fault)


@pytest.mark.parametrize(("content", "options", "words"), [
    ("", {}, 'the file is empty'),
    ("text;id\na;1\n", {}, 'set the option delimiter: ";"'),
    ("id,text\n1,a\n", {"labels": ["topic"]}, 'there is no column "topic", which the option labels names'),
    ("id,text\n1,a\n", {"labels": ["text"]}, 'the column "text" is named twice'),
    ("id,text\n1,a\n", {"delimiter": "--"}, "It must be one character"),
    ("id,text\n1,a\n", {"text": []}, "names no column"),
    ('id,text\n1,"a\n2,b\n3,c"\n', {}, "some of these look like rows"),
    (b"id,text\n1,\xe9\n", {}, "is not UTF-8 text"),
    (b"id,text\n1,\0\n", {}, "binary data"),
    ("\ufeffid,text\n1,a\n".encode("utf-16"), {}, "UTF-16"),
])  # fmt: skip
def test_file_that_cannot_be_read_is_refused(tmp_path, content, options, words):
    assert words in refusal("csv", text_file(tmp_path, content), **options)


def test_compressed_file_is_read_written_and_refused_if_truncated(tmp_path):
    FORMATS["csv"].save([document("a", "1")], tmp_path / "a.csv.gz")
    whole = (tmp_path / "a.csv.gz").read_bytes()
    assert gzip.decompress(whole) == b"id,text\n1,a\n"
    assert read("csv", tmp_path / "a.csv.gz") == [document("a", "1")]
    assert "damaged or truncated" in refusal("csv", text_file(tmp_path, whole[:15], "b.csv.gz"))


@pytest.mark.parametrize(("documents", "options", "words"), [
    ([document(metadata={"text": "b"})], {}, 'two columns would have the name "text"'),
    ([document(metadata={"": "b"})], {}, "a column would have no name"),
    ([document(id="1"), document(id="1")], {}, 'two documents have the id "1"'),
    ([document(labels={"topic": ("a|b",)})], {"labels": ["topic"]}, "would be read as others"),
    ([document(labels={"topic": (" a",)})], {"labels": ["topic"]}, "would be read as others"),
    ([document(labels={"topic": ("?",)})], {"labels": ["topic"], "unlabeled": ["?"]}, "would be read as others"),
    ([document(labels={"topic": ("-",)})], {"labels": ["topic"], "none": ["-"]}, "would be read as others"),
    ([document(labels={"topic": ("a", "b")})], {"labels": ["topic"], "separator": ""}, "would be read as others"),
    ([document("a\0b")], {}, "a NUL character"),
    ([document("a\nb1,c\nd", "1")], {}, "look like rows"),
    ([document()], {"columns": ["id", "words"]}, "lacks the column 'text'"),
])  # fmt: skip
def test_documents_that_could_not_be_read_again_are_not_written(tmp_path, documents, options, words):
    with pytest.raises(UserError, match=words.replace("?", r"\?")):
        FORMATS["csv"].save(documents, tmp_path / "data", options)
    assert not list(tmp_path.iterdir())


def test_columns_can_be_named_in_place_of_a_header(tmp_path):
    options = {"header": False, "columns": ["text", "page", "id"]}
    FORMATS["csv"].save([document("a", "1")], tmp_path / "data", options)
    assert (tmp_path / "data").read_text("utf-8") == "a,,1\n"
    assert read("csv", tmp_path / "data", **options) == [document("a", "1")]


# Excel


def test_cells_of_excel_are_texts(tmp_path):
    when = datetime.datetime(2024, 1, 2, 3, 4, 5)
    values = [7, 0.5, True, when, datetime.date(2024, 1, 2), datetime.time(3, 4), "007", None]
    path = workbook(tmp_path, ["text", *(f"c{index}" for index in range(len(values)))], [], ["a", *values])
    (item,) = read("xlsx", path)
    assert (item.text, item.line) == ("a", 3)
    assert [*item.metadata.values()] == ["7", "0.5", "TRUE", "2024-01-02T03:04:05", "2024-01-02", "03:04:00", "007"]


def test_formulas_hidden_rows_merged_cells_and_other_sheets_are_counted(tmp_path, capsys):
    path = workbook(tmp_path, ["text", "sum"], ["a", "=1+1"], ["b", "x"])
    book = openpyxl.load_workbook(path)
    book.active.row_dimensions[3].hidden = True
    book.active.merge_cells("A5:B6")
    book.create_sheet("Old").append(["text"])
    book.save(path)
    assert [item.metadata for item in read("xlsx", path)] == [{"sum": "=1+1"}, {"sum": "x"}]
    warned = capsys.readouterr().err
    for words in (
        'the sheet "Memos" is read, not "Old"',
        "1 cells have formulas",
        "1 hidden rows",
        "1 groups of merged",
    ):
        assert words in warned
    assert read("xlsx", path, sheet="Old") == []
    assert 'there is no sheet "Memo". Did you mean "Memos"' in refusal("xlsx", path, sheet="Memo")


def test_what_excel_would_take_for_a_formula_is_written_as_a_text(tmp_path):
    FORMATS["xlsx"].save([document("=1+1", "@a")], tmp_path / "a.xlsx")
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx").active["B2"]
    assert (cell.data_type, cell.value, cell.quotePrefix) == ("s", "=1+1", True)
    assert b"<f>" not in zipfile.ZipFile(tmp_path / "a.xlsx").read("xl/worksheets/sheet1.xml")


def test_characters_that_excel_escapes_are_read(tmp_path):
    """Excel writes a carriage return as _x000D_."""
    path = workbook(tmp_path, ["text"], ["shared"])
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, content.replace(b"shared", b"a_x000D_\nb") if "xl/" in name else content)
    assert [item.text for item in read("xlsx", tmp_path / "b.xlsx")] == ["a\r\nb"]


@pytest.mark.parametrize(("content", "words"), [
    (b"", "not a workbook"),
    (b"text,id\n", "not a workbook"),
    (b"PK\x03\x04 truncated", "not a workbook"),
    (b"\xd0\xcf\x11\xe0 old", "an old .xls"),
])  # fmt: skip
def test_file_that_is_no_workbook_is_refused(tmp_path, content, words):
    assert words in refusal("xlsx", text_file(tmp_path, content, "a.xlsx"))
    assert "there is no such file" in refusal("xlsx", tmp_path / "none.xlsx")


def test_truncated_workbook_is_refused(tmp_path):
    whole = workbook(tmp_path, ["text"], ["a"]).read_bytes()
    assert "not a workbook" in refusal("xlsx", text_file(tmp_path, whole[: len(whole) // 2], "b.xlsx"))


def test_an_index_column_of_pandas_is_left_out(tmp_path, capsys):
    path = workbook(tmp_path, [None, "text", "page"], [0, "a", 1], [2, "b", 2])
    assert [(item.text, item.metadata) for item in read("xlsx", path)] == [("a", {"page": "1"}), ("b", {"page": "2"})]
    assert "the first column of the sheet" in capsys.readouterr().err
    path = workbook(tmp_path, [None, "text"], [1, "a"], [1, "b"])
    assert "in a column without a name" in refusal("xlsx", path)


def test_cell_in_a_column_without_a_name_is_a_fault(tmp_path):
    path = workbook(tmp_path, ["text", None, "page"], ["a", "lost", 1], ["b", None, 2], ["c", None, 3, "beyond"])
    faults: list[UserError] = []
    assert [item.text for item in FORMATS["xlsx"].documents(path, {}, faults.append)] == ["b"]
    assert [str(fault).split(": ")[0] for fault in faults] == [f"{path}:2", f"{path}:4"]
    assert all("in a column without a name" in str(fault) for fault in faults)


@pytest.mark.parametrize(("item", "options", "words"), [
    (document("x" * 32_768), {}, "Excel allows 32,767"),
    (document("\N{GRINNING FACE}" * 16_384), {}, "Excel allows 32,767"),
    (document(""), {}, "its row would be blank"),
    (document(), {"sheet": "a/b"}, "the option sheet is 'a/b'"),
])  # fmt: skip
def test_documents_that_excel_cannot_hold_are_not_written(tmp_path, item, options, words):
    with pytest.raises(UserError, match=words):
        FORMATS["xlsx"].save([item], tmp_path / "data", options)
    assert not list(tmp_path.iterdir())


# Parquet


def test_class_labels_and_lists_of_datasets_are_labels(tmp_path):
    topics = datasets.ClassLabel(names=["trade", "travel"])
    features = datasets.Features({
        "text": datasets.Value("string"), "id": datasets.Value("int64"), "topic": topics,
        "risks": datasets.List(topics), "tags": datasets.List(datasets.Value("string")), "source": datasets.Value("string"),
    })  # fmt: skip
    rows = [
        {"text": "a", "id": 1, "topic": 1, "risks": [0, 1], "tags": ["x"], "source": "m"},
        {"text": "b", "id": 2, "topic": -1, "risks": [], "tags": None, "source": None},
    ]
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "a.parquet")
    first, second = read("parquet", tmp_path / "a.parquet")
    assert (first.id, first.file) == ("1", f"{tmp_path / 'a.parquet'}, record 1")
    assert first.labels == {"topic": ("travel",), "risks": ("trade", "travel"), "tags": ("x",)}
    assert first.metadata == {"source": "m"}
    assert (second.labels, second.metadata) == ({"risks": ()}, {})
    (first, _) = read("parquet", tmp_path / "a.parquet", labels=["source", "topic"])
    assert first.labels == {"topic": ("travel",), "source": ("m",)}


def test_file_that_is_written_is_one_of_datasets(tmp_path):
    labels = [{"topic": ("b",), "risks": ("x", "y")}, {"topic": ("a",), "risks": ()}]
    values = [{"page": 1, "any": {"k": [None]}}, {"any": "text"}]
    items = [document(labels=labels[index], metadata=values[index]) for index in range(2)]
    FORMATS["parquet"].save(items, tmp_path / "a.parquet")
    table = datasets.Dataset.from_parquet(str(tmp_path / "a.parquet"), cache_dir=str(tmp_path / "cache"))
    assert table.features["topic"].names == ["a", "b"]
    assert table[0] == {
        "id": None, "text": "ACME paid", "topic": 1, "risks": ["x", "y"], "page": 1, "any": {"k": [None]},
    }  # fmt: skip


def test_spans_of_datasets_are_read_as_layers(tmp_path):
    """Lists of structs, and the struct of lists that older versions of `datasets` make of `Sequence`."""
    kinds = datasets.ClassLabel(names=["PAYER", "AMOUNT"])
    place = {"start": datasets.Value("int32"), "end": datasets.Value("int32")}
    features = datasets.Features({
        "text": datasets.Value("string"), "spans": datasets.List({**place, "label": kinds}),
        "names": datasets.Sequence({**place, "label": datasets.Value("string"), "text": datasets.Value("string")}),
        "other": datasets.List({"start": datasets.Value("int32")}),
    })  # fmt: skip
    rows = [
        {"text": "ACME paid", "spans": [{"start": 0, "end": 4, "label": 0}, {"start": 5, "end": 9, "label": 1}],
         "names": {"start": [0], "end": [4], "label": ["ORG"], "text": ["ACME"]}, "other": [{"start": 1}]},
        {"text": "x", "spans": [], "names": None, "other": None},
    ]  # fmt: skip
    datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "a.parquet")
    first, second = read("parquet", tmp_path / "a.parquet")
    assert [(span.layer, span.label, first.passage(span)) for span in first.spans] == [
        ("", "PAYER", "ACME"), ("", "AMOUNT", "paid"), ("names", "ORG", "ACME"),
    ]  # fmt: skip
    assert (first.layers, first.metadata) == (("", "names"), {"other": [{"start": 1}]})
    assert (second.layers, second.spans) == (("",), ())


def test_datasets_reads_the_spans_and_relations_that_are_written(tmp_path):
    spans = (
        AnnotatedSpan("T1", "ORG", ((0, 4),), attributes=(Attribute("sure", "no"),), score=0.5),
        AnnotatedSpan("T2", "ACT", ((5, 9),)),
    )
    pays = Relation("R1", "pays", (("Arg1", "T1"), ("Arg2", "T2")))
    items = [AnnotatedDocument("", "ACME paid", spans, (pays,)), document("x")]
    assert FORMATS["parquet"].save(items, tmp_path / "a.parquet") == {}
    table = datasets.Dataset.from_parquet(str(tmp_path / "a.parquet"), cache_dir=str(tmp_path / "cache"))
    assert table.features["spans"].feature["label"].names == ["ACT", "ORG"]
    assert table[0]["spans"] == [
        {"start": 0, "end": 4, "label": 1, "text": "ACME", "id": "T1", "score": 0.5,
         "attributes": [{"name": "sure", "value": "no"}]},
        {"start": 5, "end": 9, "label": 0, "text": "paid", "id": "T2", "score": None, "attributes": None},
    ]  # fmt: skip
    assert table[0]["_relations"] == [{
        "id": "R1", "label": "pays",
        "arguments": [{"role": "Arg1", "target": "T1"}, {"role": "Arg2", "target": "T2"}],
    }]  # fmt: skip
    assert table[1]["spans"] is None
    assert read("parquet", tmp_path / "a.parquet") == items
    table.to_parquet(tmp_path / "b.parquet")
    assert read("parquet", tmp_path / "b.parquet") == items, "datasets writes what it has read"


DIVIDED = {"start": 0, "end": 21, "label": "PART", "fragments": [[0, 4], [15, 21]]}
QUOTED = ({}, {"text": ["left", "atrium"]}, {"text": "left and right atrium"}, {"text": "left atrium"})
"""The texts that a span of two fragments may have."""


def test_fragments_are_pairs_or_objects_and_null_where_there_are_none(tmp_path):
    """As `Dataset.to_json` and `Dataset.to_parquet` write them for the columns of a pushed data set."""
    whole = {"start": 0, "end": 4, "label": "PART"}
    as_objects = [{"start": start, "end": end} for start, end in DIVIDED["fragments"]]
    cases = [*({**DIVIDED, **quoted} for quoted in QUOTED), {**DIVIDED, "fragments": as_objects}]
    for number, span in enumerate(cases):
        rows = [{"text": "left and right atrium", "spans": [{**whole, "fragments": none}, span]} for none in (None, [])]
        table = datasets.Dataset.from_list(rows)
        table.to_parquet(tmp_path / f"{number}.parquet")
        (tmp_path / f"{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        table.to_json(tmp_path / f"of_datasets_{number}.jsonl")
        for name, file in (
            ("parquet", f"{number}.parquet"),
            ("jsonl", f"{number}.jsonl"),
            ("jsonl", f"of_datasets_{number}.jsonl"),
        ):
            for each in read(name, tmp_path / file):
                assert [part.fragments for part in each.spans] == [((0, 4),), ((0, 4), (15, 21))]


@pytest.mark.parametrize(("values", "words"), [
    ({"fragments": [[0, 4], [15, 20]]}, 'a span of "spans" is 0 to 21, and its fragments 0 to 20'),
    ({"fragments": [[0, 4], [15]]}, 'a span of "spans" has "fragments": [[0, 4], [15]]. It must be a list of offsets'),
    ({"text": ["left"]}, 'a span of "spans" has 2 fragments and 1 texts'),
    ({"text": ["left", "right"]}, "the span 15 to 21 is 'atrium', not 'right'"),
    ({"text": "left"}, "the span 0 to 21 is 'left and right atrium', not 'left'"),
])  # fmt: skip
def test_fragments_that_do_not_fit_are_refused(tmp_path, values, words):
    row = {"text": "left and right atrium", "spans": [{**DIVIDED, **values}]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text(json.dumps(row), "utf-8")
    assert words in refusal("parquet", tmp_path / "a.parquet")
    assert words in refusal("jsonl", tmp_path / "a.jsonl")


def test_one_quotation_of_several_fragments_proves_their_unit(tmp_path):
    face = "\N{GRINNING FACE} "
    span = {"start": 3, "end": 24, "label": "PART", "fragments": [[3, 7], [18, 24]], "text": "left and right atrium"}
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": f"{face}{span['text']}", "spans": [span]}), "utf-8")
    (item,) = read("jsonl", tmp_path / "a.jsonl")
    assert item.spans[0].fragments == ((2, 6), (17, 23))


@pytest.mark.parametrize(("span", "words"), [
    ({"start": 0, "end": 40, "label": "A"}, "the span 0 to 40 is outside the text of 9 characters"),
    ({"start": 0, "end": 4, "label": "A", "text": "EMCA"}, "the span 0 to 4 is 'ACME', not 'EMCA'"),
    ({"start": 0.5, "end": 4.0, "label": "A"}, "start and end must be whole numbers"),
    ({"start": 0, "end": 4, "label": 7}, '"spans" contains the label 7. It must be a text'),
    ({"start": None, "end": 4, "label": "A"}, "start and end must be whole numbers"),
])  # fmt: skip
def test_invalid_spans_of_parquet_are_refused(tmp_path, span, words):
    pq.write_table(pa.Table.from_pylist([{"text": "ACME paid", "spans": [span]}]), tmp_path / "a.parquet")
    message = refusal("parquet", tmp_path / "a.parquet")
    assert "record 1: " in message
    assert words in message


def test_invalid_annotation_of_parquet_is_refused(tmp_path):
    end = [{"role": "a", "target": "T9"}]
    row = {"text": "ACME paid", "_relations": [{"id": "R1", "label": "r", "arguments": end}]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    assert 'record 1: the annotation is invalid: there is no annotation "T9"' in refusal(
        "parquet", tmp_path / "a.parquet"
    )
    lists = {"start": [0], "end": [4, 9], "label": ["A"]}
    pq.write_table(pa.Table.from_pylist([{"text": "ACME paid", "spans": lists}]), tmp_path / "a.parquet")
    assert "have different lengths" in refusal("parquet", tmp_path / "a.parquet")
    item = AnnotatedDocument("", "x", layers=("topic",), labels={"topic": ("a",)})
    with pytest.raises(UserError, match='two columns would have the name "topic"'):
        FORMATS["parquet"].save([item], tmp_path / "b.parquet")


def test_typed_values_of_parquet_become_values_of_json(tmp_path, capsys):
    when = datetime.datetime(2024, 1, 2, 3, 4, 5)
    row = {"text": "a", "when": when, "raw": b"x", "spans": [{"start": 0}], "nan": float("nan"), "big": 1}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    (item,) = read("parquet", tmp_path / "a.parquet")
    assert item.metadata == {"when": when.isoformat(), "spans": [{"start": 0}], "nan": "nan", "big": 1}
    assert "the columns of bytes raw are not read" in capsys.readouterr().err


@pytest.mark.parametrize(("row", "options", "words"), [
    ({"text": None}, {}, "record 1: \"text\" is None"),
    ({"text": "a", "id": 0.5}, {}, "the id is 0.5"),
    ({"text": "a", "tags": ["x", None]}, {}, "contains the label None"),
    ({"text": "a", "n": 1}, {"labels": ["n"]}, "of the type int64, which has no names of labels"),
    ({"texts": "a"}, {}, 'there is no column "text". Did you mean "texts"'),
])  # fmt: skip
def test_parquet_of_other_types_is_refused(tmp_path, row, options, words):
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    assert words in refusal("parquet", tmp_path / "a.parquet", **options)


def test_file_that_is_no_parquet_is_refused(tmp_path):
    FORMATS["parquet"].save([document()], tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for content in (b"", b"text\na\n", whole[: len(whole) // 2]):
        assert "not a Parquet file" in refusal("parquet", text_file(tmp_path, content, "b.parquet"))
    assert "there is no such file" in refusal("parquet", tmp_path / "none")


def test_formats_are_recognized(tmp_path):
    for name in TABLES:
        path = tmp_path / f"a.{name}"
        FORMATS[name].save([document()], path)
        assert [other for other in TABLES if FORMATS[other].detect(path)] == [name]


@pytest.mark.parametrize(("column", "beside"), [("topic.responses", "status"), ("topic.suggestion", "agent")])
def test_parquet_of_argilla_is_refused(tmp_path, column, beside):
    """Its `to_datasets` writes suggestions as lists of texts, as answers are, and the status of answers apart."""
    row = {"id": "1", "text": "a", column: ["pay"], f"{column}.{beside}": ["x"]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=f'the columns "{column}" are answers and suggestions of Argilla') as error:
        read("parquet", tmp_path / "a.parquet")
    assert "Export the records with records.to_json, and read that file as argilla." in str(error.value)
    pq.write_table(pa.Table.from_pylist([{"text": "a", column: ["pay"]}]), tmp_path / "b.parquet")
    assert read("parquet", tmp_path / "b.parquet")[0].labels == {column: ("pay",)}


def test_quoted_cells_of_tsv_are_text_with_a_warning(tmp_path, capsys):
    rows = 'id\ttext\n1\t"c, d"\n2\t"say ""yes"""\n3\t"a" and "b"\n4\t5"\n'
    items = read("tsv", text_file(tmp_path, rows.encode(), "a.tsv"))
    assert items[0].text == '"c, d"'
    warned = capsys.readouterr().err
    assert (
        "a.tsv: 2 rows have a cell in quotes, which are read as part of the text. Set the option quotes: true" in warned
    )


CUT = "the last row has no line end, as in a file that was cut: check that it is whole."


@pytest.mark.parametrize(
    ("name", "last", "warned"),
    [
        ("csv", "2,ACME pa", True), ("tsv", "2\tACME pa", True), ("csv", "2,ACME paid\n", False),
        ("tsv", "2\tACME paid\r\n", False), ("csv", '2,"ACME paid"', False),
    ],
)  # fmt: skip
def test_a_last_row_without_a_line_end_is_warned_of(tmp_path, caplog, name, last, warned):
    content = "id,text\n1,so\n".replace(",", "," if name == "csv" else "\t") + last
    assert len(read(name, text_file(tmp_path, content, f"a.{name}"))) == 2
    assert (f"{tmp_path}/a.{name}:3: {CUT}" in caplog.text) == warned


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_a_file_that_is_cut_before_its_last_cell_is_an_error_of_the_last_line(tmp_path, name):
    content = "id,topic,text\n1,a,so\n2,b".replace(",", "," if name == "csv" else "\t")
    assert f"a.{name}:3: this row has 2 columns, not 3 (id, topic, text)." in refusal(
        name, text_file(tmp_path, content, f"a.{name}")
    )


@pytest.mark.parametrize("name", ["csv", "tsv"])
@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, name, content):
    path = text_file(tmp_path, content)
    assert refusal(name, path) == f"{path}: the file is empty. Its first line must name the columns, such as text."


def test_an_empty_sheet_is_said_to_be_empty(tmp_path):
    path = workbook(tmp_path)
    assert refusal("xlsx", path) == f"{path}: the file is empty. Its first line must name the columns, such as text."


def test_parquet_with_changed_bytes_is_said_to_be_damaged(tmp_path):
    FORMATS["parquet"].save([document()], tmp_path / "data")
    raw = (tmp_path / "data").read_bytes()
    says = set()
    for place in range(0, len(raw), 5):
        path = tmp_path / "damaged"
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :])
        try:
            read("parquet", path)
        except UserError as error:
            says |= {error.message} if "Parquet" in error.message or "cannot be read" in error.message else set()
    assert "this is not a Parquet file, or it is damaged (OSError)." in says
    assert not [message for message in says if "None" in message]
