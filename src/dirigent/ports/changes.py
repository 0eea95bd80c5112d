"""The port of other systems that are asked what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A row of another system as it is since its last change; `mark` grows with the time of that."""

    id: str
    mark: int
    row: Mapping[str, Any]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in the order of their marks, and what is wrong with those that have no id or no mark."""

    changes: tuple[Change, ...] = ()
    unreadable: tuple[str, ...] = ()


class ChangeSource(Protocol):
    """Another system, such as a CRM. Asking it acts on nothing; it may take a while and runs in a thread."""

    def changed(self, since: int) -> Changes:
        """Every row whose mark is `since` or more.

        It may leave out what it gave before and what has not changed since, where `since` is the mark of
        the last of them. Raises `DirigentError` where it cannot be asked.
        """
        ...
