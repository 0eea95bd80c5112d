"""The published schema of workflow files, and that it and the loader agree."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema_rs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dirigent.domain.errors import InvalidDefinition
from dirigent.intake.schema import workflow_schema
from dirigent.intake.schema.forms import FORMS, PARTS, TRIGGERS
from dirigent.intake.schema.making import keys_of, read_words
from dirigent.interpreter.loading import definition_from, definition_to_dict
from dirigent.interpreter.positions import read_yaml
from dirigent.interpreter.problems import Findings, Problem
from tests.acceptance.terminal import dirigent as command
from tests.interpreter.advice import ADVICE, SOUND
from tests.interpreter.generated import definitions
from tests.interpreter.mistakes import MISTAKES

ROOT = Path(__file__).parents[2]
SCHEMA = workflow_schema()
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA, offline=True)
FILES = sorted(
    [
        *ROOT.glob("examples/workflows/*.yaml"),
        *ROOT.glob("src/dirigent/workflows/*.yaml"),
        ROOT / "tests/fixtures/002-01-content-creation-workflow.yaml",
    ]
)
GUIDE = (ROOT / "docs/workflows.md").read_text(encoding="utf-8")
IN_GUIDE = re.findall(r"^```yaml file=\S+\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)

# What is a matter of form. Everything else needs the whole, the expressions, or what there is around.
OF_FORM = {"WF006", "WF007", "WF008", "WF009", "WF010", "WF011", "WF013", "WF014"}
# Mistakes of these codes that no schema can see, and why.
UNSEEN = {
    "longer than a year": "the sum of number and unit",
    "shortest above longest": "two values compared",
    "every too often": "number and unit compared",
    "approval's timeout": "parameters are the person's to name",
    "on true of no condition": "the type of another step",
}


def read(text: str) -> Any:
    return read_yaml(text, Findings("x"))


def errors(data: Any) -> list[str]:
    return [f"{error.instance_path}: {error.message}" for error in VALIDATOR.iter_errors(data)]


def test_it_is_a_json_schema() -> None:
    """It keeps to the draft that it names."""
    jsonschema_rs.meta.validate(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_workflow_of_ours_is_valid(file: Path) -> None:
    """Examples, built-in workflows and the printed one."""
    assert errors(read(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("text", [*IN_GUIDE, *SOUND.values(), *(one[0] for one in ADVICE.values())])
def test_what_loads_is_valid(text: str) -> None:
    """The files of the guide, and those that load and get advice."""
    assert errors(read(text)) == []


@pytest.mark.parametrize("name", [name for name, one in MISTAKES.items() if one[1] in OF_FORM])
def test_mistakes_of_form_are_refused(name: str) -> None:
    """Each planted mistake that is a matter of form, except those that no schema can see."""
    data = read(MISTAKES[name][0])
    assert VALIDATOR.is_valid(data) == (name in UNSEEN)


def test_what_it_refuses_in_planted_mistakes_is_wrong_indeed() -> None:
    """No file that loads is refused."""
    for text, *_ in MISTAKES.values():
        data = read(text)
        if isinstance(data, dict) and not VALIDATOR.is_valid(data):
            with pytest.raises(InvalidDefinition):
                definition_from(data)


@settings(max_examples=40)
@given(definitions())
def test_every_definition_is_valid_as_data(definition) -> None:
    """Whatever the loader gives back is of the published form."""
    assert errors(definition_to_dict(definition)) == []


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.sampled_from(["", "x", "5m", "fail", "0s", "a b", "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "x", "to"]), inner),
    max_leaves=4,
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in some data that can be changed."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in items for place in [(*path, key), *places(value, (*path, key))]]


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A definition with one to three of its values replaced, taken out, or set under another key."""
    data = copy.deepcopy(definition_to_dict(draw(definitions()))["workflow"])
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(places(data)))
        holder = data
        for part in above:
            holder = holder[part]
        how = draw(st.sampled_from(["replace", "replace", "remove", "rename"]))
        if how == "replace":
            holder[key] = draw(JSON)
        elif isinstance(holder, dict):
            value = holder.pop(key)
            if how == "rename":
                holder[draw(st.sampled_from(["typ", "when", "action", "duration", "workflow", "from"]))] = (
                    value
                )
    return data


@settings(max_examples=150, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(changed())
def test_schema_and_loader_agree(data) -> None:
    """What the schema refuses does not load; what does not load for its form alone is refused."""
    codes = codes_of(data)
    if VALIDATOR.is_valid(data):
        assert not codes & {"WF006", "WF007", "WF011", "WF013"}, codes
    else:
        assert codes, errors(data)


def codes_of(data: Any) -> set[str]:
    """Why data does not load; empty where it does."""
    try:
        definition_from(data)
    except InvalidDefinition as error:
        return {problem.code for problem in error.problems if isinstance(problem, Problem)}
    return set()


def test_every_key_is_described_and_nothing_else() -> None:
    """Words, keys and forms cover each other: who adds a key says what it means, and what may stand there."""
    words = read_words()
    assert set(words) == set(PARTS)
    for name, model in PARTS.items():
        models = [model, *TRIGGERS.values()] if name == "trigger" else [model]
        keys = {key for one in models for key in keys_of(one)}
        assert set(words[name]) - {""} == keys, name
        open_keys = {
            key for one in models for key, kind in get_type_hints(one).items() if kind in (Any, list[Any])
        }
        missing = {key for key in open_keys if (name, key) not in FORMS} - {"output"}
        assert not missing, f"add the form of {missing} of {name} to intake/schema/forms.py"


def test_the_command_prints_it() -> None:
    """`dirigent schema` writes nothing but the schema."""
    said = command("schema")
    assert said.code == 0
    assert said.data == SCHEMA
