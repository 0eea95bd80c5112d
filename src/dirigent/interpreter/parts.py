"""What is being built of a definition: its parts with their places, and every expression met on the way."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dirigent.domain.workflow import Connection, Step
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.template import expressions_in, has_open_hole

_EXAMPLES = {
    "agent_type": "agent_type: notifier",
    "action": "action: send_notification",
    "conditions": "conditions: ['quality_score >= 75']",
    "duration": "duration: 5m",
    "event": "event: order.paid",
    "workflow": "workflow: <its name>",
    "url": "url: https://shop.example/orders",
    "message": "message: <what there is to know>",
    "cases": "cases: [{when: 'n > 1', to: <the id of a step>}]",
    "foreach": "foreach: input.leads",
    "max_iterations": "max_iterations: 10",
    "fallback": "fallback: <the id of a step>",
    "n": "n: 2",
    "steps": "steps: and at least one step",
    "id": "id: <a name>",
    "type": "type: agent",
    "from": "from: <the id of a step>",
    "to": "to: <the id of a step>",
}

AGENT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}")


@dataclass(frozen=True)
class Use:
    """An expression and where it stands: in the whole or inside a block.

    `need` is condition, list or value. `of_item` says that it may read an item, `of_loop` that it may
    read how often a loop has run. `only` are the names it may read, where those are few.
    """

    source: str
    path: Path
    need: str = "value"
    of_item: bool = False
    only: frozenset[str] | None = None
    of_loop: bool = False
    block: str = ""


@dataclass
class Body:
    """The steps of the whole or of a block, and their connections, each with its path."""

    at_once: bool = False
    steps: list[tuple[Path, Step]] = field(default_factory=list)
    connections: list[tuple[Path, Connection]] = field(default_factory=list)


@dataclass
class Parts:
    """What has been built so far, and every expression met on the way.

    `ids` are those of all steps in the order of the file; `steps` are all steps; `inside` says which
    block a step or a block stands in.
    """

    findings: Findings
    bodies: list[Body] = field(default_factory=list)
    steps: list[tuple[Path, Step]] = field(default_factory=list)
    ids: list[tuple[Path, str]] = field(default_factory=list)
    inside: dict[str, str] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    depth: int = 0

    @property
    def connections(self) -> list[tuple[Path, Connection]]:
        """All connections that are written, those inside blocks included."""
        return [connection for body in self.bodies for connection in body.connections]

    def sees(self, block: str, step: str) -> bool:
        """Whether the output of a step can be read inside a block: the step stands there or around it."""
        home = self.inside.get(step, "")
        while block and block != home:
            block = self.inside.get(block, "")
        return block == home

    def place_uses(self, since: int, block: str, *, of_item: bool, of_loop: bool) -> None:
        """Say of the expressions met since then that they stand inside a block."""
        self.uses[since:] = [
            replace(
                use,
                block=use.block or block,
                of_item=use.of_item or of_item,
                of_loop=use.of_loop or of_loop,
            )
            for use in self.uses[since:]
        ]


def need(key: str, data: Any, path: Path, findings: Findings, example: str = "") -> None:
    """Note a key that has to be there and is not."""
    if isinstance(data, Mapping) and data.get(key) is None:
        fix = f"add {example or _EXAMPLES[key]}"
        findings.add("WF007", path, f"{key} is missing", expected=key, fix=fix)


def collect_holes(
    value: Any,
    path: Path,
    parts: Parts,
    *,
    of_item: bool = False,
    only: frozenset[str] | None = None,
) -> None:
    """Gather the expressions inside parameters, inputs or outputs."""
    for here, text in _texts(value, path):
        parts.uses += [Use(source, here, of_item=of_item, only=only) for source in expressions_in(text)]
        if has_open_hole(text):
            message, expected = "${ without its }", "${ expression }"
            fix = "close it; braces inside may be nested once"
            parts.findings.add("WF018", here, message, expected=expected, fix=fix)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def read_word(word: str, known: Collection[str], path: Path, findings: Findings) -> str:
    """The word itself; noted where it is none of those known."""
    if word not in known:
        near = findings.near(word, known)
        fix = f"did you mean {near}?" if near else f"write {next(iter(known))} or another of these"
        message = f"{path[-1]} is {shown(word)}"
        findings.add("WF010", path, message, expected=f"one of {', '.join(known)}", fix=fix)
    return word


def check_name(name: str, key: str, grammar: re.Pattern[str], path: Path, findings: Findings) -> None:
    """Note a name that is not well formed."""
    if not name or grammar.fullmatch(name):
        return
    expected = (
        "letters, digits, _ and -, beginning with a letter" if key == "id" else "a name such as notifier"
    )
    meant = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:100]
    fix = f"write {meant if meant[:1].isalpha() else 'step_' + meant}" if key == "id" else "write the name"
    findings.add("WF011", path, f"{key} is {shown(name)}", expected=expected, fix=fix)
