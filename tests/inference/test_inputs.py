"""Input of extraction: the files that are read and their ids, skipped files and faults, and no output over an input."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
from command_line import command

from electra_ie import Extractor, Task, UserError, compare, evaluate, extract, pretrain, train
from electra_ie.common.folders import walk
from electra_ie.data.readers import READERS, read_unlabeled
from electra_ie.inference.jobs.inputs import Inbox
from electra_ie.inference.jobs.kinds import NOT_TEXT
from electra_ie.pretraining import corpus_reader

TEXT = "invoice goods Arden paid 5.975,74 later than monday."
NUL = b"Paid USD 1,200.00 to Kestrel\0Wharf Ltd."
CSV = """\
description: A table.
format: csv
files: {train: train.csv}
options: {text: memo, id: number, delimiter: ";"}
fields: {topic: {kind: classes, labels: [trade, other]}}
"""


def write(folder: Path, **files: str | bytes) -> Path:
    """Write files below a folder; in a name `__` means `/` and `_` means `.`."""
    for name, content in files.items():
        put(folder / name.replace("__", "/").replace("_", "."), content)
    return folder


def put(path: Path, content: str | bytes = TEXT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture
def at_home(tmp_path, monkeypatch) -> Path:
    """Change to an empty folder, so that paths are relative, as a user types them."""
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def task_of_lines(tmp_path) -> Task:
    return Task.load(tiny.write_task(tmp_path / "lines"))


@pytest.fixture
def task_of_rows(tmp_path) -> Task:
    put(tmp_path / "rows" / "task.yaml", CSV)
    return Task.load(tmp_path / "rows")


def documents(task: Task, *paths, **options) -> tuple[list[tuple[str, str]], list[str]]:
    """Return ids and texts of the documents, and the faults of what cannot be read."""
    faults: list[UserError] = []
    read_documents = list(Inbox(paths, task, **options).read(faults.append))
    return [(document.id, document.text) for document in read_documents], [str(fault) for fault in faults]


# Folders


@pytest.fixture
def tree(tmp_path) -> Path:
    """Return a folder with hidden files, links and other leftovers of archives and shares."""
    top = tmp_path / "top"
    write(top, b__memo_txt="B", a__memo_txt="A", a__SCAN_TXT="S", c_pdf="%PDF")
    for hidden in ("._memo.txt", ".DS_Store", ".cache/old.txt", "a/.x.txt"):
        put(top / hidden, "hidden")
    put(tmp_path / "elsewhere" / "far.txt", "F")
    for name, target in (
        ("again", "a"), ("again.txt", "a/memo.txt"), ("circle", "circle"), ("up", "."), ("share", "../elsewhere"),
        ("far.txt", "../elsewhere/far.txt"), ("kept", ".cache"),
    ):  # fmt: skip
        (top / name).symlink_to(target)
    return top


LEFT_OUT = (
    "4 hidden files or folders, 2 links out of the folder (far.txt -> ../elsewhere/far.txt, share -> ../elsewhere; give "
    "the target too to read it), 4 links to what is read already, 1 file with an ending other than .txt"
)


def test_walk_skips_hidden_files_and_follows_links_once(tree):
    """A target that only links lead to is read once; links to folders above them are counted."""
    result = walk(tree, (".txt",))
    names = [file.relative_to(tree).as_posix() for file in result.files]
    assert names == ["a/SCAN.TXT", "a/memo.txt", "b/memo.txt", "kept/old.txt"]
    assert (result.hidden, result.repeated, result.others) == (4, 4, 1)
    assert result.left_out() == LEFT_OUT


@pytest.mark.parametrize("reader", ["unlabeled", "text", "pretrain", "extract"])
def test_all_readers_of_folders_walk_alike_and_warn_of_skipped_files(tree, task_of_lines, capsys, reader):
    expected = [("a/SCAN.TXT", "S"), ("a/memo.txt", "A"), ("b/memo.txt", "B"), ("kept/old.txt", "hidden")]
    if reader == "pretrain":
        assert corpus_reader.files(str(tree)) == [tree / name for name, _ in expected]
        corpus_reader.content_hash([str(tree)])
    elif reader == "extract":
        assert documents(task_of_lines, tree) == (expected, [])
    else:
        read_documents = READERS["text"].read(tree, ()) if reader == "text" else read_unlabeled(tree)
        assert [(document.id, document.text) for document in read_documents] == expected
    line = capsys.readouterr().err
    assert line.startswith(f"warning: {tree}: left out: {LEFT_OUT}")
    assert line.count("\n") == 1


def test_broken_link_is_an_error_if_its_target_could_be_a_text(tmp_path):
    (tmp_path / "gone.txt").symlink_to("nothing.txt")
    with pytest.raises(UserError, match="gone.txt: this link points to nothing."):
        list(read_unlabeled(tmp_path))
    (tmp_path / "gone.txt").rename(tmp_path / "gone")
    with pytest.raises(UserError, match="gone: this link points to nothing."):
        list(read_unlabeled(tmp_path))
    (tmp_path / "gone").rename(tmp_path / "gone.pdf")
    put(tmp_path / "a.txt", "A")
    assert [document.text for document in read_unlabeled(tmp_path)] == ["A"]


def test_files_of_the_hub_cache_with_the_same_content_are_all_read(tmp_path):
    """In the cache every file is a link, and files with the same content are links to one file."""
    cache = tmp_path / "datasets--org--name"
    put(cache / "blobs" / "0", "same")
    snapshot = cache / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    for name in ("a.txt", "b.txt"):
        (snapshot / name).symlink_to("../../blobs/0")
    assert [(document.id, document.text) for document in read_unlabeled(snapshot)] == [
        ("a.txt", "same"),
        ("b.txt", "same"),
    ]


def test_brat_ignores_the_case_of_extensions(tmp_path, capsys):
    annotation = "T1\tperson 0 5\tArden\n"
    write(
        tmp_path / "set",
        a_txt="Arden",
        a_ann=annotation,
        b_TXT="Arden",
        b_ann=annotation,
        c_TXT="Arden",
        C_ANN=annotation,
        d_txt="Arden",
    )
    put(tmp_path / "set" / "._a.txt", "x")
    read_documents = READERS["brat"].read(tmp_path / "set", [tiny.NAMED])
    spans = {document.id: len(document.gold.get("names", ())) for document in read_documents}
    assert spans == {"a": 1, "b": 1, "c": 1, "d": 0}
    assert capsys.readouterr().err == f"warning: {tmp_path / 'set'}: left out: 1 hidden file or folder.\n"
    write(tmp_path / "two", a_txt="Arden", a_ann=annotation, A_ann=annotation)
    with pytest.raises(UserError, match="A.ann: there is no .txt of the same name"):
        list(READERS["brat"].read(tmp_path / "two", [tiny.NAMED]))


# Ids


def test_files_with_the_same_name_get_different_ids(at_home, task_of_lines):
    write(at_home, north__memo_txt="N", south__memo_txt="S", memo_txt="M")
    assert documents(task_of_lines, "north", "memo.txt")[0] == [("north/memo.txt", "N"), ("memo.txt", "M")]
    assert documents(task_of_lines, "north", "south")[0] == [("north/memo.txt", "N"), ("south/memo.txt", "S")]
    assert documents(task_of_lines, ".")[0] == [("memo.txt", "M"), ("north/memo.txt", "N"), ("south/memo.txt", "S")]
    assert documents(task_of_lines, "north")[0] == [("memo.txt", "N")]


def test_file_named_by_two_paths_is_read_once(at_home, task_of_lines, capsys):
    put(at_home / "north" / "memo.txt", "N")
    (at_home / "link").symlink_to("north")
    assert documents(task_of_lines, "north", "north/memo.txt", "link") == ([("memo.txt", "N")], [])
    assert capsys.readouterr().err == "warning: 2 files are named more than once and read once.\n"


def test_duplicate_id_in_another_file_is_a_fault(at_home, task_of_lines):
    write(
        at_home,
        a_jsonl='{"text": "one"}\n{"id": 7, "text": "two"}',
        a_csv="text\nthree\n",
        b_jsonl='{"id": "7", "text": "four"}',
    )
    texts, faults = documents(task_of_lines, "a.jsonl", "a.csv", "b.jsonl")
    assert texts == [("a.jsonl-1", "one"), ("7", "two"), ("a.csv-2", "three")]
    assert faults == [
        'b.jsonl:1: the id "7" is also that of a.jsonl:2. Give each record its own id, or if the records have no ids, each '
        "file its own name. --prefix-ids puts the name of its file before each."
    ]
    texts, faults = documents(task_of_lines, "a.jsonl", "a.csv", "b.jsonl", prefix_ids=True)
    ids = ["a.jsonl-1", "a.jsonl/7", "a.csv-2", "b/7"]
    assert ([id for id, _ in texts], faults) == (ids, [])


def test_standard_input_is_one_document(task_of_lines, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("é\r\n".encode())))
    assert documents(task_of_lines, "-") == ([("stdin", "é\r\n")], [])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"ok\n\xff")))
    assert documents(task_of_lines, "-")[1][0].startswith("<standard input>:2: the byte 0xff")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"ok")))
    assert documents(task_of_lines, "-", text="memo")[1] == [
        "<standard input>: this is one text, which has no keys. Leave --text and --id out, or give JSON lines."
    ]


def test_json_lines_on_standard_input_are_records(task_of_lines, monkeypatch):
    lines = (
        b'\xef\xbb\xbf{"text": "one"}\n\n{"id": 7, "text": "two"}\n{"text": "\xff"}\n{"text": 3}\n{"text": "four"}\n'
    )
    stream = io.BytesIO(lines)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    texts, faults = documents(task_of_lines, "-")
    assert texts == [("stdin-1", "one"), ("7", "two"), ("stdin-6", "four")]
    assert [fault.partition(": ")[0] for fault in faults] == ["<standard input>:4", "<standard input>:5"]
    assert not stream.closed
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"memo": "one", "key": "k"}\n')))
    assert documents(task_of_lines, "-", text="memo", id="key") == ([("k", "one")], [])


# Tables and JSON lines


def test_table_is_read_by_rows(at_home, task_of_lines, task_of_rows, capsys):
    write(
        at_home,
        inbox__m_csv='id,text\n1,"Paid USD 1,200.00"\n2,Paid EUR\n',
        inbox__a_txt="A",
        inbox__m_TSV="n\tmemo\n5\tPaid\n",
    )
    write(at_home, inbox__own_csv="number;memo\n9;Paid\n")
    assert documents(task_of_lines, "inbox/m.csv") == ([("1", "Paid USD 1,200.00"), ("2", "Paid EUR")], [])
    assert documents(task_of_lines, "inbox/m.TSV", text="memo", id="n") == ([("5", "Paid")], [])
    (fault,) = documents(task_of_lines, "inbox/m.TSV")[1]
    assert fault.startswith('inbox/m.TSV:1: there is no column "text".')
    assert "n, memo" in fault
    assert documents(task_of_rows, "inbox/own.csv") == ([("9", "Paid")], []), "the options of the task were not used"
    assert documents(task_of_rows, "inbox/own.csv", text="number", id="memo") == ([("Paid", "9")], [])
    capsys.readouterr()
    assert documents(task_of_lines, "inbox") == ([("a.txt", "A")], []), (
        "tables in a folder are read only for tasks of tables"
    )
    assert "left out: 3 files with an ending other than .txt, .jsonl, .txt.gz or .jsonl.gz." in capsys.readouterr().err
    texts, (fault,) = documents(task_of_rows, "inbox")
    assert texts == [("a.txt", "A"), ("9", "Paid")]
    assert fault.startswith("inbox/m.csv:1: there is no column")


@pytest.mark.parametrize("bad", [b"\xff", b"\0"])
def test_a_row_that_is_not_utf_8_is_one_fault(at_home, task_of_lines, bad):
    rows = b'id,text\n1,one\n2,"two\n' + bad + b' more"\n3,three\n'
    (at_home / "t.csv").write_bytes(rows)
    (at_home / "t.tsv").write_bytes(b"id\ttext\n1\tone\n2\t" + bad + b"\n3\tthree\n")
    for name, line in (("t.csv", 4), ("t.tsv", 3)):
        texts, (fault,) = documents(task_of_lines, name)
        assert texts == [("1", "one"), ("3", "three")]
        assert fault.startswith(f"{name}:{line}: ") and "is not read" not in fault
    for name in ("t.csv", "t.tsv"):
        (at_home / name).write_bytes(b"id,text" + bad + b"\n1,one\n2,two\n")
        texts, (fault,) = documents(task_of_lines, name)
        assert texts == [] and fault.startswith(f"{name}:1: ")


def test_options_of_tables_are_given(at_home, task_of_lines):
    write(at_home, t_csv="id;text;more\n1;one, two;x\n", a_txt="A")
    assert 'set the option delimiter: ";" (--read "delimiter=;")' in documents(task_of_lines, "t.csv")[1][0]
    assert documents(task_of_lines, "t.csv", read=["delimiter=;"]) == ([("1", "one, two")], [])
    both = documents(task_of_lines, "t.csv", read=["delimiter=;", "text=[text, more]"])
    assert both == ([("1", "text: one, two\nmore: x")], [])
    for given, message in (
        (["separator=;"], 'the format csv has no option "separator".'),
        (["delimiter"], '"delimiter" is not key=value.'),
    ):
        with pytest.raises(UserError, match=message):
            documents(task_of_lines, "t.csv", read=given)
    with pytest.raises(UserError, match="--read has options of tables, and no input is one. Leave --read out."):
        documents(task_of_lines, "a.txt", read=["delimiter=;"])


def test_folder_without_texts_names_a_pattern(at_home, task_of_lines):
    write(at_home, in__t_csv="id,text\n1,one\n", other__x="")
    (fault,) = documents(task_of_lines, "in")[1]
    assert fault.endswith("Name other kinds of file by a pattern in quotes: 'in/**/*.csv'.")
    assert documents(task_of_lines, "in/**/*.csv") == ([("1", "one")], [])


def test_bad_row_is_skipped_and_a_bad_quote_ends_the_file(at_home, task_of_lines):
    write(at_home, t_csv='id,text\n1,one\n2,two,more\n3,three\n4,"fo"ur\n5,five\n', a_txt="A")
    texts, (row, rest) = documents(task_of_lines, "t.csv", "a.txt")
    assert texts == [("1", "one"), ("3", "three"), ("a.txt", "A")]
    assert row.startswith("t.csv:3: this row has 3 columns, not 2")
    assert "is not read" not in row
    assert rest.startswith("t.csv:5: ")
    assert rest.endswith("What follows in this file is not read.")


def test_json_lines_are_read_by_the_keys_of_task_or_options(at_home, task_of_lines, tmp_path):
    write(at_home, m_jsonl='{"n": 1, "memo": "Paid"}\n')
    (fault,) = documents(task_of_lines, "m.jsonl")[1]
    assert fault.startswith('m.jsonl:1: the record has no "text". Valid: n, memo.')
    assert documents(task_of_lines, "m.jsonl", text="memo", id="n") == ([("1", "Paid")], [])
    assert documents(task_of_lines, "m.jsonl", text="memo") == ([("m-1", "Paid")], [])
    (fault,) = documents(task_of_lines, "m.jsonl", text="memo", id="nn")[1]
    assert fault == 'm.jsonl:1: the record has no "nn". Name the key of the id with --id.'
    own = put(tmp_path / "own" / "task.yaml", tiny.YAML + "options: {text: memo, id: n}\n")
    assert documents(Task.load(own), "m.jsonl") == ([("1", "Paid")], [])


@pytest.mark.parametrize("ending", NOT_TEXT)
def test_markup_is_not_read_as_text(at_home, task_of_lines, ending):
    put(at_home / f"a{ending.upper()}", '[{"text": "Paid"}]')
    assert documents(task_of_lines, f"a{ending.upper()}") == (
        [], [f"a{ending.upper()}: a {ending} file is not read as text. Convert it to .txt, or to .jsonl with one text per line."],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["a.md", "a.log", "README"])
def test_file_with_another_extension_is_read_as_text(at_home, task_of_lines, name):
    put(at_home / name, "Paid")
    assert documents(task_of_lines, name) == ([(name, "Paid")], [])


# Unreadable input


@pytest.fixture
def inbox(at_home) -> Path:
    """Return a folder with good texts, and with a broken link, a binary file and bad JSON lines."""
    write(at_home / "inbox", a_txt=TEXT, m_txt=NUL, z_txt=TEXT)
    write(at_home / "inbox", r_jsonl=b'{"text": "one"}\n{"text": }\n\xff\n{"text": "two"}\n')
    (at_home / "inbox" / "gone.txt").symlink_to("nowhere")
    return at_home / "inbox"


BAD = [
    ("inbox/gone.txt: ", "this link points to nothing."),
    ("inbox/m.txt:1: ", "this is binary data (a NUL byte), not text."),
    ("inbox/r.jsonl:2: ", "this is not JSON"),
    ("inbox/r.jsonl:3: ", "the byte 0xff is not UTF-8 text."),
]


def test_bad_files_are_listed_and_the_rest_is_extracted(run, inbox, monkeypatch, capsys):
    assert command(monkeypatch, "extract", run, "inbox", "-o", "findings.jsonl") == 3
    assert [record["id"] for record in read(Path("findings.jsonl"))] == ["a.txt", "r-1", "r-4", "z.txt"]
    *lines, summary = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("extracting")]
    assert re.fullmatch(
        r"4 documents, 110 characters, 4 windows, \d+ findings -> findings.jsonl; 4 of 8 could not be read", summary
    )
    for line, (location, words) in zip(lines, BAD, strict=True):
        assert line.startswith(location)
        assert words in line


def test_strict_stops_at_the_first_fault_and_writes_nothing(run, inbox, monkeypatch, capsys):
    assert command(monkeypatch, "extract", run, "inbox", "-o", "findings.jsonl", "--html", "page.html", "--strict") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: inbox/gone.txt: this link")
    assert os.listdir() == ["inbox"]


def test_python_returns_faults_with_the_counts(run, inbox):
    counts = extract(run, ["inbox"], io.StringIO())
    assert counts["documents"] == 4
    assert set(counts) == {"documents", "characters", "windows", "findings"}
    assert [(str(fault.file), fault.line) for fault in counts.faults] == [
        ("inbox/gone.txt", None), ("inbox/m.txt", 1), ("inbox/r.jsonl", 2), ("inbox/r.jsonl", 3),
    ]  # fmt: skip
    (inbox / "gone.txt").unlink()
    assert not extract(run, ["inbox/a.txt"], io.StringIO()).faults


def test_no_readable_input_is_an_error(run, inbox, monkeypatch, capsys):
    put(inbox.parent / "memos.json", "[]")
    for paths, last in (
        (["inbox/m.txt"], "error: inbox/m.txt:1: this is binary data"),
        (["inbox/m.txt", "inbox/gone.txt"], "error: none of 2 inputs could be read; nothing is written:"),
        (["memos.json"], "error: memos.json: a .json file is not read as text."),
    ):
        assert command(monkeypatch, "extract", run, *paths, "-o", "f.jsonl", "--html", "p.html") == 2
        lines = capsys.readouterr().err.splitlines()
        assert lines[-len(paths) - (len(paths) > 1)].startswith(last)
        assert len(paths) == 1 or [line.split(": ")[0] for line in lines[-2:]] == ["inbox/m.txt:1", "inbox/gone.txt"]
    (inbox.parent / "empty" / ".hidden").mkdir(parents=True)
    assert command(monkeypatch, "extract", run, "empty") == 2
    message = (
        "empty: there is no .txt, .jsonl, .txt.gz or .jsonl.gz in this folder (left out: 1 hidden file or folder)."
    )
    assert message in capsys.readouterr().err
    assert sorted(os.listdir()) == ["empty", "inbox", "memos.json"]


def test_missing_path_is_an_error_before_anything_is_read(run, inbox, monkeypatch, capsys):
    monkeypatch.setattr(Extractor, "from_pretrained", None)
    assert command(monkeypatch, "extract", run, "inbox", "inbx", "-o", "findings.jsonl") == 2
    assert capsys.readouterr().err == "error: inbx: there is no such file or folder. Check the path.\n"


def test_utf_16_is_one_fault(at_home, task_of_lines):
    put(at_home / "a.jsonl", '{"text": "one"}\n{"text": "two"}\n'.encode("utf-16"))
    assert documents(task_of_lines, "a.jsonl") == ([], ["a.jsonl:1: this is UTF-16 text. Save it as UTF-8."])


def test_long_list_of_faults_is_truncated(run, at_home, monkeypatch, capsys):
    put(at_home / "many.jsonl", '{"text": "one"}\n' + "{}\n" * 120)
    assert command(monkeypatch, "extract", run, "many.jsonl", "-o", "f.jsonl") == 3
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("many.jsonl:") for line in lines) == 100
    assert lines[-2] == "... and 20 more that could not be read."


# Outputs


@pytest.mark.parametrize("option", ["--output", "--html"])
@pytest.mark.parametrize(("paths", "output"), [
    (["memo.txt"], "memo.txt"), (["memo.txt"], "../home/./memo.txt"), (["memo.txt"], "soft.txt"), (["memo.txt"], "hard.txt"),
    (["soft.txt"], "memo.txt"), (["inbox"], "inbox/a.txt"), (["inbox"], "inbox/B.TXT"), (["inbox"], "inbox/r.jsonl"),
    (["."], "inbox/a.txt"), (["linked"], "inbox/a.txt"),
])  # fmt: skip
def test_no_output_is_written_over_an_input(run, at_home, monkeypatch, capsys, option, paths, output):
    write(at_home, memo_txt=TEXT, inbox__a_txt=TEXT, inbox__B_TXT=TEXT, inbox__r_jsonl='{"text": "x"}\n')
    (at_home / "soft.txt").symlink_to("memo.txt")
    (at_home / "linked").symlink_to("inbox")
    os.link("memo.txt", "hard.txt")
    before = {path: path.read_bytes() for path in at_home.rglob("*.*") if path.is_file()}
    monkeypatch.setattr(Extractor, "from_pretrained", None)  # nothing may be read
    other = ["-o", "f.jsonl"] if option == "--html" else []
    assert command(monkeypatch, "extract", run, *paths, *other, option, output) == 2
    assert f"error: {Path(output)}: the output file is also an input." in capsys.readouterr().err
    assert {path: path.read_bytes() for path in at_home.rglob("*.*") if path.is_file()} == before


def test_standard_output_is_not_written_over_an_input(run, at_home):
    put(at_home / "inbox" / "a.txt")
    with (
        open("inbox/findings.jsonl", "w+", encoding="utf-8") as stream,
        pytest.raises(UserError, match="output file is also an input"),
    ):
        extract(run, ["inbox"], stream)


def test_no_output_is_written_over_the_run(run, at_home, tmp_path):
    copied = Path(shutil.copytree(run, tmp_path / "copy"))
    put(at_home / "a.txt")
    for name in ("scores.json", "names/config.json", "README.md"):
        before = (copied / name).read_bytes()
        with pytest.raises(UserError, match=f"{name}: the output file is also an input"):
            extract(copied, ["a.txt"], copied / name, format="jsonl")
        with pytest.raises(UserError, match=f"{name}: the output file is also an input"):
            evaluate(copied, file=copied / name)
        assert (copied / name).read_bytes() == before
    assert extract(copied, ["a.txt"], copied / "findings.jsonl")["documents"] == 1


def test_scores_are_not_written_over_the_data(task, run, tmp_path, monkeypatch, capsys):
    copied = Path(shutil.copytree(run, tmp_path / "copy"))
    monkeypatch.setattr(Extractor, "from_pretrained", None)
    for name in ("test.jsonl", "pool.jsonl", "task.yaml"):
        before = (task.parent / name).read_bytes()
        assert command(monkeypatch, "evaluate", copied, "--data", task.parent, "--json", task.parent / name) == 2
        assert f"{name}: the output file is also an input." in capsys.readouterr().err
        assert (task.parent / name).read_bytes() == before


def test_outputs_and_earlier_findings_in_the_input_folder_are_not_read(run, at_home, capsys):
    put(at_home / "inbox" / "a.txt")
    for _ in range(2):
        assert extract(run, ["inbox"], "inbox/findings.jsonl", "inbox/page.html", overwrite=True)["documents"] == 1
    assert "warning: left out: 1 file, written by extract." in capsys.readouterr().err
    assert [record["id"] for record in read(Path("inbox/findings.jsonl"))] == ["a.txt"]
    (at_home / "inbox" / "a.txt").unlink()
    with pytest.raises(UserError, match="there is no .txt, .jsonl, .txt.gz or .jsonl.gz in this folder"):
        extract(run, ["inbox"], "findings.jsonl")


def test_no_run_or_encoder_is_written_into_a_folder_of_texts(task, tmp_path, encoder):
    put(tmp_path / "pool" / "a.txt")
    (tmp_path / "link").symlink_to("pool")
    settings = tiny.settings(encoder("bert"), "supervised")
    calls = (
        lambda out: train(str(task), out, unlabeled=(str(tmp_path / "pool"),), **settings),
        lambda out: compare(str(task), out, unlabeled=(str(tmp_path / "pool"),), encoder=encoder("bert")),
        lambda out: pretrain([tmp_path / "pool"], out, encoder=encoder("bert")),
    )
    for call in calls:
        for out in (tmp_path / "pool" / "run", tmp_path / "link" / "deep" / "run"):
            with pytest.raises(UserError, match="the output folder is inside a folder of input texts"):
                call(out)
    assert os.listdir(tmp_path / "pool") == ["a.txt"]


# Findings and reports


def test_finding_about_a_text_does_not_repeat_the_text(run, at_home):
    text = "river winter Arden paid 5.975,74 to the bank. " * 30
    put(at_home / "long.txt", text)
    extract(run, ["long.txt"], "findings.jsonl")
    (record,) = read(Path("findings.jsonl"))
    (topic,) = [finding for finding in record["findings"] if finding["field"] == "topic"]
    assert list(topic) == ["field", "label", "start", "end", "window", "score"]
    assert record["windows"] > 5
    assert 1 <= topic["window"] <= record["windows"]
    assert 0 <= topic["start"] < topic["end"] < len(text)
    assert "river winter" not in Path("findings.jsonl").read_text("utf-8")
    for finding in Extractor.from_pretrained(run)(text):
        assert (finding.text is None) == (finding.window is not None) == (finding.field != "names")


@pytest.mark.parametrize(
    ("named", "shown"), [("inbox", "inbox/a/memo.txt"), ("{}/inbox", "a/memo.txt"), ("{}/inbox/a/memo.txt", "memo.txt")]
)
def test_report_shows_paths_as_they_were_given(run, at_home, named, shown):
    put(at_home / "inbox" / "a" / "memo.txt")
    extract(run, [named.format(at_home)], "findings.jsonl", "page.html")
    page = Path("page.html").read_text("utf-8")
    assert f'<a href="#d1">{shown}</a>' in page
    assert str(at_home) not in page
    assert f"<h1>three_kinds: findings of {run.name}</h1>" in page
    assert read(Path("findings.jsonl"))[0]["file"] == (
        named.format(at_home) + "/a/memo.txt" if named.endswith("inbox") else named.format(at_home)
    )
    (at_home / "runs").mkdir()
    (at_home / "runs" / "own").symlink_to(run)
    extract("runs/own", ["inbox"], "findings.jsonl", "page.html", overwrite=True)
    assert "<title>three_kinds: findings of runs/own</title>" in Path("page.html").read_text("utf-8")


def test_help_of_extract_explains_its_exit_codes(monkeypatch, capsys):
    assert command(monkeypatch, "extract", "--help") == 0
    codes = "Exit codes: 0, all inputs were read; 2, an error, nothing was written; 3, done, but some inputs could not"
    assert codes in " ".join(capsys.readouterr().out.split())


def test_standard_input_is_not_written_over(run, at_home, monkeypatch, capsys):
    """`extract RUN - -o memo.txt < memo.txt`, by the file's name and by a link."""
    memo = put(at_home / "memo.txt")
    (at_home / "link.txt").symlink_to("memo.txt")
    for output in ("memo.txt", "link.txt"):
        with memo.open() as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", stream)
            assert command(patch, "extract", run, "-", "-o", output) == 2
        assert f"error: {output}: the output file is also an input." in capsys.readouterr().err
        assert memo.read_text("utf-8") == TEXT
    with memo.open() as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", stream)
        assert command(patch, "extract", run, "-", "-o", "out.jsonl") == 0
    assert [record["characters"] for record in read(at_home / "out.jsonl")] == [len(TEXT)]


