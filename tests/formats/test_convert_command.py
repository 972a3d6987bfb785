"""The command convert: formats, options, messages and exit codes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from typer.testing import CliRunner

from electra_ie.cli.app import app
from electra_ie.common.errors import UserError
from electra_ie.data.task import Task
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Relation, canonical

DOCUMENT = AnnotatedDocument(
    "1", "ACME paid EUR 900", (AnnotatedSpan("T1", "PAYER", ((0, 4),)), AnnotatedSpan("T2", "AMOUNT", ((10, 17),))),
    (Relation("R1", "pays", (("Arg1", "T1"), ("Arg2", "T2"))),),
)  # fmt: skip


@pytest.fixture
def source(tmp_path):
    FORMATS["brat"].save([DOCUMENT], tmp_path / "corpus")
    return tmp_path / "corpus"


def convert(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


@pytest.fixture(autouse=True)
def level(caplog):
    caplog.set_level("INFO", logger="electra_ie")


def test_formats_are_detected_and_the_result_is_checked(source, tmp_path, caplog):
    result = convert(source, tmp_path / "out.jsonl", "--check")
    assert result.exit_code == 0, result.output
    [document] = FORMATS["jsonl"].documents(tmp_path / "out.jsonl")
    assert canonical(document) == canonical(DOCUMENT)
    assert "1 document with 3 annotations of brat to JSON lines" in caplog.text
    back = convert(tmp_path / "out.jsonl", tmp_path / "again", "--to", "brat", "--check")
    assert back.exit_code == 0, back.output
    assert (tmp_path / "again" / "1.ann").read_bytes() == (source / "1.ann").read_bytes()


def test_a_folder_of_files_that_are_read_singly_is_refused_with_their_names(source, tmp_path):
    folder = tmp_path / "lines"
    folder.mkdir()
    convert(source, folder / "a.jsonl")
    result = convert(folder, tmp_path / "again", "--to", "brat")
    assert str(result.exception) == (
        f"{folder}: no format reads this folder as a whole; it contains a.jsonl (jsonl). "
        "Give one file: convert reads one file of such a format."
    )


def test_loss_ends_with_exit_code_1_and_the_counts(source, tmp_path, caplog):
    result = convert(source, tmp_path / "out.conll")
    assert result.exit_code == 1
    errors = caplog.text
    assert "CoNLL columns cannot hold: relations (1)." in errors
    assert "nothing is written" in errors
    assert not (tmp_path / "out.conll").exists()
    assert convert(source, tmp_path / "out.conll", "--lossy").exit_code == 0
    assert "ACME\tB-PAYER" in (tmp_path / "out.conll").read_text("utf-8")


def test_options_of_both_formats_are_set(tmp_path):
    (tmp_path / "in.jsonl").write_text(
        '{"memo": "ACME paid", "names": [{"start": 0, "end": 4, "label": "PAYER"}]}', "utf-8"
    )
    result = convert(
        tmp_path / "in.jsonl", tmp_path / "out.conll", "--from", "jsonl", "--read", "text=memo", "--write", "scheme=bioes",
        "--lossy",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "ACME\tS-PAYER" in (tmp_path / "out.conll").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "brad"], 'there is no format "brad". Did you mean "brat"?'),
        (["--to", "conll", "--write", "shceme=io"], 'the format conll has no option "shceme". Did you mean "scheme"?'),
        (["--to", "conll", "--write", "scheme=all"], "the option scheme is 'all'. It must be iob2 or bioes or io."),
        (["--to", "conll", "--write", "scheme"], '"scheme" is not key=value.'),
        ([], "the ending of this path does not name one format. Give the format with --to: "),
    ],
)
def test_mistakes_in_the_command_are_one_line(source, tmp_path, arguments, message):
    result = convert(source, tmp_path / "out.xyz", *arguments)
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)
    assert not (tmp_path / "out.xyz").exists()


@pytest.mark.parametrize("format", ["jsonl", "conll", "conllu"])
def test_text_in_a_file_with_the_ending_gz_is_compressed(tmp_path, format):
    if FORMATS[format].package:
        pytest.importorskip(FORMATS[format].package)
    document = AnnotatedDocument("1", "ACME paid", (AnnotatedSpan("T1", "PAYER", ((0, 4),)),))
    FORMATS[format].save([document], tmp_path / "data.gz")
    assert "ACME" in gzip.decompress((tmp_path / "data.gz").read_bytes()).decode("utf-8")
    [again] = FORMATS[format].documents(tmp_path / "data.gz")
    assert canonical(again) == canonical(document)


COMPOSED = "subject: Invoice 7\nbody: ACME paid"


def two_columns(folder: Path, format: str) -> Path:
    """Write a table with the columns subject, body and topic."""
    rows = [("Invoice 7", "ACME paid", "bills")]
    rows += [(f"Note {number}", f"Text {number}", ["bills", "rent"][number % 2]) for number in range(11)]
    columns = ("subject", "body", "topic")
    path = folder / f"mails.{format}"
    if format == "csv":
        path.write_text("\n".join(",".join(row) for row in [columns, *rows]) + "\n", "utf-8")
    elif format == "xlsx":
        book = pytest.importorskip("openpyxl").Workbook()
        for row in [columns, *rows]:
            book.active.append(row)
        book.save(path)
    else:
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True))), path)
    return path


SEVERAL = [["text=[subject, body]"], ["text=subject", "text=body"], ["text=[subject]", "text=body"]]


@pytest.mark.parametrize("format", ["csv", "xlsx", "parquet"])
@pytest.mark.parametrize("given", SEVERAL)
def test_a_text_of_several_columns_is_converted(tmp_path, format, given):
    source = two_columns(tmp_path, format)
    options = [argument for text in given for argument in ("--read", text)]
    result = convert(source, tmp_path / "out.jsonl", *options, "--read", "labels=topic")
    assert result.exit_code == 0, result.output
    first, *others = FORMATS["jsonl"].documents(tmp_path / "out.jsonl")
    assert (first.text, first.labels, len(others)) == (COMPOSED, {"topic": ("bills",)}, 11)


@pytest.mark.parametrize(("format", "given"), [*zip(["csv", "xlsx", "parquet"], SEVERAL, strict=True)])
def test_a_task_of_a_text_of_several_columns_is_made(tmp_path, format, given):
    source = two_columns(tmp_path, format)
    options = [argument for text in given for argument in ("--read", text)]
    arguments = ["init", source, "--output", tmp_path / "task", *options, "--read", "labels=topic", "--test", "0"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    texts = [document.text for split in ("train", "dev") for document in Task.load(tmp_path / "task").read(split)]
    assert COMPOSED in texts and len(texts) == 12


def test_a_column_with_the_look_of_another_type_is_a_text(tmp_path):
    (tmp_path / "in.csv").write_text("007,yes\nACME paid,rent\n", "utf-8")
    result = convert(tmp_path / "in.csv", tmp_path / "out.jsonl", "--read", "text=007", "--read", "labels=[yes]")
    assert "the option labels is [True]. It must be a list of texts." in str(result.exception)
    labels = ["--read", "labels='yes'"]
    result = convert(tmp_path / "in.csv", tmp_path / "out.jsonl", "--read", "text=007", *labels)
    assert result.exit_code == 0, result.output
    [document] = FORMATS["jsonl"].documents(tmp_path / "out.jsonl")
    assert (document.text, document.labels) == ("ACME paid", {"yes": ("rent",)})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["id=subject", "id=body"], "the option id is given twice: subject and body. Give it once: it has one value."),
        (["header=true", "header=false"], "the option header is given twice: True and False. Give it once: "),
        (["text=[subject, body"], 'the option text is "[subject, body". It must be text or a list of texts.'),
        (["text=[subject, 7]"], "the option text is ['subject', 7]. It must be text or a list of texts."),
        (["text=subject", "text=subject"], 'the column "subject" is named twice in the options text, id and labels.'),
    ],
)
def test_an_option_with_a_second_or_an_invalid_value_is_refused(tmp_path, given, says):
    options = [argument for text in given for argument in ("--read", text)]
    result = convert(two_columns(tmp_path, "csv"), tmp_path / "out.jsonl", *options)
    assert isinstance(result.exception, UserError)
    assert says in str(result.exception)
    assert not (tmp_path / "out.jsonl").exists()


def test_values_of_a_list_that_is_given_twice_are_collected(tmp_path):
    (tmp_path / "in.conll").write_text("ACME\tNP\tB-ORG\n\n", "utf-8")
    options = ["--read", "columns=[word, chunk]", "--read", "columns=ner", "--read", "tag=2", "--read", "tag=2"]
    result = convert(tmp_path / "in.conll", tmp_path / "out.jsonl", "--from", "conll", *options)
    assert result.exit_code == 0, result.output
    [document] = FORMATS["jsonl"].documents(tmp_path / "out.jsonl")
    assert [(span.label, span.layer) for span in document.spans] == [("ORG", "ner")]
