"""The edge: one form for every error, strict bodies, and nobody's web page in between."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from dirigent import Dirigent
from dirigent.api.app import create_app
from dirigent.api.bodies import BODY_MAX_BYTES
from dirigent.api.edge import RequestIds
from dirigent.api.problems import Problem
from tests.acceptance.wire import client_of

JSON = {"content-type": "application/json"}
GOALS = "/api/are/goals"


def _checked(answer: httpx2.Response) -> dict[str, Any]:
    """The problem of an answer, after checking everything that holds for every problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == answer.status_code
    assert problem.type.endswith(f":{problem.code}")
    assert problem.title
    assert problem.detail
    assert problem.guidance
    assert problem.guidance[0] == problem.fix
    assert problem.correlation_id == answer.headers["x-request-id"]
    assert (problem.error.code, problem.error.message) == (problem.code, problem.detail)
    assert (problem.error.guidance, problem.error.correlation_id) == (
        problem.guidance,
        problem.correlation_id,
    )
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/are/goals/", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/api/are/executions/nope", 404, "execution_not_found"),
        ("GET", "/api/v1/approvals/nope", 404, "approval_not_found"),
        ("GET", "/api/v1/executions?limit=x", 422, "validation_failed"),
        ("POST", "/api/are/agents/nobody/execute", 422, "validation_failed"),
        ("DELETE", "/api/are/goals", 405, "method_not_allowed"),
    ],
)
async def test_every_error_has_one_form(
    http: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """A problem document with code, guidance and the request's id, whatever went wrong."""
    answer = await http.request(method, path)
    assert (answer.status_code, _checked(answer)["code"]) == (status, code)


async def test_the_allowed_methods_are_named(http: httpx2.AsyncClient) -> None:
    """405 keeps the header that says what is taken."""
    assert (await http.delete(GOALS)).headers["allow"] == "POST"


def _nested(depth: int) -> bytes:
    return b'{"inputs":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"goal_type": BUILD_ICP}', "line 1, column 15"),
        (b'{"a": 1} x', "Extra data"),
        (b'\xef\xbb\xbf{"goal_type": "BUILD_ICP"}', "BOM"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too large"),
        (b'{"a": 9223372036854775808}', "too large"),
        (b'{"org_id": "mine", "org_id": "yours"}', "'org_id'"),
        (b'{"inputs": [{"x": 1, "x": 2}]}', "'x'"),
        (_nested(65), "deeper than 64"),
        (_nested(5_000), "deeper than 64"),
        (b"[" * 100_000, "deeper than 64"),
        (b'{"description": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"description": "\\u0000"}', "NUL"),
        (b'{"description": "\xff"}', "Byte 17"),
    ],
)
async def test_json_that_can_be_read_two_ways_is_refused(
    dirigent: Dirigent, http: httpx2.AsyncClient, body: bytes, said: str
) -> None:
    """400 says what and where, and nothing reaches the journal."""
    answer = await http.post(GOALS, content=body, headers=JSON)
    problem = _checked(answer)
    assert (answer.status_code, problem["code"]) == (400, "bad_request")
    assert said in problem["detail"]
    assert dirigent.engine.executions() == []


async def test_what_is_just_within_the_limits_is_read(http: httpx2.AsyncClient) -> None:
    """Depth 64, the largest integer and a whole emoji pass the edge; intake has the next word."""
    for body in (_nested(64), b'{"inputs": {"n": 9223372036854775807}}', b'{"inputs": "\\ud83d\\ude00"}'):
        assert (await http.post(GOALS, content=body, headers=JSON)).status_code == 422


