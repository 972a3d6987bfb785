"""The schema: complete, and kept by every answer to what schemathesis makes of it."""

from __future__ import annotations

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")


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
    assert {"422", "503", "504"} <= set(schema["paths"]["/extract"]["post"]["responses"])


def test_the_server_keeps_to_its_schema(client, schema, subtests=None):
    """Requests that fit the schema, and requests that do not, are answered as it says, and never by status 500."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    loaded = schemathesis.openapi.from_dict(schema)
    operations = [result.ok() for result in loaded.get_all_operations()]
    assert len(operations) == 6
    for operation in operations:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            try:
                cases = operation.as_strategy(generation_mode=mode)
            except Exception as error:
                assert "negative" in str(error), operation.label
                continue

            @settings(max_examples=15, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(case=cases, data=st.data())
            def check(case, data):
                response = case.call(base_url=str(client.base_url))
                case.validate_response(response)
                assert response.status_code < 500

            check()
