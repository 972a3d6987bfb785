"""Every public function refuses an argument of a wrong type with an error of the user, before it does anything."""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import electra_ie
from electra_ie import UserError
from electra_ie.common.arguments import check_types

METHODS = (
    "Extractor.from_pretrained", "Extractor.save_pretrained", "Extractor.push_to_hub",
    "ExportedExtractor.from_pretrained", "Task.load",
)  # fmt: skip
SIMPLE = ("bool", "int", "float", "str", "str | os.PathLike[str]", "Sequence[str]")
SAMPLES = {"bool": True, "int": 1, "float": 0.5}


def public_functions() -> dict[str, Callable]:
    functions = {name: getattr(electra_ie, name) for name in electra_ie.__all__}
    functions = {name: function for name, function in functions.items() if inspect.isfunction(function)}
    assert {"train", "compare", "compare_runs", "extract", "value"} <= set(functions)
    for name in METHODS:
        owner, _, method = name.partition(".")
        functions[name] = getattr(getattr(electra_ie, owner), method)
    return functions


def is_simple(parameter: inspect.Parameter) -> bool:
    return str(parameter.annotation).removesuffix(" | None") in SIMPLE


PARAMETERS = [
    (name, parameter.name)
    for name, function in public_functions().items()
    for parameter in inspect.signature(function).parameters.values()
    if is_simple(parameter)
]


@pytest.mark.parametrize(("name", "argument"), PARAMETERS)
def test_an_argument_of_a_wrong_type_is_an_error_of_the_user(name, argument):
    function = public_functions()[name]
    assert hasattr(function, "__wrapped__"), f"{name} is not decorated with check_types"
    positional, named = [], {}
    for each in inspect.signature(function).parameters.values():
        if each.name == argument:
            value = object()
        elif each.default is each.empty and each.kind is not each.VAR_KEYWORD:
            value = SAMPLES.get(str(each.annotation), "x")
        else:
            continue
        if each.kind is each.POSITIONAL_ONLY:
            positional.append(value)
        else:
            named[each.name] = value
    with pytest.raises(UserError, match=rf"^\w+(\.\w+)?: {argument} is of the type object, and must be "):
        function(*positional, **named)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: electra_ie.evaluate(5), "evaluate: run is 5 (int), and must be a string or a path. Give a value such as"),
        (lambda: electra_ie.Extractor.from_pretrained(None), "Extractor.from_pretrained: run is None, and must be a string or a path."),
        (lambda: electra_ie.calibrate("run", ["x"], confidence="0.9"), 'calibrate: confidence is "0.9" (str), and must be a number. Give it without quotes: 0.9.'),
        (lambda: electra_ie.extract("run", "in", "out", min_score="0.5"), 'extract: min_score is "0.5" (str), and must be a number. Give it without quotes: 0.5.'),
        (lambda: electra_ie.extract("run", "in", "out", min_score=float("nan")), "extract: min_score is nan (float), and must be a finite number."),
        (lambda: electra_ie.extract("run", "in", None), "extract: output is None, and must be a string, a path or an open text file."),
        (lambda: electra_ie.extract("run", "in", io.BytesIO()), "extract: output is of the type BytesIO, and must be"),
        (lambda: electra_ie.extract("run", [1], "out"), "extract: an item of paths is 1 (int), and must be a string or a path."),
        (lambda: electra_ie.extract("run", "in", "out", strict="yes"), 'extract: strict is "yes" (str), and must be True or False.'),
        (lambda: electra_ie.suggest("task", count="3"), 'suggest: count is "3" (str), and must be a whole number. Give it without quotes: 3.'),
        (lambda: electra_ie.suggest("task", count=True), "suggest: count is True (bool), and must be a whole number."),
        (lambda: electra_ie.suggest(7), "suggest: task is 7 (int), and must be a string, a path or a Task."),
        (lambda: electra_ie.distill("run", layers="2"), 'distill: layers is "2" (str), and must be a whole number or None. Give it without quotes: 2.'),
        (lambda: electra_ie.compare("task", label_budgets=["20"]), 'compare: an item of label_budgets is "20" (str), and must be a whole number.'),
        (lambda: electra_ie.compare("task", seeds=[0, 1]), "compare: seeds is [0, 1] (list), and must be a whole number or None."),
        (lambda: electra_ie.serve("run", port="x"), 'serve: port is "x" (str), and must be a whole number. Give a value such as 10.'),
        (lambda: electra_ie.label("task", port="x"), 'label: port is "x" (str), and must be a whole number.'),
        (lambda: electra_ie.calibrate("run", [("precision", 0.9, "DRUG")]), "calibrate: an item of goals is ('precision', 0.9, 'DRUG') (tuple), and must be a string."),
        (lambda: electra_ie.train("task", overrides={"max_steps": 5}), "train: overrides is {'max_steps': 5} (dict), and must be a list of strings."),
        (lambda: electra_ie.convert("a", "b", source_options=3), "convert: source_options is 3 (int), and must be a mapping or a list of strings."),
        (lambda: electra_ie.value("date", "x", reference_date=3), "value: reference_date is 3 (int), and must be a date, a string or None."),
        (lambda: electra_ie.Extractor.from_pretrained("run", token=["hf_secret"]), "Extractor.from_pretrained: token is of the type list, and must be a string or None."),
    ],
)  # fmt: skip
def test_the_error_says_value_expectation_and_remedy(call, message):
    with pytest.raises(UserError) as caught:
        call()
    assert str(caught.value).startswith(message)


