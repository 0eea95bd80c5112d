"""Agents from the user's own modules: `package.module:Class`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dirigent.domain.errors import InvalidInput
from dirigent.security.admission import AGENT_ATTRIBUTE

FORM = "Write package.module:name, where name is a class decorated with @agent, or an instance of one."


def load_agents(given: Sequence[str], field: str) -> list[type[Any] | object]:
    """The agents that `field` names; raises `InvalidInput`. Modules in the working folder are found, too."""
    here = str(Path.cwd())
    if given and here not in sys.path:
        sys.path.insert(0, here)
    return [_found(item, field) for item in given]


def _found(item: str, field: str) -> object:
    module, _, name = item.partition(":")
    if not module or not name:
        raise InvalidInput(f"{item!r} names no agent.", fix=FORM, field=field)
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"{item} cannot be loaded: {error}.", fix=FORM, field=field) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        fix = f"Mend {module}; `python -c 'import {module}'` shows where it fails."
        raise InvalidInput(f"{item} cannot be loaded: {reason}.", fix=fix, field=field) from error
    if not hasattr(found, AGENT_ATTRIBUTE):
        raise InvalidInput(f"{item} is no agent.", fix=FORM, field=field)
    return found