async def _chunks(total: int) -> Any:
    for _ in range(total // 65536 + 1):
        yield b" " * 65536


async def test_a_body_over_the_limit_is_cut_off(http: httpx2.AsyncClient) -> None:
    """413 by the declared length, by a length that lies, and by counting what has no length."""
    large = b" " * (BODY_MAX_BYTES + 1)
    declared = await http.post(GOALS, content=large, headers=JSON)
    lying = await http.post(GOALS, content=large, headers={**JSON, "content-length": "10"})
    chunked = await http.post(GOALS, content=_chunks(BODY_MAX_BYTES), headers=JSON)
    for answer in (declared, lying, chunked):
        assert (answer.status_code, _checked(answer)["code"]) == (413, "payload_too_large")
    just_fits = b" " * (BODY_MAX_BYTES - 2) + b"{}"
    assert (await http.post(GOALS, content=just_fits, headers=JSON)).status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json; charset=utf-7"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {},
    ],
)
async def test_only_json_is_taken_for_json(http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    """415 for every other declaration: what a foreign page can send without asking is not read."""
    answer = await http.post(GOALS, content=b'{"goal_type": "BUILD_ICP"}', headers=headers)
    assert (answer.status_code, _checked(answer)["code"]) == (415, "unsupported_media_type")


async def test_json_may_be_declared_fully(http: httpx2.AsyncClient) -> None:
    """A charset of UTF-8 and a +json subtype are JSON."""
    for kind in ("application/json; charset=UTF-8", "application/vnd.dirigent+json"):
        goal = json.dumps({"goal_type": "BUILD_ICP"}).encode()
        assert (await http.post(GOALS, content=goal, headers={"content-type": kind})).status_code == 202


async def test_the_request_id_goes_through(http: httpx2.AsyncClient) -> None:
    """The caller's id comes back; one that could forge a log line is replaced."""
    given = await http.get("/health", headers={"X-Request-Id": "trace-1.2_3"})
    assert given.headers["x-request-id"] == "trace-1.2_3"
    for odd in ("a b", "x" * 129, "{}", ""):
        made = (await http.get("/health", headers={"X-Request-Id": odd})).headers["x-request-id"]
        assert made
        assert made != odd
    problem = await http.get("/nowhere", headers={"X-Request-Id": "mine"})
    assert problem.json()["correlation_id"] == "mine"


async def test_answers_are_not_kept_and_not_guessed(http: httpx2.AsyncClient) -> None:
    """Business data stays out of caches, and types are not sniffed."""
    for path in ("/health", "/nowhere"):
        headers = (await http.get(path)).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_a_fault_of_the_server_keeps_its_secrets(dirigent: Dirigent) -> None:
    """500 in the one form, with the id that the log has; neither traceback nor message goes out."""

    def broken() -> dict[str, Any]:
        raise RuntimeError("a secret of the code")

    services = dataclasses.replace(dirigent.services(), config=broken)
    async with client_of(create_app(services)) as client:
        with capture_logs() as logged:
            answer = await client.get("/api/are/config", headers={"X-Request-Id": "look-for-me"})
    assert [(line["event"], line["request_id"]) for line in logged] == [("request.failed", "look-for-me")]
    problem = _checked(answer)
    assert (answer.status_code, problem["code"], problem["correlation_id"]) == (
        500,
        "internal_error",
        "look-for-me",
    )
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def _call(app: ASGIApp, incoming: Message) -> list[Message]:
    """Call an application once, with one incoming message, and give back what it sent."""
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    await app({"type": "http", "method": "POST", "path": GOALS, "headers": headers}, receive, send)
    return sent


async def test_a_caller_who_hangs_up_is_no_fault() -> None:
    """Whoever leaves amid his request gets no answer and leaves no error in the log."""

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    with capture_logs() as logged:
        sent = await _call(RequestIds(waiting), {"type": "http.disconnect"})
    assert not sent
    assert [(line["event"], line["log_level"]) for line in logged] == [("request.left", "info")]


async def test_an_answer_that_breaks_off_is_not_patched_up() -> None:
    """Once the answer has begun, its breaking off is left for the server to show."""

    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("broken")

    with capture_logs(), pytest.raises(RuntimeError, match="broken"):
        await _call(RequestIds(breaking), {"type": "http.request"})


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "10.0.0.1:8080"])
async def test_another_host_name_is_not_answered(http: httpx2.AsyncClient, host: str) -> None:
    """A name that was pointed at this machine does not open it to a web page."""
    answer = await http.get("/api/v1/executions", headers={"Host": host})
    assert (answer.status_code, _checked(answer)["code"]) == (421, "foreign_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:8080"])
async def test_every_name_of_this_machine_is_answered(http: httpx2.AsyncClient, host: str) -> None:
    """With and without a port, in both address families."""
    assert (await http.get("/health", headers={"Host": host})).status_code == 200


async def test_other_names_can_be_allowed(dirigent: Dirigent) -> None:
    """Who binds to another address names it; without names every one is answered."""
    for hosts, expected in ((("box.example",), 200), ((), 200), (("other.example",), 421)):
        services = dataclasses.replace(dirigent.services(), hosts=hosts)
        async with client_of(create_app(services)) as client:
            answer = await client.get("/health", headers={"Host": "box.example:8080"})
        assert answer.status_code == expected


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://["])
async def test_a_foreign_page_changes_nothing(
    dirigent: Dirigent, http: httpx2.AsyncClient, origin: str
) -> None:
    """403 for a change asked for by a page of another origin, also without a body."""
    for path, body in ((GOALS, {"goal_type": "BUILD_ICP"}), ("/api/v1/executions/x/cancel", None)):
        answer = await http.post(path, json=body, headers={"Origin": origin})
        assert (answer.status_code, _checked(answer)["code"]) == (403, "foreign_origin")
    assert dirigent.engine.executions() == []


async def test_an_own_page_may(http: httpx2.AsyncClient) -> None:
    """A page that this server sent asks with its own origin."""
    headers = {"Origin": "http://127.0.0.1:8080"}
    assert (await http.post(GOALS, json={"goal_type": "BUILD_ICP"}, headers=headers)).status_code == 202
