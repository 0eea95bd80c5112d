"""The API document: every address with its schema and an example, and the truth about who may call."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

ADDRESSES = {
    ("post", "/api/are/goals"),
    ("get", "/api/are/executions"),
    ("get", "/api/are/executions/{execution_id}"),
    ("get", "/api/are/health"),
    ("get", "/api/are/config"),
    ("post", "/api/are/agents/{agent_type}/execute"),
    ("post", "/api/v1/workflows"),
    ("get", "/api/v1/workflows"),
    ("post", "/api/v1/workflows/validate"),
    ("post", "/api/v1/workflows/execute"),
    ("get", "/api/v1/workflows/{workflow_id}"),
    ("put", "/api/v1/workflows/{workflow_id}"),
    ("post", "/api/v1/workflows/{workflow_id}/execute"),
    ("get", "/api/v1/workflows/{workflow_id}/versions"),
    ("get", "/api/v1/workflows/{workflow_id}/diff"),
    ("post", "/api/v1/workflows/{workflow_id}/versions/{version}/activate"),
    ("post", "/api/v1/workflows/{workflow_id}/pause"),
    ("post", "/api/v1/workflows/{workflow_id}/resume"),
    ("get", "/api/v1/executions"),
    ("get", "/api/v1/executions/{execution_id}"),
    ("get", "/api/v1/executions/{execution_id}/events"),
    ("post", "/api/v1/executions/{execution_id}/cancel"),
    ("post", "/api/v1/executions/{execution_id}/pause"),
    ("post", "/api/v1/executions/{execution_id}/resume"),
    ("post", "/api/v1/executions/{execution_id}/signal"),
    ("post", "/api/v1/executions/{execution_id}/resolve"),
    ("post", "/api/v1/executions/{execution_id}/fork"),
    ("post", "/api/v1/executions/{execution_id}/retry"),
    ("get", "/api/v1/outcomes"),
    ("get", "/api/v1/approvals"),
    ("get", "/api/v1/approvals/{approval_id}"),
    ("post", "/api/v1/approvals/{approval_id}/decide"),
    ("post", "/api/v1/events"),
    ("get", "/api/v1/events"),
    ("post", "/api/v1/webhooks/{name}"),
    ("post", "/api/v1/webhooks/{tenant}/{name}"),
    ("get", "/api/v1/connectors"),
    ("post", "/api/v1/connectors/{connector}/poll"),
    ("get", "/api/v1/triggers"),
    ("get", "/api/v1/triggers/firings"),
    ("post", "/api/v1/triggers/{trigger}/fire"),
    ("post", "/api/v1/triggers/{trigger}/pause"),
    ("post", "/api/v1/triggers/{trigger}/resume"),
    ("get", "/api/v1/agents"),
    ("get", "/api/v1/agents/{agent_type}"),
    ("get", "/health"),
    ("get", "/health/ready"),
}


@pytest.fixture
async def document(http: httpx2.AsyncClient) -> dict[str, Any]:
    """The API document."""
    answer = await http.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def _model(document: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    schema = content["application/json"]["schema"]
    options = [schema, *schema.get("anyOf", [])]
    name = next(option["$ref"] for option in options if "$ref" in option).rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def test_every_address_is_described(document: dict[str, Any]) -> None:
    """No address is missing from the document and none is in it that nobody knows of."""
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert described == ADDRESSES


def test_every_answer_and_body_has_a_schema_with_an_example(document: dict[str, Any]) -> None:
    """Each operation names a typed model for what it gives and takes; each model shows one."""
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["description"]
            given = next(answer for code, answer in operation["responses"].items() if code.startswith("2"))
            bodies = [given] + ([operation["requestBody"]] if "requestBody" in operation else [])
            for body in bodies:
                model = _model(document, body["content"])
                assert model["properties"]
                assert model["examples"]


def test_every_operation_tells_of_problems(document: dict[str, Any]) -> None:
    """Errors are described in their own media type, with one model."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for code in ("4XX", "5XX"):
                content = operation["responses"][code]["content"]
                assert content == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }
    assert document["components"]["schemas"]["Problem"]["examples"]


def test_the_document_says_that_nobody_is_asked_who_he_is(document: dict[str, Any]) -> None:
    """What is not there is said, not hidden."""
    assert "no authentication" in document["info"]["description"]
    assert "127.0.0.1 only" in document["info"]["description"]


def test_the_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    """What the document shows has every name that its schema requires; nulls are not printed."""
    for name, schema in document["components"]["schemas"].items():
        properties = schema.get("properties", {})
        needed = {
            required
            for required in schema.get("required", [])
            if {"type": "null"} not in properties[required].get("anyOf", []) and len(properties[required]) > 1
        }
        for example in schema.get("examples", []):
            assert not needed - set(example), name
            assert set(example) <= set(properties), name
