"""Label Studio's JSON as the tool exports it, and the faults of its versions."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tool_files import faults, read, spans, write_array

from electra_ie.common.errors import UserError
from electra_ie.formats import FORMATS
from electra_ie.formats.annotations import AnnotatedDocument, AnnotatedSpan, Attribute, Relation
from electra_ie.formats.label_studio_config import labeling_config

EXPORTS = Path(__file__).parent / "exports"
TEXT = "\N{GRINNING FACE} ACME Ltd paid Brook"


def region(start, end, quoted, *labels, id="r1", **further):
    value = {"start": start, "end": end, "text": quoted, "labels": list(labels)}
    return {
        "value": value,
        "id": id,
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "origin": "manual",
    } | further


def annotation(*results, **further):
    return {
        "id": 1001, "completed_by": 7, "result": list(results), "was_cancelled": False, "ground_truth": False,
        "created_at": "2026-03-09T22:16:08.728353Z", "lead_time": 4.288, "task": 1, "parent_prediction": None, **further,
    }  # fmt: skip


def task(*annotations, text=TEXT, predictions=(), id=1, **data):
    return {
        "id": id, "annotations": list(annotations), "file_upload": "a.csv", "drafts": [], "predictions": list(predictions),
        "data": {"text": text, **data}, "meta": {}, "created_at": "2026-03-09T21:52:49.513742Z", "project": 83,
    }  # fmt: skip


def test_everything_of_an_annotation_is_read(tmp_path):
    place = {"start": 2, "end": 10, "text": "ACME Ltd"}
    done = annotation(
        region(2, 10, "ACME Ltd", "PAYER", "COMPANY", meta={"text": ["see page 2"]}),
        region(16, 21, "Brook", "PAYEE", id="r2", from_name="roles", origin="prediction-changed"),
        {
            "value": {**place, "choices": ["high"]},
            "id": "r1",
            "from_name": "trust",
            "to_name": "text",
            "type": "choices",
        },
        {
            "value": {**place, "text": ["a typo"]},
            "id": "r1",
            "from_name": "remark",
            "to_name": "text",
            "type": "textarea",
        },
        {"value": {**place, "rating": 4}, "id": "r1", "from_name": "stars", "to_name": "text", "type": "rating"},
        {"value": {**place, "taxonomy": [["EU", "DE"]]}, "id": "r1", "from_name": "place", "type": "taxonomy"},
        {"value": {"choices": ["fraud", "late"]}, "id": "c", "from_name": "risk", "to_name": "text", "type": "choices"},
        {"value": {"text": ["all fine"]}, "id": "t", "from_name": "comment", "to_name": "text", "type": "textarea"},
        {"from_id": "r1", "to_id": "r2", "type": "relation", "direction": "right", "labels": ["pays"]},
        {"from_id": "r1", "to_id": "r2", "type": "relation", "direction": "left"},
        {"from_id": "r1", "to_id": "r2", "type": "relation", "direction": "bi", "labels": ["knows"]},
    )
    (document,) = read("label_studio", write_array(tmp_path / "x.json", task(done, source="mail")))
    assert document.id == "1" and document.text == TEXT and not document.predicted
    assert spans(document) == [("", "PAYER", "ACME Ltd"), ("", "COMPANY", "ACME Ltd"), ("roles", "PAYEE", "Brook")]
    first = document.spans[0]
    assert first.attributes == (
        Attribute("trust", "high"), Attribute("remark", "a typo"), Attribute("stars", "4"), Attribute("place", "EU / DE"),
    )  # fmt: skip
    assert first.notes == ("see page 2",)
    assert [span.origin for span in document.spans] == ["person", "person", "corrected"]
    assert document.labels == {"risk": ("fraud", "late")}
    assert document.layers == ("", "roles")
    assert document.metadata == {"source": "mail", "comment": ["all fine"], "annotator": 7}
    there, back, both = document.relations
    assert (there.label, there.arguments) == ("pays", (("Arg1", "r1"), ("Arg2", "r2")))
    assert (back.label, back.arguments) == ("relation", (("Arg1", "r2"), ("Arg2", "r1")))
    assert both.symmetric and not there.symmetric


def test_predictions_are_no_labels(tmp_path):
    prediction = {"model_version": "m1", "score": 0.5, "result": [region(2, 10, "ACME Ltd", "PAYER", score=0.5)]}
    path = write_array(
        tmp_path / "x.json",
        task(annotation(region(16, 21, "Brook", "PAYEE")), predictions=[prediction]),
        task(predictions=[prediction], id=2),
        task(id=3),
        task(annotation(), id=4),
    )
    labeled, predicted, untouched, nothing = read("label_studio", path)
    assert spans(labeled) == [("", "PAYEE", "Brook")] and not labeled.predicted
    assert predicted.predicted and predicted.spans[0].score == 0.5
    assert untouched.layers is None and not untouched.predicted
    assert nothing.layers == ("",), "the task was annotated, with the layer that the project has, but has no span"


def test_origins_are_found_by_the_prediction_that_the_annotation_began_with(tmp_path):
    results = [region(2, 10, "ACME Ltd", "PAYER", id="a"), region(16, 21, "Brook", "PAYER", id="b")]
    for result in results:
        del result["origin"]
    kept, changed, new = (
        results[0],
        results[1] | {"value": region(16, 21, "Brook", "PAYEE")["value"]},
        dict(results[0], id="c"),
    )
    new["value"] = region(11, 15, "paid", "VERB")["value"]
    done = annotation(kept, changed, new, parent_prediction=5)
    (document,) = read(
        "label_studio", write_array(tmp_path / "x.json", task(done, predictions=[{"id": 5, "result": results}]))
    )
    assert [span.origin for span in document.spans] == ["model", "corrected", "person"]


def test_ids_of_predictions_are_counted_and_origins_are_read_of_the_copy_in_the_annotation(tmp_path, caplog):
    """The export of the tool expands drafts only, so that `predictions` is a list of ids."""
    result = region(2, 10, "ACME Ltd", "PAYER")
    del result["origin"]
    done = annotation(result, parent_prediction=12, prediction={"id": 12, "model_version": "m1", "result": [result]})
    other = annotation(result, parent_prediction=13, prediction={"id": 12, "model_version": "m1", "result": [result]})
    path = write_array(
        tmp_path / "x.json", task(done, predictions=[12]), task(predictions=[13, 14], id=2),
        task(other, predictions=[13], id=3),
    )  # fmt: skip
    corrected, open_task, unknown = read("label_studio", path)
    assert [span.origin for span in corrected.spans] == ["model"]
    assert open_task.layers is None and not open_task.predicted
    assert [span.origin for span in unknown.spans] == [""], "the copy is of another prediction"
    assert "4 predictions of which the export has only the ids are not read" in caplog.text


def test_nested_choices_are_read_as_paths(tmp_path):
    whole = {"value": {"choices": [["A", "B"], ["C"]]}, "from_name": "topic", "type": "choices", "id": "c"}
    (document,) = read("label_studio", write_array(tmp_path / "x.json", task(annotation(whole))))
    assert document.labels == {"topic": ("A / B", "C")}


def test_labels_of_texts_have_an_origin(tmp_path):
    def choice(name, *labels, **further):
        return {
            "value": {"choices": list(labels)}, "id": name, "from_name": name, "to_name": "text", "type": "choices",
        } | further  # fmt: skip

    said = annotation(
        choice("a", "x", origin="manual"), choice("b", "x", origin="prediction"),
        choice("c", "x", origin="prediction-changed"), choice("d", "x", origin="manual"),
        choice("d", "y", origin="prediction"), choice("e", "x"),
    )  # fmt: skip
    old = {"id": 5, "result": [choice("a", "x"), choice("b", "x", id="other")]}
    compared = annotation(choice("a", "x"), choice("b", "y"), choice("c", "z"), parent_prediction=5)
    path = write_array(tmp_path / "x.json", task(said), task(compared, predictions=[old], id=2))
    first, second = read("label_studio", path)
    assert first.label_origins == {"a": "person", "b": "model", "c": "corrected", "d": "corrected"}
    assert second.label_origins == {"a": "model", "b": "corrected", "c": "person"}


def test_annotators_who_differ_are_an_error_or_a_choice(tmp_path, caplog):
    one, other = (
        annotation(region(2, 6, "ACME", "PAYER"), completed_by=3),
        annotation(region(2, 10, "ACME Ltd", "PAYER"), completed_by=5),
    )
    cancelled = annotation(was_cancelled=True)
    path = write_array(tmp_path / "x.json", task(one, other), task(one, cancelled, {**one, "completed_by": 9}, id=2))
    documents, errors = faults("label_studio", path)
    assert [document.id for document in documents] == ["2"], "equal annotations are no conflict"
    (error,) = errors
    assert error.startswith("2: task 1: 2 annotations of one text differ (of 3, 5).") and "first or last" in error
    assert spans(read("label_studio", path, annotation="first")[0]) == [("", "PAYER", "ACME")]
    assert spans(read("label_studio", path, annotation="last")[0]) == [("", "PAYER", "ACME Ltd")]


def test_white_space_that_is_lost_in_the_quoted_text_is_accepted_and_counted(tmp_path, caplog):
    text = "The  ACME \n Ltd paid"
    path = write_array(tmp_path / "x.json", task(annotation(region(5, 15, "ACME Ltd", "PAYER")), text=text))
    (document,) = read("label_studio", path)
    assert document.spans[0].fragments == ((5, 15),)
    assert "the quoted texts of 1 spans have other white space" in caplog.text


def test_utf_16_offsets_are_converted_and_counted(tmp_path, caplog):
    (document,) = read(
        "label_studio", write_array(tmp_path / "x.json", task(annotation(region(3, 11, "ACME Ltd", "PAYER"))))
    )
    assert document.spans[0].fragments == ((2, 10),)
    assert "the offsets of 1 spans count UTF-16 code units" in caplog.text


@pytest.fixture(autouse=True)
def _logs(caplog, monkeypatch):
    """Let the records of the package reach caplog."""
    monkeypatch.setattr("electra_ie.common.logs.logger.propagate", True)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (task(annotation(region(0, 4, "ACME", "X")), text="AC ME"), "the span 0 to 4 is 'AC M', not 'ACME'"),
        (task(annotation(region(16, 23, "Brook", "X"))), "the span 16 to 23 is outside the text of 21 characters"),
        (
            task(annotation(region(6, 10, "ACME", "X")), text="Hi\r\n\r\nthe ACME"),
            "the span 6 to 10 is 'the ', not 'ACME'",
        ),
        (task(annotation(region("2", "6", "ACME", "X"))), 'a span has start "2" and end "6"'),
        (task(annotation(region(2, 2, "", "X"))), "the span 2 to 2 is empty"),
        (task(annotation(region(2, 6, "ACME", "X"), region(2, 10, "ACME Ltd", "Y"))), 'two regions have the id "r1"'),
        (task(annotation({"from_id": "a", "to_id": "b", "type": "relation"})), 'a relation needs the region "a"'),
        (task(annotation({"value": 3, "from_name": "a", "type": "choices"})), '"value" is 3'),
        (task(annotation({"value": {"choices": [[3]]}, "from_name": "a", "type": "choices"})), '"choices" is [[3]]'),
        (task(predictions=[True]), "a prediction is not an object"),
        ({"id": 1, "annotations": []}, 'there is no "data"'),
        ({"id": 1, "data": {"html": "x"}}, 'the record has no "text"'),
        (task(annotation(result=None)) | {"annotations": {}}, '"annotations" is {}'),
    ],
)
def test_a_fault_names_line_and_task(tmp_path, broken, message):
    documents, errors = faults("label_studio", write_array(tmp_path / "x.json", task(id=9), broken, task(id=8)))
    assert [document.id for document in documents] == ["9", "8"], "reading goes on"
    (error,) = errors
    assert error.startswith("3: task 1: ") and message in error


def test_a_score_that_is_no_probability_is_counted(tmp_path, caplog):
    prediction = {"result": [region(2, 6, "ACME", "A", score=7.5)]}
    (document,) = read("label_studio", write_array(tmp_path / "x.json", task(predictions=[prediction])))
    assert document.spans[0].score is None
    assert "1 scores that are no probabilities are not read" in caplog.text


def test_an_id_twice_is_refused(tmp_path):
    documents, (error,) = faults("label_studio", write_array(tmp_path / "x.json", task(), task(), task(id=2)))
    assert len(documents) == 2 and error.startswith('3: task 1: the id "1" is also that of line 2.')


def test_of_several_predictions_the_last_counts(tmp_path, caplog):
    first, last = ({"model_version": label, "result": [region(2, 6, "ACME", label)]} for label in ("A", "B"))
    path = write_array(tmp_path / "x.json", task(predictions=[first, last]))
    assert spans(read("label_studio", path)[0]) == [("", "B", "ACME")]
    assert "1 predictions before the last of a task are not read" in caplog.text
    assert spans(read("label_studio", path, annotation="first")[0]) == [("", "A", "ACME")]


def test_what_is_not_read_is_counted(tmp_path, caplog):
    box = {"value": {"x": 1}, "from_name": "box", "to_name": "img", "type": "rectanglelabels", "id": "z"}
    value = {"start": 2, "end": 6, "text": "ACME", "choices": ["high"]}
    trust = [{"value": value, "from_name": "trust", "type": "choices", "id": id} for id in ("r1", "r9")]
    brook = region(16, 21, "Brook", "PAYEE")
    states = ({"was_cancelled": True}, {"skipped": True}, {"last_action": "rejected"})
    left_out = [annotation(brook, **state) for state in states]
    path = write_array(
        tmp_path / "x.json",
        task(annotation(box, region(2, 6, "ACME"), *trust), *left_out) | {"drafts": [{"id": 3}]},
    )
    (document,) = read("label_studio", path)
    assert not document.spans and not document.labels
    assert "1 answers for regions without a label are not read" in caplog.text
    for counted in (
        "1 results of the type rectanglelabels are",
        "1 regions without a label are",
        "3 annotations that a person skipped or rejected are",
        "1 drafts that nobody submitted are",
    ):
        assert f"{counted} not read" in caplog.text


def test_hypertext_counts_in_the_text_or_is_refused(tmp_path):
    value = {
        "start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 2, "endOffset": 10, "text": "ACME Ltd",
        "globalOffsets": {"start": 2, "end": 10}, "hypertextlabels": ["PAYER"],
    }  # fmt: skip
    result = {"value": value, "id": "h", "from_name": "label", "to_name": "html", "type": "hypertextlabels"}
    path = write_array(
        tmp_path / "x.json", task(annotation(result)), task(annotation(result), text=f"<p>{TEXT}</p>", id=2)
    )
    documents, errors = faults("label_studio", path)
    assert spans(documents[0]) == [("", "PAYER", "ACME Ltd")]
    assert errors and errors[0].startswith("3: task 2: the span 2 to 10 is")


def test_a_truncated_file_is_one_error(tmp_path):
    path = write_array(tmp_path / "x.json", task(), task(id=2))
    path.write_text(path.read_text("utf-8")[:-40], encoding="utf-8")
    with pytest.raises(UserError, match=r"x.json:\d: "):
        read("label_studio", path)


DOCUMENTS = [
    AnnotatedDocument(
        "a", "ACME paid", (AnnotatedSpan("s1", "PAYER", ((0, 4),), score=0.75, attributes=(Attribute("Negated"),)),),
        labels={"risk": ("fraud",)}, label_scores={"risk": (0.5,)}, predicted=True, metadata={"model": "m1"},
    ),
    AnnotatedDocument("b", "Brook <knows> ACME", (
        AnnotatedSpan("s1", "A & B", ((0, 5),), layer="names"), AnnotatedSpan("s2", "PAYER", ((14, 18),), layer="names"),
    ), (Relation("q", "knows", (("x", "s1"), ("y", "s2")), symmetric=True),), labels={"risk": ()}, layers=("names",)),
]  # fmt: skip


def test_written_tasks_have_the_form_that_label_studio_imports(tmp_path):
    losses = FORMATS["label_studio"].save(DOCUMENTS, tmp_path / "x.json", {"config": str(tmp_path / "config.xml")})
    assert losses == {"roles of relations": 1}
    predicted, annotated = json.loads((tmp_path / "x.json").read_text("utf-8"))
    (prediction,) = predicted["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("m1", 0.5) and "annotations" not in predicted
    assert prediction["result"][0] == {
        "id": "s1", "from_name": "label", "to_name": "text", "type": "labels", "score": 0.75,
        "value": {"start": 0, "end": 4, "text": "ACME", "labels": ["PAYER"]},
    }  # fmt: skip
    assert prediction["result"][1]["value"]["choices"] == ["Negated"]
    assert annotated["annotations"][0]["result"][-1] == {
        "from_id": "s1", "to_id": "s2", "type": "relation", "labels": ["knows"], "direction": "bi",
    }  # fmt: skip
    assert annotated["data"] == {"text": "Brook <knows> ACME", "id": "b"}
    assert (tmp_path / "config.xml").read_text("utf-8") == labeling_config(DOCUMENTS)
    with pytest.raises(UserError, match="this file exists"):
        FORMATS["label_studio"].save(DOCUMENTS, tmp_path / "y.json", {"config": str(tmp_path / "config.xml")})


def test_the_configuration_has_all_controls():
    view = ElementTree.fromstring(labeling_config(DOCUMENTS))
    controls = {child.get("name", child.tag): [entry.get("value") for entry in child] for child in view}
    assert controls == {
        "label": ["PAYER"], "names": ["A & B", "PAYER"], "risk": ["fraud"], "Negated": ["Negated"],
        "Relations": ["knows"], "text": [],
    }  # fmt: skip
    assert view.find("Choices[@name='risk']").get("choice") == "multiple"
    assert view.find("Choices[@name='Negated']").get("perRegion") == "true"
    assert {child.get("toName") for child in view if child.tag in ("Labels", "Choices")} == {"text"}


def test_a_name_of_two_controls_is_refused():
    document = AnnotatedDocument("a", "x", labels={"label": ("y",)})
    with pytest.raises(UserError, match='needs the name "label" twice'):
        labeling_config([document])


def test_metadata_that_would_replace_the_text_is_refused(tmp_path):
    document = AnnotatedDocument("a", "x", metadata={"text": "y"})
    with pytest.raises(UserError, match='the name "text" of a layer, question or value of "a" has another meaning'):
        FORMATS["label_studio"].save([document], tmp_path / "x.json")


def test_a_score_of_a_label_that_a_person_changed_is_not_kept(tmp_path):
    choices = {"value": {"choices": ["a", "b"]}, "from_name": "risk", "type": "choices", "score": 0.5, "id": "c"}
    (document,) = read("label_studio", write_array(tmp_path / "x.json", task(annotation(choices))))
    assert document.labels == {"risk": ("a", "b")} and not document.label_scores


@pytest.mark.parametrize("name", ["label_studio", "argilla", "doccano", "prodigy", "label_studio_min"])
def test_the_tools_are_told_apart(tmp_path, name):
    FORMATS[name].save(DOCUMENTS, tmp_path / "x")
    detected = [format.name for format in FORMATS.values() if format.detect(tmp_path / "x")]
    assert name in detected and not {*detected} & (
        {"label_studio", "argilla", "doccano", "prodigy", "label_studio_min"} - {name}
    )


@pytest.mark.parametrize("export", ["annotated", "predicted"])
def test_an_export_of_the_tool_is_read_as_it_was_written(export):
    """Label Studio 1.23.2: texts of this package's writer, submitted in its page; the last mark of `annotated` by mouse."""
    documents = {each.id: each for each in read("label_studio", EXPORTS / f"label_studio_{export}.json")}
    by_hand = {"emoji": "Ltd", "crlf": "more", "zh": "\u4ed8\u6b3e", "ar": "\u062f\u0641\u0639\u062a"}
    imported = {
        "emoji": [("PARTY", "ACME"), ("PARTY", "Brook"), ("AMOUNT", "9,800"), ("MONEY", "EUR 9,800")],
        "crlf": [("PARTY", "ACME"), ("PARTY", "Brook"), ("AMOUNT", "EUR 5")],
        "zh": [("PARTY", "ACME"), ("AMOUNT", "9,800")],
        "ar": [("PARTY", "ACME"), ("AMOUNT", "EUR 7")],
    }
    origin = "person" if export == "annotated" else "model"
    for id, marks in imported.items():
        document = documents[id]
        expected = [("entities", *mark) for mark in marks]
        if export == "annotated":
            expected.append(("entities", "PARTY", by_hand[id]))
        assert spans(document) == expected
        assert {span.origin for span in document.spans} == {origin}
        assert document.spans[0].attributes == (Attribute("trust", "high"),)
        assert document.labels == {"risks": ("late", "fraud") if id == "emoji" else (), "topic": ("goods",)}
        assert [(each.label, each.arguments) for each in document.relations] == [
            ("pays", (("Arg1", "T1"), ("Arg2", "T2")))
        ]
    assert "\r\n" in documents["crlf"].text and not any(each.predicted for each in documents.values())