@check_types
def example(
    run: str, /, names: tuple[str, ...] | None = None, *, limit: float = 1, count: int | None = None, **kwargs: object
) -> dict[str, object]:
    """Return the arguments."""
    return {"run": run, "names": names, "limit": limit, "count": count, **kwargs}


def test_the_arguments_of_another_name_and_unknown_annotations_are_left_alone():
    assert example("x", 3, run=4, other=5) == {"run": 4, "names": 3, "limit": 1, "count": None, "other": 5}


def test_signature_docstring_and_errors_of_calls_are_those_of_the_function():
    assert list(inspect.signature(example).parameters) == ["run", "names", "limit", "count", "kwargs"]
    assert (example.__doc__, example.__name__) == ("Return the arguments.", "example")
    with pytest.raises(TypeError, match=r"example\(\) missing 1 required positional argument: 'run'"):
        example()
    with pytest.raises(TypeError, match="takes from 1 to 2 positional arguments but 3 were given"):
        example("x", None, 3)


def test_numbers_of_numpy_become_those_of_python():
    found = example("x", limit=np.float32(0.5), count=np.int64(3))
    assert (type(found["limit"]), type(found["count"])) == (float, int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run, folder: electra_ie.calibrate(run, "precision=0.9:nothing"), 'the goal "precision=0.9:nothing" names no label'),
        (lambda run, folder: electra_ie.extract(run, folder / "x.txt", folder / "y.jsonl", labels="DRUGS"), 'no field has the label "DRUGS"'),
        (lambda run, folder: electra_ie.compare("transaction_risk", presets="supervized"), "supervized"),
        (lambda run, folder: electra_ie.train("transaction_risk", overrides="max_stepz=5"), "max_stepz"),
        (lambda run, folder: electra_ie.compare_runs(str(folder / "missing")), r"missing"),
        (lambda run, folder: electra_ie.compare_runs(folder / "missing"), r"missing"),
        (lambda run, folder: electra_ie.suggest(run, count=3, options="a=b", output=folder / "x.jsonl"), '"a"'),
    ],
)  # fmt: skip
def test_a_string_in_place_of_a_list_is_a_list_of_one(run, tmp_path, call, message):
    (tmp_path / "x.txt").write_text("ACME paid", "utf-8")
    with pytest.raises(UserError, match=message):
        call(run, tmp_path)


def test_extract_refuses_a_number_of_processes_below_one(run, tmp_path):
    with pytest.raises(UserError, match="--processes is 0, but at least 1 process extracts"):
        electra_ie.extract(run, "inbox", tmp_path / "out.jsonl", processes=0)


def test_the_output_may_be_any_open_text_file(run, tmp_path):
    (tmp_path / "x.txt").write_text("ACME paid", "utf-8")
    stream = io.StringIO()
    electra_ie.extract(run, tmp_path / "x.txt", stream)
    assert stream.getvalue().startswith('{"id"')
    electra_ie.extract(run, tmp_path / "x.txt", sys.stdout)


def test_paths_may_be_given_where_the_name_of_an_encoder_is_expected(task, encoder):
    chosen = electra_ie.suggest(task, count=2, encoder=Path(encoder("bert")))
    assert len(chosen.choices) == 2