def test_evaluate_checks_the_output_before_it_scores(run, at_home, monkeypatch, capsys):
    own = shutil.copytree(run, at_home / "own")
    (at_home / "folder").mkdir()
    before = {file: file.read_bytes() for file in own.rglob("*") if file.is_file()}
    for output in ("folder", "nowhere/scores.json"):
        assert command(monkeypatch, "evaluate", own, "--json", output) == 2
        assert "error: " in capsys.readouterr().err
    assert {file: file.read_bytes() for file in own.rglob("*") if file.is_file()} == before


def test_id_that_looks_like_a_default_is_kept(run, at_home, monkeypatch, capsys):
    put(at_home / "memos.jsonl", '{"id": "memos-1", "text": "Pay"}\n{"text": "Pay"}\n')
    assert command(monkeypatch, "extract", run, "memos.jsonl", "--id", "id", "-o", "out.jsonl") == 3
    assert 'memos.jsonl:2: the record has no "id". Name the key of the id with --id.' in capsys.readouterr().err
    assert [record["id"] for record in read(at_home / "out.jsonl")] == ["memos-1"]


def test_quoted_cell_over_several_rows_is_a_fault_of_extract(run, at_home, monkeypatch, capsys):
    put(at_home / "sw.csv", 'id,text\n1,"Hello\n2,World\n3,said "\n4,x\n')
    put(at_home / "good.csv", 'id,text\n1,"Dear Anna,\nplease, pay\nsoon"\n4,x\n')
    assert command(monkeypatch, "extract", run, "sw.csv", "-o", "out.jsonl") == 3
    assert "sw.csv:2: a quote opens a cell of 3 lines" in capsys.readouterr().err
    assert command(monkeypatch, "extract", run, "good.csv", "-o", "good.jsonl") == 0
    assert len(read(at_home / "good.jsonl")) == 2