def test_the_only_ground_truth_counts_if_people_differ(tmp_path):
    acme, brook = region(2, 10, "ACME Ltd", "PAYER"), region(16, 21, "Brook", "PAYEE")
    one, truth, none = annotation(acme), annotation(brook, ground_truth=True), annotation()
    path = write_array(tmp_path / "x.json", task(one, truth, none))
    read_spans = {which: spans(read("label_studio", path, annotation=which)[0]) for which in ("error", "first", "last")}
    assert read_spans == {"error": [("", "PAYEE", "Brook")], "first": [("", "PAYER", "ACME Ltd")], "last": []}
    two = write_array(tmp_path / "y.json", task(one | {"ground_truth": True}, truth))
    assert "2 annotations of one text differ" in faults("label_studio", two)[1][0]


@pytest.mark.parametrize(
    ("ids", "place"),
    [({"id": 7}, "2: task 7: "), ({"data": {"id": "memo-3"}}, '2: task with the id "memo-3" in its data: '), ({}, "2: task 1 of the file: ")],
)  # fmt: skip
def test_a_fault_names_the_id_that_the_task_has(tmp_path, ids, place):
    broken = task(annotation(region(2, 2, "", "X")))
    del broken["id"]
    broken |= {key: value for key, value in ids.items() if key == "id"}
    broken["data"] = {**broken["data"], **ids.get("data", {})}
    _, (error,) = faults("label_studio", write_array(tmp_path / "x.json", broken))
    assert error.startswith(f"{place}the span 2 to 2 is empty")
