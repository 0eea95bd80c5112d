"""From the forms that the loader reads to one JSON Schema (2020-12)."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from importlib.resources import files
from typing import Any

import yaml

from dirigent.intake.schema.forms import DEMANDS, FORMS, NEEDED, OF_KIND, PARTS, SHARED, TRIGGERS
from dirigent.interpreter.building import INSTEAD, keys_by_type
from dirigent.interpreter.inputs import DIALECT
from dirigent.interpreter.loading import ROOT_KEY
from dirigent.interpreter.written import Written

Schema = dict[str, Any]

# Keys of a trigger of which there must be exactly one.
_ONE = ("schedule", "every", "at")


def workflow_schema() -> Schema:
    """The schema of a workflow file, with or without the root key."""
    parts = {name: _part(name) for name in PARTS if name not in ("step", "trigger")}
    return {
        "$schema": DIALECT,
        "$id": "urn:dirigent:workflow",
        "title": "Dirigent workflow",
        "description": "A workflow file of Dirigent. `dirigent validate` checks what a schema cannot see.",
        "type": "object",
        "if": {"required": [ROOT_KEY]},
        "then": {"properties": {ROOT_KEY: {"$ref": "#/$defs/workflow"}}, "additionalProperties": False},
        "else": {"$ref": "#/$defs/workflow"},
        "$defs": {**parts, "step": _step(), "trigger": _trigger(), **SHARED},
    }


@functools.cache
def read_words() -> Mapping[str, Mapping[str, str]]:
    """What each key means, by part; under the empty key the part itself."""
    text = files("dirigent.intake.schema").joinpath("words.yaml").read_text(encoding="utf-8")
    told: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    return told


def keys_of(model: type[Written]) -> list[str]:
    """The keys of a part as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _part(name: str) -> Schema:
    model = PARTS[name]
    return {
        "type": "object",
        "description": read_words()[name][""],
        **_closed(name, model, keys_of(model), NEEDED.get(name, ())),
        **DEMANDS.get(name, {}),
    }


def _step() -> Schema:
    """A step: which keys it takes hangs on its type."""
    model = PARTS["step"]
    ways = []
    for kind, (taken, needed) in keys_by_type().items():
        then = _closed("step", model, [key for key in keys_of(model) if key in taken], needed)
        then["properties"] |= OF_KIND.get(kind, {})
        then |= DEMANDS.get(kind, {})
        ways.append(_if_of_type(kind, then))
    return _by_type("step", keys_by_type(), ways)


def _trigger() -> Schema:
    ways = [
        _if_of_type(kind, _closed("trigger", model, keys_of(model), NEEDED.get(kind, ())))
        for kind, model in TRIGGERS.items()
    ]
    return _by_type("trigger", TRIGGERS, ways)


def _by_type(name: str, kinds: Collection[str], ways: list[Schema]) -> Schema:
    said = read_words()[name]
    return {
        "type": "object",
        "description": said[""],
        "properties": {"type": {"enum": list(kinds), "description": said["type"]}},
        "required": list(NEEDED[name]),
        "allOf": ways,
        **DEMANDS.get(name, {}),
    }


def _if_of_type(kind: str, then: Schema) -> Schema:
    return {"if": {"properties": {"type": {"const": kind}}, "required": ["type"]}, "then": then}


def _closed(name: str, model: type[Written], taken: list[str], needed: Iterable[str]) -> Schema:
    """The keys that a part takes, and no others."""
    required = {*needed, *NEEDED.get(name, ())}
    either = [keys for keys in sorted(INSTEAD) if set(keys) <= set(taken) and required & set(keys)]
    for keys in either:
        required -= set(keys)
    schema: Schema = {
        "properties": _properties(name, model, taken, required),
        "required": [key for key in taken if key in required],
        "additionalProperties": False,
    }
    if either:
        schema["oneOf"] = [_given(key) for keys in either for key in keys]
    if {"foreach", "max_parallel"} <= set(taken):
        schema["dependentRequired"] = {"max_parallel": ["foreach"]}
    if set(_ONE) <= set(taken):
        schema["oneOf"] = [_given(key) for key in _ONE]
    return schema


def _given(key: str) -> Schema:
    """Where a key is there and not empty."""
    return {"required": [key], "properties": {key: {"not": {"const": None}}}}


def _properties(name: str, model: type[Written], taken: Iterable[str], required: Collection[str]) -> Schema:
    """The forms of some keys; those that may be left out may also be left empty."""
    said = read_words()[name]
    own = model.model_json_schema(by_alias=True)["properties"]
    found: Schema = {}
    for key in taken:
        form = FORMS.get((name, key), own[key])
        form = {word: value for word, value in form.items() if word not in ("title", "default")}
        may_be_empty = key not in required and key not in model.nullable
        found[key] = {"description": said.get(key, key)} | (_or_nothing(form) if may_be_empty else form)
    return found


def _or_nothing(form: Schema) -> Schema:
    """The same, or null: a key without a value counts as left out."""
    if isinstance(form.get("type"), str) and "$ref" not in form:
        return form | {"type": [form["type"], "null"]}
    if "enum" in form:
        return form | {"enum": [*form["enum"], None]}
    return {"anyOf": [form, {"type": "null"}]}
