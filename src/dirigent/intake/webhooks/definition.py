"""A web hook as it is written: who may call, and what the call becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from dirigent.domain.errors import ExpressionError, InvalidDefinition, NotFound
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.positions import read_yaml
from dirigent.interpreter.problems import Findings, shown
from dirigent.interpreter.problems import Path as Place
from dirigent.interpreter.template import compile_template, expressions_in, has_open_hole
from dirigent.interpreter.written import Written, read_written
from dirigent.security.webhook_signatures import HMAC_SHA256, STANDARD

FILE_BYTES_MAX = 256 * 1024
SCOPE = frozenset({"body", "headers"})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_ATTRIBUTES = ("id", "type", "source", "subject", "time", "data")
# Standard Webhooks lays its payloads out like this; a mapping of its own takes the place of each.
_USUAL: Mapping[str, Any] = {"type": "${body.type}", "data": "${body.data}"}


class WrittenWebhookFile(Written):
    """The mapping under `webhook`."""

    name: str = ""
    tenant: str = Field(default="", max_length=200)
    signature: str = STANDARD
    event: dict[str, Any] = Field(default={})


@dataclass(frozen=True, kw_only=True)
class WebhookDefinition:
    """One web hook: its address is tenant and name. `event` maps a call to the attributes of an event."""

    name: str
    tenant: str = ""
    signature: str = STANDARD
    event: Mapping[str, Any] = field(default_factory=lambda: _USUAL)

    def attributes(self, body: Any, headers: Mapping[str, str]) -> dict[str, Any]:
        """What the call becomes; raises `ExpressionError` where it is not as the mapping expects."""
        rendered = compile_template(dict(self.event))({"body": body, "headers": dict(headers)})
        assert isinstance(rendered, dict), "a mapping renders to a mapping"
        return rendered


def load_webhook(text: str, *, source: str = "<webhook>") -> WebhookDefinition:
    """Read YAML; raises `InvalidDefinition` with every problem and its position."""
    findings = Findings(source)
    data = read_yaml(text, findings)
    findings.raise_if_any()
    root: Any = data.get("webhook") if isinstance(data, dict) else None
    if not isinstance(root, dict):
        fix = "begin with webhook: and write name and event below it"
        findings.add("WF008", (), "there is no web hook in it", expected="webhook", fix=fix)
        findings.raise_if_any()
    path: Place = ("webhook",)
    written = read_written(WrittenWebhookFile, root, path, findings)
    _check(written, path, findings)
    findings.raise_if_any()
    return WebhookDefinition(
        name=written.name,
        tenant=written.tenant,
        signature=written.signature,
        event={**_USUAL, **written.event},
    )


def load_webhooks(folder: Path | None) -> list[WebhookDefinition]:
    """Every web hook of a folder; raises `NotFound` where there is none and `InvalidDefinition`."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", code="file_not_found")
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    return [load_webhook(_text(file), source=str(file)) for file in files]


def _text(file: Path) -> str:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise InvalidDefinition(f"{file} is larger than {FILE_BYTES_MAX // 1024} KB.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDefinition(f"{file} is not text in UTF-8.", fix="Save it as UTF-8.") from error


def _check(written: WrittenWebhookFile, path: Place, findings: Findings) -> None:
    if not _NAME.fullmatch(written.name):
        message = f"name is {shown(written.name)}" if written.name else "name is missing"
        expected = "letters, digits, _ and -"
        findings.add("WF011", (*path, "name"), message, expected=expected, fix="write name: shop")
    if written.signature not in (STANDARD, HMAC_SHA256):
        message = f"signature is {shown(written.signature)}"
        expected = f"{STANDARD} or {HMAC_SHA256}"
        findings.add("WF010", (*path, "signature"), message, expected=expected, fix=f"write {STANDARD}")
    for name, value in written.event.items():
        here = (*path, "event", name)
        if name not in _ATTRIBUTES:
            message = f"an event has no {shown(name)} that a web hook may set"
            expected = ", ".join(_ATTRIBUTES)
            findings.add("WF006", here, message, expected=expected, fix="put it under data", at_key=True)
        _check_template(value, here, findings)


def _check_template(value: Any, path: Place, findings: Findings) -> None:
    if isinstance(value, str) and has_open_hole(value):
        findings.add("WF018", path, "${ without its }", expected="${ expression }", fix="close it")
    for source in expressions_in(value):
        try:
            unknown = sorted(parse_expression(source).names - SCOPE)
        except ExpressionError as error:
            findings.add("WF018", path, error.message, expected="an expression", fix=error.fix)
            continue
        if unknown:
            message = f"{shown(source)} reads {unknown[0]}, which a call does not have"
            fix = "read it as in body.order.no"
            findings.add("WF032", path, message, expected="body or headers", fix=fix)
