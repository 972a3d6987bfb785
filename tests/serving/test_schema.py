"""The schema: complete, and kept by every answer to what schemathesis makes of it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from served import served, with_goals

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")


@pytest.fixture(scope="module")
def client(model):
    """Return a client of a run with goals: without any, decisions are refused."""
    with served(with_goals(model)) as found:
        yield found


@pytest.fixture(scope="module")
def schema(client):
    return client.get("/openapi.json").json()


def test_every_endpoint_says_what_it_answers(schema):
    assert schema["openapi"].startswith("3.")
    assert set(schema["paths"]) == {"/extract", "/extract/batch", "/health", "/ready", "/info", "/metrics"}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert {"200", "400", "401", "403", "408", "413", "421", "500"} <= set(answers), path
            for status, answer in answers.items():
                content = answer["content"]
                if path != "/metrics" or status != "200":
                    assert content["application/json"]["schema"], (path, method, status)
                if status != "200":
                    assert content["application/json"]["schema"]["$ref"].endswith("/ErrorAnswer")
    for path in ("/extract", "/extract/batch"):
        operation = schema["paths"][path]["post"]
        assert {"422", "503", "504"} <= set(operation["responses"])
        assert [each["name"] for each in operation["parameters"]] == ["records", "decisions"]


POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/extract", POSITIVE),
        ("/extract", NEGATIVE),
        ("/extract/batch", POSITIVE),
        ("/extract/batch", NEGATIVE),
        ("/ready", POSITIVE),
        ("/info", POSITIVE),
        ("/metrics", POSITIVE),
    ],
)
def test_the_server_keeps_to_its_schema(client, schema, path, mode):
    """Requests that fit the schema, and requests that do not, are answered as it says, and never by an error of its own."""
    operations = {found.ok().path: found.ok() for found in schemathesis.openapi.from_dict(schema).get_all_operations()}

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(case=operations[path].as_strategy(generation_mode=mode))
    def check(case):
        response = case.call(base_url=str(client.base_url))
        case.validate_response(response)
        assert response.status_code < 500

    check()
