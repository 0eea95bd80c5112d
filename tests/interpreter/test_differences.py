"""What changed between two definitions, and definitions as YAML."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dirigent.domain.errors import InvalidInput
from dirigent.domain.workflow import Definition
from dirigent.interpreter.differences import differences, text_difference
from dirigent.interpreter.loading import definition_from, load_definition
from dirigent.interpreter.yaml_text import as_yaml
from tests.interpreter.generated import definitions

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("examples/workflows/*.yaml"), *ROOT.glob("src/dirigent/workflows/*.yaml")])
PRINTED = ROOT / "tests/fixtures/002-01-content-creation-workflow.yaml"


def transform(name: str, **parameters: Any) -> dict[str, Any]:
    return {"id": name, "type": "transform", "parameters": parameters}


def flow(*steps: dict[str, Any], **root: Any) -> Definition:
    return definition_from({"name": "x", "steps": list(steps), **root})


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (flow(transform("a")), flow(transform("a")), []),
        (flow(transform("a", n=1)), flow(transform("a", n=2)), ["~ steps.a.parameters.n: 1 -> 2"]),
        (flow(transform("a", n=1)), flow(transform("a", n="1")), ["~ steps.a.parameters.n: 1 -> '\"1\"'"]),
        (
            flow(transform("a", deep={"x": {"y": 1, "z": 2}})),
            flow(transform("a", deep={"x": {"y": 1, "z": 3}})),
            ["~ steps.a.parameters.deep.x.z: 2 -> 3"],
        ),
        (
            flow(transform("a", n=1), transform("b")),
            flow(transform("a", n=1), transform("c", m=2)),
            [
                '- steps.b: \'{"type":"transform"}\'',
                '+ steps.c: \'{"parameters":{"m":2},"type":"transform"}\'',
            ],
        ),
        (
            flow(transform("a"), transform("b"), transform("c")),
            flow(transform("c"), transform("a"), transform("b")),
            ["~ steps.c: moved behind nothing"],
        ),
        (
            flow(transform("a"), transform("b"), connections=[{"from": "a", "to": "b"}]),
            flow(transform("a"), transform("b"), connections=[{"from": "b", "to": "a"}]),
            ['- connections: \'{"from":"a","to":"b"}\'', '+ connections: \'{"from":"b","to":"a"}\''],
        ),
        (
            flow(transform("a"), triggers=[{"type": "schedule", "schedule": "0 9 * * *"}]),
            flow(transform("a"), triggers=[{"type": "schedule", "schedule": "0 10 * * *"}]),
            [
                '- triggers: \'{"schedule":"0 9 * * *","type":"schedule"}\'',
                '+ triggers: \'{"schedule":"0 10 * * *","type":"schedule"}\'',
            ],
        ),
        (flow(transform("a")), flow(transform("a"), description="d"), ["+ description: d"]),
        (
            flow(transform("a"), input={"properties": {"n": {"type": "integer"}}}),
            flow(transform("a"), input={"properties": {"n": {"type": "number"}}}),
            ["~ input.properties.n.type: integer -> number"],
        ),
    ],
)
def test_differences_are_told_in_the_words_of_the_format(before, after, told) -> None:
    """Parts are named by the ids of their steps, values as they are written, and nothing else is told."""
    said = [str(change) for change in differences(before, after)]
    assert [plain(one) for one in said] == [plain(one) for one in told]


def plain(text: str) -> str:
    """Without the quotes that only mark text."""
    return text.replace("'", "").replace('"', "")


@settings(max_examples=60)
@given(definitions(), definitions())
def test_equal_definitions_differ_in_nothing_and_others_do(one, other) -> None:
    """There is a difference exactly where the content differs."""
    assert differences(one, one) == []
    assert bool(differences(one, other)) == (one.content_hash != other.content_hash)


def test_text_is_compared_by_lines() -> None:
    """The form is that of `diff -u`; equal texts give nothing."""
    said = text_difference("a\nb\n", "a\nc", names=("x 1", "x 2"))
    assert said == "--- x 1\n+++ x 2\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert text_difference("a\n", "a\n", names=("x 1", "x 2")) == ""


@pytest.mark.parametrize("file", [*FILES, PRINTED], ids=lambda file: file.stem)
def test_a_file_written_anew_is_the_same_version(file) -> None:
    """What is written reads back as the very same definition."""
    definition = load_definition(file.read_text(encoding="utf-8"))
    text = as_yaml(definition)
    assert load_definition(text).content_hash == definition.content_hash
    assert as_yaml(load_definition(text)) == text
    assert yaml.safe_load(text)["workflow"]["name"] == definition.name


@settings(max_examples=60)
@given(definitions())
def test_any_definition_can_be_written(definition) -> None:
    """Every kind of step, guard, condition and retry goes to YAML and back."""
    assert load_definition(as_yaml(definition)) == definition


WORDS = st.sampled_from(
    [
        *(
            "1e3",
            "-.5",
            "0019",
            "yes",
            "on",
            "~",
            "null",
            "",
            "a\nb\n",
            "\ttab\nx",
            " lead",
            "trail ",
            "a: b",
        ),
        *(
            "# c",
            "é",
            "2024-01-01",
            "=",
            "<<",
            "0x10",
            "1:20",
            ".5",
            "+1",
            "- a",
            "{a",
            "[",
            "*a",
            "&a",
            "!t",
        ),
        *("!t", "\x07", "a\n\n  b", "line\u2028", "${x}"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(-1e9, 1e9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS.filter(bool), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(VALUES)
def test_values_read_back_as_they_were_or_are_refused(value) -> None:
    """Text stays text and numbers stay numbers, whatever they look like; what YAML cannot say is refused."""
    definition = flow(transform("a", v=value))
    try:
        text = as_yaml(definition)
    except InvalidInput:
        return
    assert load_definition(text).content_hash == definition.content_hash


@pytest.mark.parametrize("value", [10**30, 1e300, "\ud83d"])
def test_what_yaml_cannot_say_is_refused(value) -> None:
    """Rather than writing something that reads back as something else."""
    with pytest.raises(InvalidInput, match="holds a value that YAML cannot say"):
        as_yaml(flow(transform("a", v=value)))
