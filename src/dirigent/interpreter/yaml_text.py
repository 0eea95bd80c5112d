"""A definition as YAML that reads back as the very same definition."""

from __future__ import annotations

from typing import Any

import yaml

from dirigent.domain.errors import InvalidDefinition, InvalidInput
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_to_dict, load_definition
from dirigent.interpreter.positions import is_read_as_text

WIDTH = 110


def as_yaml(definition: Definition) -> str:
    """The YAML of a definition: every key in its usual order, nothing that goes without saying.

    Raises `InvalidInput` for what only data can say: numbers beyond the digits that are read, and the like.
    """
    text: str = yaml.dump(
        definition_to_dict(definition), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH
    )
    try:
        same = load_definition(text).content_hash == definition.content_hash
    except InvalidDefinition:
        same = False
    if not same:
        raise InvalidInput(
            f"{definition.name!r} holds a value that YAML cannot say.",
            fix="Leave out characters that cannot be printed and numbers of more than 18 digits.",
        )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes for our own reader: without aliases, and text in quotes where it would be read as no text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if is_read_as_text(value) else '"'
    if "\n" in value.strip("\n") and all(line.strip() or not line for line in value.split("\n")):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
