"""A web hook as it is written: who may call, and what the call becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from dirigent.intake.event_mapping import check_mapping
from dirigent.intake.written_files import texts_in
from dirigent.interpreter.positions import read_yaml
from dirigent.interpreter.problems import Findings, shown
from dirigent.interpreter.problems import Path as Place
from dirigent.interpreter.template import compile_template
from dirigent.interpreter.written import Written, read_written
from dirigent.security.webhook_signatures import HMAC_SHA256, STANDARD

SCOPE = ("body", "headers")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
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
    return [load_webhook(text, source=str(file)) for file, text in texts_in(folder)]


def _check(written: WrittenWebhookFile, path: Place, findings: Findings) -> None:
    if not _NAME.fullmatch(written.name):
        message = f"name is {shown(written.name)}" if written.name else "name is missing"
        expected = "letters, digits, _ and -"
        findings.add("WF011", (*path, "name"), message, expected=expected, fix="write name: shop")
    if written.signature not in (STANDARD, HMAC_SHA256):
        message = f"signature is {shown(written.signature)}"
        expected = f"{STANDARD} or {HMAC_SHA256}"
        findings.add("WF010", (*path, "signature"), message, expected=expected, fix=f"write {STANDARD}")
    check_mapping(written.event, SCOPE, (*path, "event"), findings)
