"""Reading of a corpus, packing into blocks of tokens, the cache, and new vocabularies."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from electra_ie.common.errors import UserError
from electra_ie.pretraining import corpus_reader, token_blocks
from electra_ie.pretraining.corpus_reader import END, Counts
from electra_ie.pretraining.token_blocks import Blocks, SpecialTokens, load_or_build_blocks, pack
from electra_ie.pretraining.vocabulary import SPECIAL, new_tokenizer

SPECIAL_TOKENS = SpecialTokens((101,), (102,), 0)
TEXT = "one a\none b\n\ntwo a\n\n\nthree"


def read(*paths, boundary="blank", deduplicate=False):
    counts = Counts()
    return list(corpus_reader.read([str(path) for path in paths], boundary, deduplicate, counts)), counts


@pytest.mark.parametrize(("boundary", "expected"), [
    ("blank", ["one a\n", "one b\n", END, "two a\n", END, "three", END]),
    ("line", ["one a\n", END, "one b\n", END, "two a\n", END, "three", END]),
    ("file", ["one a\n", "one b\n", "two a\n", "three", END]),
])  # fmt: skip
def test_boundary_decides_what_ends_a_document(tmp_path, boundary, expected):
    file = tmp_path / "a.txt"
    file.write_text(TEXT, encoding="utf-8")
    lines, counts = read(file, boundary=boundary)
    assert lines == expected
    assert (counts.files, counts.documents, counts.lines) == (1, expected.count(END), 4)
    assert counts.characters == sum(map(len, lines))


def test_folder_reads_text_gzip_and_json_lines_and_warns_of_others(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "b.txt").write_text("bee\n", encoding="utf-8")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("\ufeffägypten\n".encode(), mtime=0))
    tiny.write_records(tmp_path / "in" / "c.jsonl", [{"id": "", "text": "see\nmore"}, {"text": "sea"}])
    (tmp_path / "in" / "d.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": "deep"}).encode()))
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    lines, counts = read(tmp_path)
    assert lines == ["ägypten\n", END, "bee\n", END, "see\n", "more", END, "sea", END, "deep", END]
    assert counts.files == 4
    assert counts.documents == 5
    assert capsys.readouterr().err == ""
    corpus_reader.content_hash([str(tmp_path)])
    endings = ".txt, .txt.gz, .jsonl or .jsonl.gz"
    assert capsys.readouterr().err == f"warning: {tmp_path}: left out: 1 file with an ending other than {endings}.\n"
    assert read(tmp_path / "b.txt", tmp_path / "b.txt")[0] == ["bee\n", END] * 2


def test_task_gives_the_texts_of_train_and_unlabeled_only(tmp_path, capsys):
    (tmp_path / "task.yaml").write_text(
        "format: conll\n"
        "files: {train: train.txt, dev: dev.txt, test: test.txt, unlabeled: [more.jsonl, bare.txt]}\n"
        "fields: {names: {kind: spans, labels: [PER]}}\n",
        encoding="utf-8",
    )
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.txt").write_text(f"Ada B-PER\nwrote O\n\nthe O\n{split} O\n", encoding="utf-8")
    tiny.write_records(tmp_path / "more.jsonl", [{"id": "m", "text": "see\nmore"}])
    (tmp_path / "bare.txt").write_text("bare\n", encoding="utf-8")
    expected = ["Ada wrote", END, "the train", END, "see\n", "more", END, "bare\n", END]
    for path in (tmp_path, tmp_path / "task.yaml"):
        lines, counts = read(path)
        assert lines == expected
        assert counts.documents == 4
        assert (
            f"{path}: reading the splits train and unlabeled of this task; others are not read."
            in capsys.readouterr().err
        )
    before = corpus_reader.content_hash([str(tmp_path)])
    (tmp_path / "test.txt").write_text("Bob B-PER\n", encoding="utf-8")
    assert corpus_reader.content_hash([str(tmp_path)]) == before
    (tmp_path / "bare.txt").write_text("bear\n", encoding="utf-8")
    assert corpus_reader.content_hash([str(tmp_path)]) != before


def test_task_is_found_by_its_name_and_refused_without_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines, counts = read("transaction_risk")
    assert counts.documents == 1560
    assert not any("{" in line for line in lines)
    (tmp_path / "task.yaml").write_text(
        "{format: jsonl, data: away, files: {train: a.jsonl}, fields: {topic: {kind: classes, labels: [a, b]}}}",
        encoding="utf-8",
    )
    with pytest.raises(UserError, match=r"away.*the data folder of the task .* does not exist.*Set data: in task.yaml"):
        read(tmp_path)


def test_deduplication_drops_and_counts_repeated_lines(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("same\nother\n same \nsame thing\n\nsame\n", encoding="utf-8")
    lines, counts = read(file, deduplicate=True)
    assert lines == ["same\n", "other\n", "same thing\n", END]
    assert (counts.repeated, counts.lines, counts.documents) == (2, 5, 1)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.txt", b"good\nbad \xff\n", ["a.txt:2", "not UTF-8"]),
    ("a.txt", b"good\n\x00\x01", ["a.txt:2", "binary"]),
    ("a.txt.gz", b"not packed", ["a.txt.gz", "damaged"]),
    ("a.txt.gz", gzip.compress(b"text " * 1000, mtime=0)[:-20], ["a.txt.gz", "damaged or truncated"]),
    ("a.jsonl", b'{"text": "x"}\n{"words": "y"}\n', ["a.jsonl:2", 'no "text"']),
    ("a.jsonl", b"{", ["a.jsonl:1", "not JSON"]),
])  # fmt: skip
def test_error_names_the_bad_file_and_line(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(tmp_path / name)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(("path", "word"), [
    ("none.txt", "no such file"), ("empty", "no .txt"), ("hub:none/such", "data set"), ("hub:a/b?colum=x", '"column"'),
])  # fmt: skip
def test_missing_path_is_an_error(tmp_path, path, word):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=word):
        read(path if path.startswith("hub:") else tmp_path / path)
    with pytest.raises(UserError, match=word):
        corpus_reader.content_hash([path if path.startswith("hub:") else str(tmp_path / path)])


def test_files_without_text_are_counted_and_an_error_if_there_is_no_other(tmp_path):
    for name, text in (("a.txt", ""), ("b.txt", " \n\n"), ("c.txt", "text")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read(tmp_path)[1].empty == 2
    with pytest.raises(UserError, match=r"a\.txt: there is no text in it \(nor in 1 more\)"):
        read(tmp_path / "a.txt", tmp_path / "b.txt")


def test_hub_data_set_is_read_by_column(tmp_path):
    """`datasets` reads a local folder as it reads a data set on the hub."""
    tiny.write_records(tmp_path / "train.jsonl", [{"body": "first\nline"}, {"body": None}, {"body": "second"}])
    lines, counts = read(f"hub:{tmp_path}?column=body")
    assert lines == ["first\n", "line", END, "second", END]
    assert counts.documents == 2
    assert counts.textless == 1
    with pytest.raises(UserError, match='no text in the column "text". Add [?]column= one of: body'):
        read(f"hub:{tmp_path}")


def test_content_hash_depends_on_the_content_only(tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    for file in (one, two):
        file.write_text("same", encoding="utf-8")
    first = corpus_reader.content_hash([str(one)])
    assert corpus_reader.content_hash([str(two)]) == first
    two.write_text("sama", encoding="utf-8")
    assert corpus_reader.content_hash([str(two)]) != first != corpus_reader.content_hash([str(one), str(one)])


DOCUMENTS = st.lists(
    st.lists(st.lists(st.integers(1000, 2000), min_size=1, max_size=30), min_size=1, max_size=3), min_size=1, max_size=8
)


@given(DOCUMENTS, st.integers(4, 20))
def test_packing_keeps_all_tokens_and_separates_documents(documents, length):
    lines = [line for document in documents for line in [*document, None]]
    blocks = list(pack(iter(lines), SPECIAL_TOKENS, length))
    assert all(len(block) == length and block[0] == 101 for block in blocks)
    inner = [ids for block in blocks for ids in block if ids >= 1000]
    assert inner == [ids for document in documents for line in document for ids in line]
    for block in blocks[:-1]:
        assert block[-1] == 102 and 0 not in block, "only the last block is padded"
    assert 102 in blocks[-1]
    # Between the last token of a document and the first of the next there is a separator, or the end of a block.
    flat = [ids for block in blocks for ids in block]
    tokens = [index for index, ids in enumerate(flat) if ids >= 1000]
    end = 0
    for document in documents[:-1]:
        end += sum(map(len, document))
        between = flat[tokens[end - 1] + 1 : tokens[end]]
        assert 102 in between


@pytest.fixture
def tokenizer(encoder):
    from electra_ie.models.encoders import load_tokenizer

    return load_tokenizer(encoder("bert"))


def source(lines):
    def reader(counts):
        counts.lines = len(lines)
        yield from lines

    return reader


def test_blocks_are_built_once_and_memory_mapped(tokenizer, monkeypatch):
    monkeypatch.setattr(token_blocks, "BLOCKS_AT_ONCE", 3)  # several batches of records in the file
    lines = ["invoice goods paid\n", END] * 40
    blocks, counts = load_or_build_blocks(source(lines), tokenizer, 12, "content one")
    assert counts["tokens"] == 120
    assert counts["blocks"] == len(blocks) > 9
    assert blocks.length == 12
    expected = list(
        pack(
            iter([tokenizer("invoice goods paid", add_special_tokens=False)["input_ids"], None] * 40),
            SpecialTokens.of(tokenizer),
            12,
        )
    )
    order = np.array([len(blocks) - 1, 0, 4, 4])
    assert blocks.rows(order).tolist() == [expected[index] for index in order]

    def never(counts):
        raise AssertionError("read again")

    cached, cached_counts = load_or_build_blocks(never, tokenizer, 12, "content one")
    assert cached_counts == counts
    assert cached.hash == blocks.hash
    with pytest.raises(AssertionError):
        load_or_build_blocks(never, tokenizer, 14, "content one")


def test_empty_or_broken_corpus_leaves_no_cache_entry(tokenizer, cache):
    before = set(cache.iterdir())
    with pytest.raises(UserError, match="the tokenizer finds no token"):
        load_or_build_blocks(source([]), tokenizer, 12, "content of nothing")

    def broken(counts):
        yield "invoice goods paid\n" * 100
        raise UserError("in the middle")

    with pytest.raises(UserError, match="in the middle"):
        load_or_build_blocks(broken, tokenizer, 12, "content that breaks")
    assert set(cache.iterdir()) == before


def test_rows_are_not_copied_into_memory(tokenizer, cache):
    """The rows of the memory-mapped file are read on access only."""
    blocks, _ = load_or_build_blocks(source(["invoice goods paid the bank\n"] * 5000), tokenizer, 16, "content, long")
    assert all(not chunk.flags.owndata for chunk in blocks.chunks)
    assert len(blocks.chunks) > 1
    assert isinstance(blocks, Blocks)


def test_new_vocabulary_has_the_given_size_and_is_deterministic(tmp_path):
    lines = ["The Bank of Arden paid.\n", END, "银行支付\n", "Banks pay.\n"] * 5
    tokenizer = new_tokenizer(lambda: lines, 40, True, 64, "vocabulary")
    assert len(tokenizer) == 40
    assert tokenizer.all_special_tokens != []
    assert tokenizer.model_max_length == 64
    assert {tokenizer.convert_tokens_to_ids(name) for name in SPECIAL} == {
        tokenizer.get_vocab()[name] for name in SPECIAL
    }
    assert tokenizer.tokenize("银行") == ["银", "行"]
    assert tokenizer.tokenize("BANK") == tokenizer.tokenize("bank")
    for index in range(5):
        again = new_tokenizer(lambda: lines, 40, True, 64, f"vocabulary {index}").get_vocab()
        assert again == tokenizer.get_vocab(), "the entries differ between trainings"
    assert new_tokenizer(lambda: pytest.fail("trained again"), 40, True, 64, "vocabulary").get_vocab() == again
    tokenizer.save_pretrained(tmp_path)
    from transformers import AutoTokenizer

    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again("The Bank 银")["input_ids"] == tokenizer("The Bank 银")["input_ids"]
    assert again("The Bank 银").tokens()[0] == "[CLS]"
    cased = new_tokenizer(lambda: lines, 40, False, 64, "vocabulary")
    assert "B" in cased.get_vocab()
    assert "B" not in tokenizer.get_vocab()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (5000, ["supports a vocabulary of", "vocab_size is 5000", "--vocab-size"]),
        (8, ["characters of the corpus alone", "--vocab-size"]),
    ],
)
def test_vocabulary_size_that_does_not_fit_the_corpus_is_an_error(size, words):
    with pytest.raises(UserError) as caught:
        new_tokenizer(lambda: ["the bank paid\n"], size, True, 64, "small vocabulary")
    assert all(word in str(caught.value) for word in words), caught.value


def test_text_that_looks_like_a_special_token_is_tokenized_as_text(tokenizer):
    blocks, _ = load_or_build_blocks(
        source(["bank [MASK] goods [PAD] [SEP] paid\n", END]), tokenizer, 32, "content, special"
    )
    row = blocks.rows(np.array([0]))[0].tolist()
    inner = row[1 : row.index(tokenizer.sep_token_id)]
    assert not set(inner) & {tokenizer.mask_token_id, tokenizer.pad_token_id, tokenizer.cls_token_id}
    assert tokenizer.convert_tokens_to_ids("paid") in row


def test_damaged_cache_is_built_again(tokenizer, cache):
    first, counts = load_or_build_blocks(source(["invoice goods paid\n"] * 9), tokenizer, 12, "content, damaged")
    before = set(cache.iterdir())
    for ending, spoil in ((".arrow", lambda raw: raw[:-40]), (".json", lambda raw: b"")):
        file = max((path for path in before if path.suffix == ending), key=lambda path: path.stat().st_mtime_ns)
        file.write_bytes(spoil(file.read_bytes()))
        again, cached_counts = load_or_build_blocks(
            source(["invoice goods paid\n"] * 9), tokenizer, 12, "content, damaged"
        )
        assert cached_counts == counts
        assert len(again) == len(first)


def test_content_hash_depends_on_the_suffix(tmp_path):
    content = gzip.compress(b'{"text": "the bank"}\n', mtime=0)
    for name in ("a.txt.gz", "a.jsonl.gz"):
        (tmp_path / name).write_bytes(content)
    assert corpus_reader.content_hash([str(tmp_path / "a.txt.gz")]) != corpus_reader.content_hash(
        [str(tmp_path / "a.jsonl.gz")]
    )


def test_long_lines_are_tokenized_in_small_portions(monkeypatch):
    monkeypatch.setattr(token_blocks, "CHARACTERS_AT_ONCE", 10)
    lines = ["abcdef", "abcdef", "ab", END, "abcdefghijklmno", "a"]
    portions = list(token_blocks._portions(lines))
    assert sum(portions, []) == lines
    assert [len(portion) for portion in portions] == [2, 3, 1]
