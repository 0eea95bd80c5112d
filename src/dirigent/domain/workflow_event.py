"""What can happen to a stored workflow; its stream holds everything about one workflow of one tenant."""

from __future__ import annotations

from dirigent.domain.event_base import Event


class WorkflowSaved(Event, frozen=True, kw_only=True, tag=True):
    """A person or program stored a new version of a workflow under its name; from now on it is in force.

    `content_hash` names the stored definition; `source` is the text it was written as, empty where it came
    as data. The stream holds everything about one workflow of one tenant.
    """

    tenant: str
    workflow: str
    version: int
    content_hash: str
    actor: str
    source: str = ""
    note: str = ""


class WorkflowRolledBack(Event, frozen=True, kw_only=True, tag=True):
    """An earlier (or a later) version of a workflow is in force again."""

    tenant: str
    workflow: str
    version: int
    content_hash: str
    actor: str
    note: str = ""


class WorkflowPaused(Event, frozen=True, kw_only=True, tag=True):
    """A person asked that a workflow start no more executions; those that run go on."""

    tenant: str
    workflow: str
    actor: str
    reason: str = ""


class WorkflowResumed(Event, frozen=True, kw_only=True, tag=True):
    """A person let a workflow start executions again."""

    tenant: str
    workflow: str
    actor: str
