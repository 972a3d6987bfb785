"""The commands, names and links of README.md and docs/: always checked against the code, and executed when slow tests run.

A block that is not executed has a comment before it, `<!-- not run: reason -->`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml
from typer.main import get_command

import electra_ie
from electra_ie.cli.app import app
from electra_ie.config.pretrain import PretrainSettings
from electra_ie.config.train import PRESETS, TrainSettings
from electra_ie.metrics import MASKING_EFFECT

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
HEREDOC = re.compile(r"^.*<<'(\w+)'\n(?:.*\n)*?\1$", re.M)
COMMANDS = get_command(app).commands
"""The click command of each `electra-ie COMMAND`."""


@dataclass(frozen=True)
class Block:
    """A fenced block. reason: why it is not executed, if it is not."""

    page: str
    language: str
    body: str
    reason: str | None

    @property
    def lines(self) -> list[str]:
        """The commands of a shell block; a command with a here-document is one."""
        documents = [match[0] for match in HEREDOC.finditer(self.body)]
        rest = HEREDOC.sub("", self.body).replace("\\\n", " ")
        return [*documents, *(line.strip() for line in rest.splitlines() if line.strip() and line.strip()[0] != "#")]


def blocks(page: Path) -> list[Block]:
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(name, match["language"], match["body"], match["reason"])
        for match in BLOCK.finditer(page.read_text("utf-8"))
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language == "sh"]
PYTHON = [block for block in BLOCKS if block.language == "python"]


def inline_code(page: Path) -> list[str]:
    """The inline code of a page, white space normalized."""
    return [" ".join(match.split()) for match in re.findall(r"`([^`]+)`", BLOCK.sub("", page.read_text("utf-8")))]


def commands(line: str) -> Iterator[list[str]]:
    """The arguments of every `electra-ie` in a line of shell, also those started by accelerate."""
    for part in line.split("&&"):
        words = shlex.split(part, comments=True)
        if words[:1] == ["electra-ie"]:
            yield words[1:]
        elif words[:4] == ["accelerate", "launch", "-m", "electra_ie"]:
            yield words[4:]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_the_blocks_are_found():
    assert len(SHELL) > 25
    assert len(PYTHON) > 4
    fences = sum(len(re.findall(r"^```\w+$", page.read_text("utf-8"), re.M)) for page in PAGES)
    assert fences == sum(block.language != "" for block in BLOCKS)
    reasons = sum(len(re.findall("^<!-- not run", page.read_text("utf-8"), re.M)) for page in PAGES)
    assert reasons == sum(block.reason is not None for block in BLOCKS), "each reason stands right before its block"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_parses(page):
    for block in blocks(page):
        for arguments in (each for line in block.lines for each in commands(line)) if block.language == "sh" else ():
            name, *rest = arguments
            COMMANDS[name].make_context(name, rest)  # raises for an unknown option or a missing argument
            for setting in (rest[index + 1] for index, word in enumerate(rest) if word == "--set"):
                known = PretrainSettings if name == "pretrain" else TrainSettings
                assert re.split(r"[.=]", setting)[0] in known.__annotations__, setting
    for code in inline_code(page):
        if code.startswith("electra-ie ") and code.split()[1] != "COMMAND":
            _, name, *rest = code.split()
            options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
            assert {word for word in rest if word.startswith("-")} <= options, code
        for setting in re.findall(r"--set (?!key=value)([a-z]\w*)[.=]", code):
            assert setting in TrainSettings.__annotations__ or setting in PretrainSettings.__annotations__, code
        for preset in re.findall(r"--preset (\w+)", code):
            assert preset in (*PRESETS, "auto"), code


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_exists(page):
    codes = [block.body for block in blocks(page) if block.language == "python"]
    for body in codes:
        compile(body, name_of(page), "exec")
    codes += [re.sub(r"^::: ", "", line) for line in page.read_text("utf-8").splitlines() if line.startswith("::: ")]
    for dotted in re.findall(r"\belectra_ie\.([\w.]*\w)", "\n".join([*codes, *inline_code(page)])):
        target: Any = electra_ie
        path = "electra_ie"
        for part in dotted.split("."):
            path += f".{part}"
            is_module = hasattr(target, "__path__") and importlib.util.find_spec(path) is not None
            target = importlib.import_module(path) if is_module else getattr(target, part)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_exists(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", BLOCK.sub("", page.read_text("utf-8"))):
        assert (page.parent / link).is_file(), link
    files = re.compile(r"(?:electra_ie|tests|benchmarks|data_cards|docs|tasks|models|training|data)/[\w/]+(?:\.\w+)?")
    for code in inline_code(page):
        if files.fullmatch(code) and "NAME" not in code:
            assert (ROOT / code).exists() or (ROOT / "electra_ie" / code).exists(), code
    for block in blocks(page):
        for line in block.lines if block.language == "sh" else ():
            words = shlex.split(line, comments=True)
            for word in words:
                if re.fullmatch(r"(?:tests|benchmarks)/\w+\.py|constraints\.txt", word):
                    assert (ROOT / word).is_file(), line
            if words[0] == "make":
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.M), line
            if len(words) > 1 and words[1].startswith("benchmarks/"):
                script = (ROOT / words[1]).read_text("utf-8")
                assert all(f'"{word}"' in script for word in words[2:] if word.startswith("--")), line


def test_every_page_is_in_the_navigation():
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    files = {file for entry in navigation for file in entry.values()}
    assert {page.name for page in PAGES[1:]} == files


def test_the_log_has_the_columns_that_the_docs_name():
    assert set(MASKING_EFFECT) <= set(inline_code(ROOT / "docs" / "training.md"))


@pytest.mark.slow
def test_the_site_builds_and_requests_nothing(tmp_path: Path):
    """`mkdocs build --strict` passes, and no page loads a font, script or picture from elsewhere."""
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        loaded = re.findall(
            r"""<(?:script|img|iframe)[^>]+src="([^"]+)"|<link[^>]+href="([^"]+)""", page.read_text("utf-8")
        )
        assert not [url for urls in loaded for url in urls if re.match("(?:https?:)?//", url)], page


# Execution at tiny sizes


def value_of(arguments: list[str], option: str, value: str) -> list[str]:
    """Return the arguments with the value of an option replaced, or with the option added."""
    if option in arguments:
        index = arguments.index(option) + 1
        return [*arguments[:index], value, *arguments[index + 1 :]]
    return [*arguments, option, value]


def made_small(arguments: list[str], encoder: str) -> list[str]:
    """Return the arguments of a command with a tiny encoder and few steps."""
    name, *rest = arguments
    if "--resume" in rest or "--settings" in rest or name not in ("train", "compare", "pretrain"):
        return arguments
    if "--encoder" not in rest:
        rest = value_of(rest, "--encoder", encoder)
    if name == "pretrain":
        return [name, *value_of(rest, "--max-steps", "4"), "--set", "block_length=32"]
    if name == "compare":
        rest = value_of(rest, "--seeds", "1")
    return [name, *rest, *(word for setting in ("max_steps=4", "num_evaluations=1") for word in ("--set", setting))]


def run_line(line: str, folder: Path, encoder: str) -> None:
    """Run one command of a shell block in a folder."""
    found = list(commands(line))
    if not found:
        assert line.startswith("mkdir"), f"{line}: write <!-- not run: reason --> before the block"
        subprocess.run(["sh", "-c", line], cwd=folder, check=True)
    for arguments in found:
        code = get_command(app).main(made_small(arguments, encoder), standalone_mode=False)
        assert not code, f"{line}: exit code {code}"


def prepare(folder: Path) -> None:
    """Write the files that the pages refer to: my_task with its data, texts/, inbox/, and the inbox of a shipped task."""
    text = "ACME Ltd paid EUR 9,800"
    span = {"start": 0, "end": 8, "label": "PAYER"}
    (folder / "my_task").mkdir()
    for split, size in (("train", 110), ("dev", 10), ("test", 10)):
        records = [
            {
                "id": f"{split}{index}",
                "text": f"{text} to {tiny.NAMES[index % 8]} {index}",
                "risk": [["structuring"], ["shell_company"], []][index % 3],
                "entities": [span, {"start": 14, "end": 23, "label": "AMOUNT"}],
            }
            for index in range(size)
        ]
        tiny.write_records(folder / "my_task" / f"{split}.jsonl", records)
    memos = [{"id": str(index), "text": f"{tiny.NAMES[index % 8]} AG paid USD {index}"} for index in range(20)]
    tiny.write_records(folder / "my_task" / "memos.jsonl", memos)
    yaml_blocks = [line for block in blocks(ROOT / "README.md") for line in block.lines if "task.yaml" in line]
    subprocess.run(["sh", "-c", yaml_blocks[0]], cwd=folder, check=True)
    (folder / "inbox").mkdir()
    (folder / "inbox" / "memo.txt").write_text(text, "utf-8")
    (folder / "texts").mkdir()
    lines = [" ".join(tiny.WORDS[index % 30 : index % 30 + 12]) + ".\n\n" for index in range(200)]
    (folder / "texts" / "a.txt").write_text("".join(lines), "utf-8")
    shutil.copytree(ROOT / "tasks" / "transaction_risk" / "inbox", folder / "tasks" / "transaction_risk" / "inbox")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_blocks_run(page: Path, tmp_path: Path, encoder: Callable[[str], str], monkeypatch: pytest.MonkeyPatch):
    """All blocks of a page, in their order and in one folder; Python blocks share their names."""
    executed = [block for block in blocks(page) if block.reason is None and block.language in ("sh", "python")]
    if not executed:
        pytest.skip("this page has no block to run")
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    small = encoder("bert")
    trained = functools.partial(electra_ie.train, encoder=small, max_steps=4, num_evaluations=1)
    monkeypatch.setattr(electra_ie, "train", trained, raising=False)
    if not any("--output runs/mine" in block.body for block in executed):
        run_line("electra-ie train my_task --output runs/mine", tmp_path, small)
    names: dict[str, Any] = {}
    for block in executed:
        for line in block.lines if block.language == "sh" else ():
            run_line(line, tmp_path, small)
        if block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.body, block.page, "exec"), names)
