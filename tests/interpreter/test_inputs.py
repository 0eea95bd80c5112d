"""The schema of a workflow's input: defaults filled in, and every misfit named with what was expected."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.errors import InvalidInput
from dirigent.interpreter.inputs import check_input, required_of, with_defaults
from dirigent.interpreter.loading import definition_from, definition_to_dict

CONTENT = {
    "type": "object",
    "required": ["brand_id", "content_topic"],
    "additionalProperties": False,
    "properties": {
        "brand_id": {"type": "string", "pattern": "^b-[0-9]+$"},
        "content_topic": {"type": "string", "minLength": 3},
        "platforms": {
            "type": "array",
            "items": {"$ref": "#/$defs/platform"},
            "default": [{"name": "x"}],
        },
        "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 5},
        "day": {"type": "string", "format": "date"},
        "author": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "language": {"enum": ["en", "de"], "default": "en"}},
        },
    },
    "$defs": {
        "platform": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "length": {"type": ["integer", "null"], "default": 280},
            },
        }
    },
}
GOOD = {"brand_id": "b-1", "content_topic": "Daily"}


def taking(schema: dict[str, Any]) -> Any:
    return definition_from({"name": "content", "steps": [{"id": "a", "type": "transform"}], "input": schema})


def refused(schema: dict[str, Any], data: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        check_input(taking(schema), data)
    return caught.value


def test_defaults_are_filled_in_at_every_level() -> None:
    """What is left out has its default, also inside what is itself a default; what is given stays."""
    filled = check_input(taking(CONTENT), GOOD | {"author": {"name": "Ann"}})
    assert filled == GOOD | {
        "platforms": [{"name": "x", "length": 280}],
        "limit": 5,
        "author": {"name": "Ann", "language": "en"},
    }
    given = GOOD | {"limit": 7, "platforms": [{"name": "y", "length": None}]}
    assert check_input(taking(CONTENT), given) == given


def test_filling_in_changes_neither_the_input_nor_the_schema() -> None:
    """Two executions never share a default."""
    definition, data = taking(CONTENT), dict(GOOD)
    first = check_input(definition, data)
    first["platforms"].append("spoilt")
    assert data == GOOD
    assert check_input(definition, data)["platforms"] == [{"name": "x", "length": 280}]


@pytest.mark.parametrize(
    ("data", "field", "told"),
    [
        ({"content_topic": "Daily"}, "input.brand_id", "brand_id is missing"),
        (GOOD | {"brand_id": "c-1"}, "input.brand_id", "is 'c-1', expected text that matches ^b-[0-9]+$"),
        (GOOD | {"content_topic": 7}, "input.content_topic", "content_topic is 7, expected text"),
        (GOOD | {"content_topic": "ab"}, "input.content_topic", "expected at least 3 characters"),
        (GOOD | {"limit": "x"}, "input.limit", "limit is 'x', expected a whole number"),
        (GOOD | {"limit": 51}, "input.limit", "limit is 51, expected at most 50"),
        (GOOD | {"limit": 2.5}, "input.limit", "limit is 2.5, expected a whole number"),
        (GOOD | {"day": "tomorrow"}, "input.day", "day is 'tomorrow', expected text in the form of date"),
        (GOOD | {"colour": "red"}, "input.colour", "colour is not known"),
        (
            GOOD | {"platforms": [{}, {"length": "long"}]},
            "input.platforms[1].length",
            "platforms[1].length is 'long', expected a whole number or null",
        ),
        (
            GOOD | {"author": {"language": "fr"}},
            "input.author.language",
            "author.language is 'fr', expected one of \"en\", \"de\"",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(data, field, told) -> None:
    """The field, what was given and what is expected of it; and what the workflow takes at all."""
    error = refused(CONTENT, data)
    assert error.field == field
    assert told in error.message
    assert error.fix.startswith("It takes brand_id (text), content_topic (text), [platforms (a list)]")


def test_every_misfit_is_told_at_once() -> None:
    """One wrong field hides no other, and the order does not hang on chance."""
    error = refused(CONTENT, {"limit": 0, "brand_id": 3})
    assert error.message == (
        "The input of 'content' does not fit: brand_id is 3, expected text; content_topic is missing; "
        "limit is 0, expected at least 1."
    )


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "text or null"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1, "exactly one of the alternatives"),
        ({"const": "x"}, 1, '"x"'),
        ({"uniqueItems": True}, [1, 1], "no item twice"),
        ({"multipleOf": 5}, 7, "a multiple of 5"),
        ({"exclusiveMinimum": 3}, 3, "more than 3"),
        ({"not": {"type": "null"}}, None, "is not allowed"),
        (False, 1, "does not allow"),
    ],
)
def test_every_kind_of_demand_is_told(schema, value, expected) -> None:
    """Whatever a schema asks for has words."""
    assert expected in refused({"properties": {"v": schema}}, {"v": value}).message


def test_without_a_schema_everything_is_taken() -> None:
    """A definition that does not describe its input takes any mapping, as it is."""
    assert check_input(taking({}), {"x": [1, None]}) == {"x": [1, None]}


def test_alternatives_are_not_guessed() -> None:
    """A default inside anyOf might or might not be meant; it is left alone."""
    schema = {
        "anyOf": [{"properties": {"a": {"default": 1}}}],
        "allOf": [{"properties": {"b": {"default": 2}}}],
    }
    assert with_defaults(schema, {}) == {"b": 2}


def test_a_pattern_cannot_hold_anybody_up() -> None:
    """The text-book case of exponential matching is answered at once."""
    schema = {"properties": {"v": {"pattern": "^(a+)+$"}}}
    assert "expected text that matches" in refused(schema, {"v": "a" * 50_000 + "!"}).message


def test_what_has_to_be_handed_in_is_known() -> None:
    """Required fields with a default need not be given."""
    schema = {"required": ["a", "b", "c"], "properties": {"b": {"default": 1}, "c": {"$ref": "#/$defs/c"}}}
    assert required_of(schema | {"$defs": {"c": {"default": None}}}) == ["a"]


def test_the_schema_belongs_to_the_version() -> None:
    """It goes to data and back unchanged, and another schema makes another version."""
    definition = taking(CONTENT)
    again = definition_from(definition_to_dict(definition))
    assert again.input == CONTENT
    assert again.content_hash == definition.content_hash != taking({}).content_hash


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 60)
    | st.sampled_from(["", "b-1", "Daily", "2024-01-01", "en"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "length"]), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["brand_id", "content_topic", "limit", "platforms", "author", "other"]), VALUES
    )
)
def test_any_input_is_taken_or_refused_and_filling_in_ends(data) -> None:
    """Whatever comes, the answer is an input that fits and fills in to itself, or an error with a field."""
    definition = taking(CONTENT)
    try:
        filled = check_input(definition, data)
    except InvalidInput as error:
        field = error.field
    else:
        field = "input."
        assert canonical_bytes(check_input(definition, filled)) == canonical_bytes(filled)
    assert field.startswith("input.")
