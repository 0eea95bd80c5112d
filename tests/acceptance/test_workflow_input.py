"""What a run is given: a workflow in any form, and an input, checked when it starts, for children too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dirigent import Dirigent, Workflow
from dirigent.domain.errors import InvalidDefinition, InvalidInput, NotFound
from dirigent.domain.event import ExecutionStarted
from dirigent.domain.trigger import ScheduleTrigger
from dirigent.settings import read_settings
from tests.acceptance.terminal import dirigent as command

GREETING = """
name: greeting
input:
  required: [name]
  properties:
    name: {type: string}
    greeting: {type: string, default: Hello}
steps:
  - {id: greet, type: transform, parameters: {text: "${input.greeting} ${input.name}"}}
"""
PARENT = """
name: parent
steps:
  - id: child
    type: subworkflow
    workflow: "${input.child}"
    parameters: {name: "${input.name}"}
"""
DAILY = """
name: daily
triggers:
  - type: schedule
    schedule: "0 9 * * 1-5"
    input: {brand_id: b-1, content_topic: Daily}
steps:
  - {id: check, type: validation, parameters: {required_fields: [brand_id, content_topic]}}
  - {id: tell, type: transform, parameters: {topic: "${input.content_topic}"}}
"""


async def test_defaults_are_in_the_journal(dirigent: Dirigent) -> None:
    """A run starts with its defaults filled in, so a replay needs no schema to know them."""
    reading = await dirigent.run(Workflow.parse(GREETING), {"name": "Ann"})
    assert reading.output == {"text": "Hello Ann"}
    started = dirigent.engine.events(reading.execution_id)[0]
    assert isinstance(started, ExecutionStarted)
    assert started.input == {"name": "Ann", "greeting": "Hello"}


async def test_a_wrong_input_starts_nothing(dirigent: Dirigent) -> None:
    """What does not fit is refused with field, expectation and value, and there is no execution."""
    with pytest.raises(InvalidInput, match="name is 7, expected text") as caught:
        await dirigent.run(Workflow.parse(GREETING), {"name": 7})
    assert caught.value.field == "input.name"
    assert dirigent.engine.executions() == []


async def test_a_child_with_a_wrong_input_fails_its_step(dirigent: Dirigent) -> None:
    """A subworkflow holds its caller to its schema, and fills in what the caller leaves out."""
    child = {
        "name": "greeting",
        "input": {"properties": {"name": {"type": "string"}, "n": {"default": 3}}},
        "steps": [{"id": "a", "type": "transform", "parameters": {"n": "${input.n}"}}],
    }
    good = await dirigent.run(Workflow.parse(PARENT), {"child": child, "name": "Ann"})
    assert good.output == {"n": 3}
    wrong = await dirigent.run(Workflow.parse(PARENT), {"child": child, "name": 7})
    assert wrong.status == "failed"
    assert wrong.error is not None
    assert wrong.error.code == "invalid_input"
    assert "name is 7" in wrong.error.message


async def test_the_input_of_a_trigger_runs_through_the_validation(dirigent: Dirigent) -> None:
    """A schedule that carries its input satisfies the first step; without it the run says what is missing."""
    definition = Workflow.parse(DAILY).definition
    [trigger] = definition.triggers
    assert isinstance(trigger, ScheduleTrigger)
    assert (await dirigent.run(definition, trigger.input)).output == {"topic": "Daily"}
    without = await dirigent.run(definition, {})
    assert without.error is not None
    assert without.error.message == "missing: ['brand_id', 'content_topic']"


def test_the_command_line_says_what_does_not_fit(tmp_path: Path) -> None:
    """`dirigent run` with a wrong input is bad input: a sentence, a fix, exit code 2."""
    file = tmp_path / "greeting.yaml"
    file.write_text(GREETING)
    said = command("run", file, "-i", "nme=Ann", data=tmp_path / "data")
    assert said.code == 2
    assert "name is missing" in said.err
    assert "fix: It takes name (text), [greeting (text)]." in said.err


async def test_a_run_keeps_its_schema_over_a_restart(tmp_path: Path) -> None:
    """The definition comes back from the journal with its schema, under the same hash."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings) as first:
        reading = await first.run(Workflow.parse(GREETING), {"name": "Ann"})
    definition = Workflow.parse(GREETING).definition
    async with Dirigent(settings=settings) as second:
        assert second.engine.read(reading.execution_id).output == {"text": "Hello Ann"}
        stored = second.projections.definition(definition.content_hash)
    assert stored is not None
    assert stored["workflow"]["input"] == definition.input


ADD = {"name": "add", "steps": [{"id": "sum", "type": "transform", "parameters": {"n": "${input.a + 1}"}}]}
WRONG = {"name": "add", "steps": [{"id": "sum", "type": "transfrom"}]}


def _forms(said: dict[str, Any], folder: Path) -> list[Any]:
    """A workflow as data, as JSON, as YAML, and as the path of a file, both ways."""
    file = folder / "add.yaml"
    file.write_text(yaml.safe_dump(said))
    return [said, json.dumps(said), yaml.safe_dump(said), file, str(file)]


async def test_a_run_takes_data_text_and_files(dirigent: Dirigent, tmp_path: Path) -> None:
    """All are the same workflow, and give the same."""
    for form in _forms(ADD, tmp_path):
        assert (await dirigent.run(form, {"a": 2})).output == {"n": 3}


async def test_what_is_wrong_is_told_alike_in_every_form(dirigent: Dirigent, tmp_path: Path) -> None:
    """The same code and fix; an agent that nobody knows is one of the mistakes."""
    for form in _forms(WRONG, tmp_path):
        with pytest.raises(InvalidDefinition) as caught:
            await dirigent.run(form)
        [problem] = caught.value.problems
        assert (problem.code, problem.fix) == ("WF010", "did you mean transform?")  # type: ignore[attr-defined]
    step = {"id": "a", "type": "agent", "agent": "nobody", "action": "b"}
    with pytest.raises(InvalidDefinition, match="WF022"):
        await dirigent.run({"name": "x", "steps": [step]})


async def test_what_is_neither_a_text_nor_a_file_is_looked_for_as_a_file(dirigent: Dirigent) -> None:
    """A path that leads nowhere is told as such."""
    with pytest.raises(NotFound, match=r"There is no file nowhere\.yaml"):
        await dirigent.run("nowhere.yaml")
