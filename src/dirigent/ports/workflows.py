"""The protocol of stored workflows: which there are, which version is in force, and which there were."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec


class WorkflowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow of one tenant as it stands. Times are milliseconds since the epoch.

    `version` is in force, `versions` is how many there are; `state` is active or paused. `changed_at`,
    `changed_by` and `note` are of the last change, whatever it was.
    """

    tenant: str
    name: str
    version: int
    versions: int
    content_hash: str
    state: str
    changed_at: int
    changed_by: str
    note: str = ""


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a workflow: by whom it was saved, when, and why."""

    version: int
    content_hash: str
    saved_at: int
    saved_by: str
    note: str = ""


@runtime_checkable
class Workflows(Protocol):
    """A reading of the journal: workflows by name, and their versions. It can be dropped and rebuilt."""

    def workflows(self, tenant: str | None = None) -> list[WorkflowRow]:
        """All of one tenant, or of all, by name."""
        ...

    def workflow(self, tenant: str, name: str) -> WorkflowRow | None:
        """One, or None."""
        ...

    def versions(self, tenant: str, name: str) -> list[VersionRow]:
        """Every version there was, the first one first."""
        ...
