"""What an execution may be started with: a JSON Schema (2020-12) in the definition, its defaults filled in.

Nothing is fetched: a schema may refer to itself only. Patterns are matched in time proportional to the
text, so no input can hold anybody up.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from jsonschema_rs import (
    Draft202012Validator,
    ReferencingError,
    RegexOptions,
    Registry,
    ValidationError,
)

from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.errors import InvalidInput
from dirigent.domain.workflow import Definition
from dirigent.interpreter.problems import Findings, Path, shown, written_path

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ERRORS_SHOWN = 20
DEPTH_MAX = 64

_ROOT = "urn:dirigent:input"
_EXPECTED = "a JSON Schema (2020-12)"
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_WORDS = """
    $schema $id $ref $defs $comment $anchor $dynamicRef $dynamicAnchor title description default examples
    deprecated readOnly writeOnly type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum
    maxLength minLength pattern format maxItems minItems uniqueItems maxContains minContains maxProperties
    minProperties required dependentRequired prefixItems items contains additionalProperties properties
    patternProperties dependentSchemas propertyNames if then else allOf anyOf oneOf not unevaluatedItems
    unevaluatedProperties contentEncoding contentMediaType contentSchema
"""
KEYWORDS = frozenset(_WORDS.split())
_LIMITS = {
    "minimum": "at least {limit}",
    "maximum": "at most {limit}",
    "exclusiveMinimum": "more than {limit}",
    "exclusiveMaximum": "less than {limit}",
    "minLength": "at least {limit} characters",
    "maxLength": "at most {limit} characters",
    "minItems": "at least {limit} items",
    "maxItems": "at most {limit} items",
    "minProperties": "at least {limit} keys",
    "maxProperties": "at most {limit} keys",
    "multipleOf": "a multiple of {multiple_of}",
    "pattern": "text that matches {pattern}",
    "uniqueItems": "no item twice",
}


def check_input(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """The input with the defaults of the definition's schema filled in.

    Raises `InvalidInput` that names every field that does not fit, what is expected of it and what was
    given; its `field` is the first of them. A definition without a schema takes any mapping.
    """
    if not definition.input:
        return dict(given)
    filled = with_defaults(definition.input, given)
    found = misfits(definition.input, filled)
    if found:
        told = "; ".join(misfit.text for misfit in found[:ERRORS_SHOWN])
        more = f"; and {len(found) - ERRORS_SHOWN} more" if len(found) > ERRORS_SHOWN else ""
        raise InvalidInput(
            f"The input of {definition.name!r} does not fit: {told}{more}.",
            fix=f"It takes {_fields(definition.input)}.",
            field=".".join(filter(None, ("input", written_path(found[0].path)))),
        )
    return filled


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not fit a schema: the path of the field, what was given, and a sentence.

    `value` is None where the field is `missing`; `unknown` says that the schema has no such field.
    """

    path: Path
    value: Any
    text: str
    expected: str
    missing: bool = False
    unknown: bool = False


def misfits(schema: Mapping[str, Any], given: Mapping[str, Any]) -> list[Misfit]:
    """Everything that does not fit, in the order of the fields' names."""
    errors = _validator(canonical_bytes(schema)).iter_errors(dict(given))
    found = {misfit.text: misfit for error in errors for misfit in _told(error)}
    return sorted(found.values(), key=lambda misfit: (written_path(misfit.path), misfit.text))


