"""What can happen to the circuit between a tenant and an agent; one stream holds all of it."""

from __future__ import annotations

from dirigent.domain.event_base import Event

CIRCUITS = "dirigent:circuits"


class CircuitOpened(Event, frozen=True, kw_only=True, tag=True):
    """An agent failed too often and is left alone until a time, in milliseconds since the epoch.

    `failures` is how many of the tenant's last twenty calls failed; 1 where a probe did.
    """

    tenant: str
    agent: str
    failures: int
    until: int


class CircuitHalfOpened(Event, frozen=True, kw_only=True, tag=True):
    """The time is over: one call is let through, to see whether the agent answers again."""

    tenant: str
    agent: str


class CircuitClosed(Event, frozen=True, kw_only=True, tag=True):
    """The agent answered and is called as before."""

    tenant: str
    agent: str


CircuitEvent = CircuitOpened | CircuitHalfOpened | CircuitClosed
