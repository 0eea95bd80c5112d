"""Flows from the user's own modules: `package.module:name`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dirigent.domain.errors import InvalidInput
from dirigent.execution.flows import Flows
from dirigent.ports.queueing import Orchestrator

FORMS = "Write package.module:name, where name is a mapping of flows or a function that takes a registry."


class _Registration:
    """What a user's function is given: the part of a registry that takes flows."""

    def __init__(self, flows: Flows) -> None:
        self.register_flow = flows.register


def load_flows(given: Sequence[str]) -> dict[str, Orchestrator]:
    """The flows of every module named, by name; raises `InvalidInput` with what is wrong.

    Modules are looked for in the folder the user is in, too.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    flows = Flows()
    for item in given:
        found = _found(item)
        if isinstance(found, Mapping):
            for name, flow in found.items():
                flows.register(name, flow)
        elif callable(found):
            found(_Registration(flows))
        else:
            raise InvalidInput(f"{item} is {found!r}.", fix=FORMS, field="flows")
    return {name: flows.resolve(name) for name in flows.names()}


def _found(item: str) -> object:
    module, colon, name = item.partition(":")
    if not colon or not module or not name:
        raise InvalidInput(f"{item!r} names no flows.", fix=FORMS, field="flows")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"{item} cannot be loaded: {error}.", fix=FORMS, field="flows") from error
