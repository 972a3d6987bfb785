"""Inputs of extraction of every kind, and inputs that cannot be read, each a line of the file of errors."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import os
import random
import shutil
import sys
import threading
from pathlib import Path

import datasets
import pandas
import pyarrow
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from electra_ie import Task, UserError, extract
from electra_ie.common import text_files
from electra_ie.common.text_files import LINE, lines
from electra_ie.inference.jobs import chunks
from electra_ie.inference.jobs.inputs import Inbox
from electra_ie.inference.jobs.seen_ids import SeenIds

TEXT = "invoice goods Arden paid 5.975,74 later than monday."


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.fixture
def task(tmp_path) -> Task:
    return Task.load(tiny.write_task(tmp_path / "task"))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def put(name: str, content: str | bytes = TEXT) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def documents(task: Task, *paths, **options) -> tuple[list[tuple[str, str]], list[str]]:
    faults: list[UserError] = []
    found = [(each.id, each.text) for each in Inbox(paths, task, **options).read(faults.append)]
    return found, [str(fault) for fault in faults]


def pdf_of(pages: list[str]) -> bytes:
    """Return a PDF with these texts."""
    fonts = "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    for number, text in enumerate(pages):
        stream = f"BT /F 12 Tf 50 700 Td ({text}) Tj ET" if text else ""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources {fonts} /Contents {4 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    file = io.BytesIO(b"%PDF-1.4\n")
    file.seek(0, io.SEEK_END)
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(file.tell())
        file.write(f"{number} 0 obj\n{content}\nendobj\n".encode())
    start = file.tell()
    rows = "".join(f"{place:010} 00000 n \n" for place in places)
    file.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode())
    file.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return file.getvalue()


# Kinds of input


def test_compressed_files_are_read_as_their_content(home, task, capsys):
    put("in/a.txt.gz", gzip.compress(b"A"))
    put("in/r.JSONL.gz", gzip.compress(b'{"text": "one"}\n{"id": 7, "text": "two"}\n'))
    put("t.csv.gz", gzip.compress(b"id,text\n1,three\n"))
    put("t.tsv.gz", gzip.compress(b"id\ttext\n2\tfour\n"))
    put("in/x.tar.gz", gzip.compress(b"tar"))
    assert documents(task, "in") == ([("a.txt.gz", "A"), ("r-1", "one"), ("7", "two")], [])
    assert documents(task, "t.csv.gz", "t.tsv.gz") == ([("1", "three"), ("2", "four")], [])
    assert documents(task, "in/x.tar.gz") == (
        [], ["in/x.tar.gz: a .gz file is not read as text. Convert it to .txt, or to .jsonl with one text per line."],
    )  # fmt: skip


def test_patterns_name_files_by_their_path_below_the_fixed_folders(home, task):
    for name in ("in/a/memo.md", "in/b/memo.md", "in/b/c/memo.md", "in/b/other.log", "[x].txt"):
        put(name, name)
    assert [id for id, _ in documents(task, "in/**/*.md")[0]] == ["a/memo.md", "b/c/memo.md", "b/memo.md"]
    assert [id for id, _ in documents(task, "in/b/*.*")[0]] == ["memo.md", "other.log"]
    assert documents(task, "[x].txt")[0] == [("[x].txt", "[x].txt")], "a path that exists is no pattern"
    with pytest.raises(UserError, match=r"in/\*.csv: no file has a name of this pattern"):
        Inbox(["in/*.csv"], task)


def test_parquet_and_saved_data_sets_are_read_by_columns(home, task):
    rows = {"n": [1, 2, 3, 4], "memo": ["one", None, "three", "é" * 2000], "other": [[1]] * 4}
    pandas.DataFrame(rows).to_parquet("m.parquet", row_group_size=2)
    texts, faults = documents(task, "m.parquet", text="memo")
    assert texts == [("m-1", "one"), ("m-3", "three"), ("m-4", "é" * 2000)]
    assert faults == ['m.parquet:2: "memo" is null, not a text. Give the record a text, or remove it.']
    assert [id for id, _ in documents(task, "m.parquet", text="memo", id="n")[0]] == ["1", "3", "4"]
    (fault,) = documents(task, "m.parquet")[1]
    assert fault == 'm.parquet: there is no column "text". Valid: n, memo, other. Name it with --text.'
    assert documents(task, "m.parquet", text="n")[1][0].startswith('m.parquet:1: "n" is 1, not a text.')
    assert documents(task, "m.parquet", text="other")[1][0].startswith('m.parquet:1: "other" is a list, not a text.')

    table = datasets.Dataset.from_dict({"text": ["one", "two"]})
    table.save_to_disk("saved/one")
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk("saved/two")
    assert documents(task, "saved/one") == ([("one-1", "one"), ("one-2", "two")], [])
    assert documents(task, "saved/two")[0] == [
        ("two/train-1", "one"), ("two/train-2", "two"), ("two/test-1", "one"), ("two/test-2", "two"),
    ]  # fmt: skip
    shutil.copytree("saved/one", "broken")
    for file in Path("broken").glob("*.arrow"):
        file.write_bytes(b"no table")
    assert documents(task, "broken")[1][0].startswith("broken: this data set cannot be read")


@needs("inscriptis")
@needs("pypdf")
def test_offsets_in_pages_and_pdfs_refer_to_the_text_that_is_kept(home, untrained):
    page = f"<html><head><title>T</title><script>no()</script></head><body><p>{TEXT}</p><p>é &amp; co</p></body></html>"
    put("in/a.html", page)
    put("in/latin.htm", '<meta charset="iso-8859-1"><p>Café “paid”</p>'.encode("cp1252"))
    put("in/b.pdf", pdf_of([TEXT, "river winter Brisk paid 3.100,20"]))
    assert extract(untrained, ["in/*.*"], "findings.jsonl")["documents"] == 3
    kept = [json.loads(line) for line in Path("findings.jsonl.texts.jsonl").read_text("utf-8").splitlines()]
    records = [json.loads(line) for line in Path("findings.jsonl").read_text("utf-8").splitlines()]
    assert [each["id"] for each in kept] == [each["id"] for each in records] == ["a.html", "b.pdf", "latin.htm"]
    assert TEXT in kept[0]["text"] and "é & co" in kept[0]["text"] and "no()" not in kept[0]["text"]
    assert kept[1]["text"].split() == f"{TEXT} river winter Brisk paid 3.100,20".split()
    assert kept[2]["text"].strip() == "Café “paid”"
    for text, record in zip(kept, records, strict=True):
        assert len(text["text"]) == record["characters"]
        for finding in record["findings"]:
            assert finding.get("text") in (None, text["text"][finding["start"] : finding["end"]])
    with pytest.raises(UserError, match="is kept beside the findings. Give a file for the findings with --output"):
        extract(untrained, ["in/a.html"], io.StringIO())
    (Path("in") / "found").mkdir()
    shutil.copy("findings.jsonl.texts.jsonl", "in/found/texts.jsonl")
    with pytest.raises(UserError, match="none|there is no .txt"):
        extract(untrained, ["in/found"], "again.jsonl")


# Inputs that cannot be read

FAULTS = {
    "nul.txt": (b"Arden\0paid", 1, "this is binary data (a NUL byte), not text."),
    "latin.txt": ("ok\ncafé".encode("latin-1"), 2, "the byte 0xe9 is not UTF-8 text."),
    "broken.txt.gz": (gzip.compress(b"A" * 1000)[:20], None, "this .gz file is damaged or truncated."),
    "not.jsonl.gz": (b"no gzip", None, "this .gz file is damaged or truncated."),
    "broken.parquet": (b"PAR1 and no more", None, "this is not a Parquet file, or it is damaged"),
    "broken.pdf": (b"%PDF-1.4 and no more", None, "this PDF cannot be read ("),
    "scan.pdf": (pdf_of([""]), None, "this PDF has no text."),
    "empty.html": (b"<script>x</script>", None, "the page has no text."),
    "declared.html": (
        b'<meta charset="shift_jis"><p>a</p>\xff\xff',
        None,
        "not in the encoding shift_jis that it declares",
    ),
    "bytes.html": (b"<p>caf\xe9</p>", 1, "the byte 0xe9 is not UTF-8 text."),
    "table.csv": (b"id,text\n1,one,more\n", 2, "this row has 3 columns, not 2"),
}


@needs("inscriptis")
@needs("pypdf")
@pytest.mark.unix("file names that are no UTF-8")
def test_each_unreadable_input_is_a_line_of_the_file_of_errors(home, untrained, monkeypatch, capsys):
    monkeypatch.setattr(text_files, "MAX_LINE", 2**21)
    expected = {f"in/{name}": (line, reason) for name, (_, line, reason) in FAULTS.items()}
    for name, (content, _, _) in FAULTS.items():
        put(f"in/{name}", content)
    put("in/long.jsonl", b'{"text": "' + b"x" * (2**21 + 10) + b'"}\n{"text": "the line after it"}\n')
    put("in/good.txt")
    (Path("in") / "gone.txt").symlink_to("nowhere")
    with open(b"in/\xff.txt", "wb") as file:
        file.write(b"A")
    expected |= {
        "in/long.jsonl": (1, "this line has more than 2 MiB."),
        "in/gone.txt": (None, "this link points to nothing."),
        "in/\\xff.txt": (None, "the name of this file is not UTF-8."),
    }
    from test_jobs import command

    assert command(monkeypatch, "extract", untrained, "in/*", "-o", "findings.jsonl") == 3
    errors = [json.loads(line) for line in Path("findings.jsonl.errors.jsonl").read_text("utf-8").splitlines()]
    found = {error["file"]: (error["line"], error["reason"]) for error in errors}
    assert found.keys() == expected.keys()
    for file, (line, reason) in expected.items():
        assert found[file][0] == line, file
        assert reason in found[file][1], file
    records = [json.loads(line)["id"] for line in Path("findings.jsonl").read_text("utf-8").splitlines()]
    assert records == ["good.txt", "long-2"]
    assert "2 documents" in capsys.readouterr().err.splitlines()[-1]
    assert command(monkeypatch, "extract", untrained, "in/*", "-o", "strict.jsonl", "--strict") == 2
    assert not Path("strict.jsonl").exists()


def test_kind_whose_package_is_missing_is_a_fault_with_the_command_that_installs_it(home, task, monkeypatch):
    put("a.pdf", pdf_of([TEXT]))
    put("a.parquet", b"PAR1")
    put("data/dataset_dict.json", "{}")
    for package in ("pypdf", "pyarrow", "datasets"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("electra_ie.common.packages.find_spec", lambda name: None)
    assert documents(task, "a.pdf", "a.parquet", "data")[1] == [
        "a.pdf: PDF needs the package pypdf, which is not installed. Run: pip install 'electra_ie[documents]'",
        "a.parquet: Parquet needs the package pyarrow, which is not installed. Run: pip install pyarrow",
        "data: a folder that datasets saved needs the package datasets, which is not installed. Run: pip install datasets",
    ]


def test_damaged_parquet_says_what_is_not_read(home, task):
    rows = [{"id": str(number), "text": f"text {number} " * 20} for number in range(2000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), "t.parquet", row_group_size=500, compression="none")
    content = bytearray(Path("t.parquet").read_bytes())
    start = parquet.ParquetFile("t.parquet").metadata.row_group(2).column(1).data_page_offset
    content[start : start + 40] = b"\xff" * 40
    Path("t.parquet").write_bytes(content)
    texts, (fault,) = documents(task, "t.parquet")
    assert 0 < len(texts) <= 1000
    assert fault.startswith("t.parquet: this is not a Parquet file, or it is damaged (")
    assert fault.endswith("Write it again. What follows in this file is not read.")


def test_no_file_that_extract_wrote_is_read_from_a_folder(home, untrained, monkeypatch):
    put("in/a.txt")
    put("in/b.txt", b"\0")
    extract(untrained, ["in"], "in/findings.jsonl")
    extract(untrained, ["in"], "in/again.jsonl")
    assert sorted(os.listdir("in")) == sorted(
        [
            "a.txt",
            "b.txt",
            *(
                f"{name}.jsonl{rest}"
                for name in ("findings", "again")
                for rest in ("", ".errors.jsonl", ".manifest.json")
            ),
        ]
    )
    assert [json.loads(line)["id"] for line in Path("in/again.jsonl").read_text("utf-8").splitlines()] == ["a.txt"]


# Memory


@given(st.text(alphabet="ab\r\n", max_size=40), st.integers(1, 7))
def test_lines_do_not_depend_on_the_blocks_that_are_read(tmp_path_factory, text, block):
    file = tmp_path_factory.getbasetemp() / "lines.txt"
    file.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "BLOCK", block)
        assert [line for _, line in lines(file)] == [line.decode() for line in LINE.findall(text.encode())]


def test_long_line_is_not_held_in_memory_and_the_next_ones_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE", 10)
    monkeypatch.setattr(text_files, "BLOCK", 4)
    (tmp_path / "a.txt").write_bytes(b"one\n" + b"x" * 50 + b"\r\ntwo\n" + b"y" * 30 + b"\rthree")
    faults: list[UserError] = []
    assert list(lines(tmp_path / "a.txt", faults.append)) == [(1, "one\n"), (3, "two\n"), (5, "three")]
    assert [fault.line for fault in faults] == [2, 4]


def test_taken_ids_are_found_among_many():
    with SeenIds() as ids:
        assert all(ids.add(f"memo-{number}", number % 7, number) is None for number in range(20_000))
        assert ids.add("memo-19999", 0, 0) == (19_999 % 7, 19_999)


def test_progress_reaches_the_size_of_the_inputs(home, task):
    put("a.jsonl", "".join(json.dumps({"text": "x" * 50}) + "\n" for _ in range(3000)))
    put("b.txt.gz", gzip.compress(b"B"))
    inbox = Inbox(["a.jsonl", "b.txt.gz"], task)
    total = inbox.fingerprint().bytes
    shares = [inbox.progress() / total for _ in inbox.read(pytest.fail)]
    assert shares == sorted(shares)
    assert shares[1500] == pytest.approx(0.5, abs=0.05)
    assert inbox.progress() == total


def test_ids_of_a_pattern_do_not_depend_on_how_its_folders_are_written(home, task):
    put("in/a/x.txt"), put("in/y.txt")
    for pattern in ("in/**/*.txt", "./in/**/*.txt", ".//in//**/*.txt", f"{home}/in/**/*.txt"):
        assert [id for id, _ in documents(task, pattern)[0]] == ["a/x.txt", "y.txt"], pattern
    put("folders/a/x.txt"), put("folders/b/x.txt")
    assert [id for id, _ in documents(task, "folders/*")[0]] == ["a/x.txt", "b/x.txt"]
    assert [id for id, _ in documents(task, "./folders/[a]")[0]] == ["a/x.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes")
@pytest.mark.parametrize("first", ["", "not JSON\n"])
def test_a_pipe_is_read_once(home, task, monkeypatch, first):
    monkeypatch.setattr(chunks, "CHARACTERS", 1000)
    os.mkfifo("lines.jsonl")
    content = first + "".join(json.dumps({"id": str(number), "text": TEXT}) + "\n" for number in range(3000))

    def write() -> None:
        with open("lines.jsonl", "w", encoding="utf-8") as pipe:  # noqa: PTH123 - Path.open is the same
            pipe.write(content)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    inbox = Inbox(["lines.jsonl"], task)
    read = [document.id for chunk in chunks.read_chunks(inbox, False) for document in chunk.documents]
    assert read == [str(number) for number in range(3000)]
    writer.join(10)


def test_lines_before_one_that_is_not_text_are_listed_and_read(home, task):
    put("x.jsonl", b'{bad\n{"id": "1", "text": "one"}\n{"text": "\xff"}\n{"id": "2", "text": "two"}\n')
    texts, faults = documents(task, "x.jsonl")
    assert texts == [("1", "one"), ("2", "two")]
    assert [fault.split(": ")[0] for fault in faults] == ["x.jsonl:1", "x.jsonl:3"]


def test_a_damaged_archive_is_one_fault_while_its_progress_is_estimated(home, task, monkeypatch):
    monkeypatch.setattr(chunks, "CHARACTERS", 1000)
    draw = random.Random(0)
    lines_of = [json.dumps({"text": "".join(draw.choices("abcdefgh ", k=900))}) + "\n" for _ in range(900)]
    whole = gzip.compress("".join(lines_of).encode())
    put("x.jsonl.gz", whole[: len(whole) // 2])
    faults = [fault for chunk in chunks.read_chunks(Inbox(["x.jsonl.gz"], task), False) for fault in chunk.faults]
    assert len(faults) == 1 and "damaged or truncated" in str(faults[0])


def test_a_saved_data_set_with_other_rows_is_another_input(home, task):
    splits = {"train": datasets.Dataset.from_dict({"text": ["one"]})}
    datasets.DatasetDict(splits).save_to_disk("saved")
    before = Inbox(["saved"], task).fingerprint()
    datasets.Dataset.from_dict({"text": ["one", "two"]}).save_to_disk("saved/train")
    after = Inbox(["saved"], task).fingerprint()
    assert before.digest != after.digest and after.bytes > 100


def test_whole_numbers_that_pandas_has_made_floats_are_ids(home, task):
    pandas.DataFrame({"n": [1.0, None, 2.5, 2.0**53], "text": ["one", "two", "three", "four"]}).to_parquet("m.parquet")
    texts, faults = documents(task, "m.parquet", id="n")
    assert texts == [("1", "one")]
    assert len(faults) == 3
    assert faults[1] == 'm.parquet:3: "n" is a float, not a text. Name a column of texts.'
