"""Advice: what is said about sound workflows, where, and that it keeps nothing from being loaded."""

from pathlib import Path

import pytest
import yaml

from dirigent import Dirigent
from dirigent.domain.errors import InvalidDefinition
from dirigent.interpreter.loading import Inspected, inspect_definition, load_definition
from dirigent.interpreter.problems import CODES, WARNINGS, explain
from tests.interpreter.advice import ADVICE, FACTS, SOUND

ROOT = Path(__file__).parents[2]
PRINTED = (ROOT / "tests/fixtures/002-01-content-creation-workflow.yaml").read_text(encoding="utf-8")
TYPES = (ROOT / "tests/fixtures/002-16-workflow-types.yaml").read_text(encoding="utf-8")
OURS = sorted([*ROOT.glob("examples/workflows/*.yaml"), *ROOT.glob("src/dirigent/workflows/*.yaml")])


def inspect(text: str) -> Inspected:
    return inspect_definition(text, source="f.yaml", facts=lambda agent, action: FACTS.get((agent, action)))


@pytest.mark.parametrize("name", ADVICE)
def test_advice_is_given_with_its_place_and_a_fix(name) -> None:
    """Each workflow loads, and what is doubtful in it is told where it stands, with what to do."""
    text, code, line, column, fix = ADVICE[name]
    found = [(w.code, w.line, w.column, w.fix) for w in inspect(text).warnings]
    assert (code, line, column, fix) in found
    assert load_definition(text) == inspect(text).definition


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_left_alone(name) -> None:
    """What looks alike and is right gets no advice."""
    assert [str(warning) for warning in inspect(SOUND[name]).warnings] == []


def test_every_kind_of_advice_is_explained_and_tested() -> None:
    """The table of warnings and the examples cover each other, and no code is used twice."""
    assert {example[1] for example in ADVICE.values()} == set(WARNINGS)
    assert all(explain(code).endswith(".") for code in WARNINGS)
    assert not set(WARNINGS) & set(CODES)


def test_the_printed_workflow_gets_one_warning() -> None:
    """A schedule that carries no input starts a workflow that needs two fields: said once, and allowed."""
    [warning] = inspect(PRINTED).warnings
    assert str(warning) == (
        "f.yaml:5:7 WL001 it starts the workflow without brand_id, content_topic — "
        "expected every required field; fix: add input: {brand_id: ..., content_topic: ...}"
    )
    assert warning.is_warning


def test_a_name_is_ambiguous_in_parallel_branches_only() -> None:
    """Of the five printed types, the hybrid one reads a bare name behind two steps that run at once."""
    codes = [
        [warning.code for warning in inspect_definition(written["workflow"]).warnings]
        for written in yaml.safe_load(TYPES)["workflows"]
    ]
    assert codes == [[], [], [], [], ["WL002", "WL002"]]


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.stem)
def test_our_own_workflows_need_no_advice(file, tmp_path) -> None:
    """What comes with Dirigent is an example to others."""
    assert [str(warning) for warning in Dirigent(tmp_path).inspect(file).warnings] == []


def test_advice_is_for_sound_definitions() -> None:
    """Where something is wrong, that is told first and alone."""
    with pytest.raises(InvalidDefinition, match="WF010") as caught:
        inspect(PRINTED.replace('"hybrid"', '"hybird"'))
    assert len(caught.value.problems) == 1


def test_a_large_workflow_is_looked_through_quickly() -> None:
    """Two thousand steps in a row and side by side are no reason to wait."""
    row = [{"id": f"r{n}", "type": "transform", "parameters": {"n": "${input.n}"}} for n in range(1000)]
    side = [
        {"id": f"s{n}", "type": "transform", "parameters": {"m": f"${{steps.r{n}.n}}"}} for n in range(1000)
    ]
    ways = [{"from": f"r{n}", "to": f"r{n + 1}"} for n in range(999)]
    ways += [{"from": f"r{n}", "to": f"s{n}"} for n in range(1000)]
    inspected = inspect_definition({"name": "large", "steps": [*row, *side], "connections": ways})
    assert inspected.warnings == ()