def with_defaults(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with what is left out filled in where `properties` say a `default`, also further down.

    Followed are `properties`, `items`, `allOf` and `$ref` within the schema, and no alternatives: what
    `anyOf`, `oneOf` or `if` might mean is not guessed.
    """
    filled: dict[str, Any] = _filled(schema, dict(given), schema, 0)
    return filled


def required_of(schema: Mapping[str, Any]) -> list[str]:
    """The fields that have to be handed in: required, and without a default."""
    properties = schema.get("properties", {})
    return [
        name
        for name in schema.get("required", [])
        if "default" not in _resolved(properties.get(name, {}), schema)
    ]


def read_input_schema(schema: dict[str, Any], path: Path, findings: Findings) -> dict[str, Any]:
    """The schema itself; what is wrong with it goes into the findings, where it stands."""
    if not schema or not _is_sound(schema, path, findings):
        return schema
    try:
        _validator(canonical_bytes(schema))
    except (ValidationError, ReferencingError, ValueError) as error:
        here = (*path, *getattr(error, "instance_path", ()))
        message = _first_line(error)
        fix = "refer to what stands in the schema itself, as in #/$defs/address"
        if "$ref" not in message and "reference" not in message and "Resource" not in message:
            fix = "mend it, or leave it out"
        findings.add("WF033", here, message, expected=_EXPECTED, fix=fix)
        return schema
    _check_defaults(schema, path, findings)
    return schema


def _is_sound(schema: dict[str, Any], path: Path, findings: Findings) -> bool:
    before = len(findings.problems)
    dialect = schema.get("$schema", DIALECT)
    if str(dialect).rstrip("#") != DIALECT:
        message = f"$schema is {shown(dialect)}"
        findings.add("WF033", (*path, "$schema"), message, expected=DIALECT, fix="leave $schema out")
        return False
    for error in _meta().iter_errors(schema):
        here = (*path, *error.instance_path)
        expected = _expected(error)
        message = f"{error.instance_path[-1] if error.instance_path else 'input'} is {shown(error.instance)}"
        if here[-1] == "type":
            expected = f"one of {', '.join(_TYPES)}"
        near = findings.near(str(error.instance), _TYPES) if here[-1] == "type" else ""
        fix = f"did you mean {near}?" if near else f"write {expected}"
        if here[-1] == "required":
            fix = 'write required: ["brand_id"] beside properties'
        findings.add("WF033", here, message, expected=expected, fix=fix)
    kind = schema.get("type", "object")
    if len(findings.problems) == before and kind != "object" and "object" not in kind:
        message = f"type is {shown(kind)}, but an input is a mapping"
        findings.add("WF033", (*path, "type"), message, expected="object", fix="write type: object")
    return len(findings.problems) == before


def _check_defaults(schema: dict[str, Any], path: Path, findings: Findings) -> None:
    """Every default must fit what it stands in, or no execution could ever start with it."""
    try:
        with_defaults(schema, {})
    except InvalidInput as error:
        findings.add("WF033", path, error.message, expected="defaults that come to an end", fix=error.fix)
        return
    registry = Registry([(_ROOT, schema)])
    for here, default in _defaults_in(schema, ()):
        pointer = "".join(f"/{_escaped(part)}" for part in here)
        part = Draft202012Validator(
            {"$ref": f"{_ROOT}#{pointer}"}, registry=registry, offline=True, pattern_options=RegexOptions()
        )
        misfit = next(part.iter_errors(default), None)
        if misfit is not None:
            message = f"the default {shown(default)} does not fit: {_first_line(misfit)}"
            findings.add(
                "WF033",
                (*path, *here, "default"),
                message,
                expected=_expected(misfit),
                fix="mend the default, or what is asked of it",
            )


def _defaults_in(schema: Any, here: Path) -> list[tuple[Path, Any]]:
    """The defaults of properties, with the paths of the schemas they stand in."""
    found: list[tuple[Path, Any]] = []
    if not isinstance(schema, Mapping):
        return found
    if "default" in schema and here:
        found.append((here, schema["default"]))
    for word in ("properties", "$defs"):
        for name, inner in schema.get(word, {}).items():
            found += _defaults_in(inner, (*here, word, name))
    found += _defaults_in(schema.get("items"), (*here, "items"))
    for index, inner in enumerate(schema.get("allOf", [])):
        found += _defaults_in(inner, (*here, "allOf", index))
    return found


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1").replace("%", "%25")


def _filled(schema: Any, value: Any, root: Mapping[str, Any], depth: int) -> Any:
    if depth > DEPTH_MAX:
        raise InvalidInput(
            f"The defaults of the input are nested more than {DEPTH_MAX} deep.",
            fix="Leave out a default that holds itself.",
        )
    if not isinstance(schema, Mapping):
        return value
    for part in (_target(schema, root), *schema.get("allOf", ())):
        if part is not None:
            value = _filled(part, value, root, depth + 1)
    if isinstance(value, Mapping):
        return _filled_mapping(schema, dict(value), root, depth)
    if isinstance(value, list) and "items" in schema:
        return [_filled(schema["items"], item, root, depth + 1) for item in value]
    return value


def _filled_mapping(
    schema: Mapping[str, Any], value: dict[str, Any], root: Mapping[str, Any], depth: int
) -> dict[str, Any]:
    for name, inner in schema.get("properties", {}).items():
        resolved = _resolved(inner, root)
        if name not in value and "default" in resolved:
            value[name] = copy.deepcopy(resolved["default"])
        if name in value:
            value[name] = _filled(inner, value[name], root, depth + 1)
    return value


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with what it refers to below it; its own words come first."""
    found: dict[str, Any] = {}
    for _ in range(DEPTH_MAX):
        if not isinstance(schema, Mapping):
            break
        found = {**schema, **found}
        target = _target(schema, root)
        if target is None:
            break
        schema = target
    return found


def _target(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """What a `$ref` within the schema points at; None where there is none, or it leads elsewhere."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return root if reference == "#" else None
    found: Any = root
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


@functools.lru_cache(maxsize=512)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(
        msgspec.json.decode(schema), validate_formats=True, offline=True, pattern_options=RegexOptions()
    )


@functools.cache
def _meta() -> Draft202012Validator:
    return Draft202012Validator({"$ref": DIALECT}, offline=True)


def _told(error: ValidationError) -> Iterator[Misfit]:
    path, value = tuple(error.instance_path), error.instance
    said, name = error.kind.as_dict(), error.kind.name
    here = written_path(path) or "it"
    if name == "required":
        at = (*path, said["property"])
        text = f"{written_path(at)} is missing"
        yield Misfit(path=at, value=None, text=text, expected=said["property"], missing=True)
    elif name in ("additionalProperties", "unevaluatedProperties"):
        for key in said["unexpected"]:
            at = (*path, key)
            text = f"{written_path(at)} is not known"
            yield Misfit(path=at, value=None, text=text, expected="a known field", unknown=True)
    else:
        expected = _expected(error)
        text = f"{here} is {shown(value)}, expected {expected}"
        yield Misfit(path=path, value=value, text=text, expected=expected)


def _expected(error: ValidationError) -> str:
    """What the schema asks for, in a few words."""
    said, name = error.kind.as_dict(), error.kind.name
    if name == "type":
        return _either([_TYPES[kind] for kind in sorted(said["types"], key="null".__eq__)])
    if name == "enum":
        return f"one of {', '.join(map(_json, said['options']))}"
    if name == "const":
        return _json(said["expected_value"])
    if name == "format":
        return f"text in the form of {said['format']}"
    if name in ("anyOf", "oneOf"):
        inner = [_expected(first) for first in (next(iter(way), None) for way in said["context"]) if first]
        return _either(list(dict.fromkeys(inner))) or "exactly one of the alternatives"
    if name in _LIMITS:
        return _LIMITS[name].format(**said)
    return _first_line(error)


def _either(words: Sequence[str]) -> str:
    return " or ".join(words)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _fields(schema: Mapping[str, Any]) -> str:
    """The fields that a schema names, each with its type; those that may be left out in brackets."""
    required = required_of(schema)
    told = []
    for name, inner in schema.get("properties", {}).items():
        kinds = _resolved(inner, schema).get("type", [])
        types = _either([_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)])
        said = f"{name} ({types})" if types else name
        told.append(said if name in required else f"[{said}]")
    return ", ".join(told) or "what its schema says"


def _first_line(error: Exception) -> str:
    return str(getattr(error, "message", error)).splitlines()[0].rstrip(".")
