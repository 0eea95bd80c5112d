"""Every event has a name outside, or is known to have none."""

from __future__ import annotations

from typing import get_args

from dirigent.domain.event import (
    AnyEvent,
    ConnectorAdvanced,
    ConsumerAdvanced,
    DeadLetterReplayed,
    DefinitionStored,
    EffectAcknowledged,
    EventDeadLettered,
    EventPublished,
    ExecutionPassivated,
    ExecutionsArchived,
    ExecutionsRestored,
    OutcomeObserved,
    OutputMapped,
    ReadBackRequested,
    ScheduleAdvanced,
    SignalReceived,
    TimerFired,
    TriggerPaused,
    TriggerResumed,
    WaitEnded,
    WebhookMended,
    WebhookRefused,
    WorkflowPaused,
    WorkflowResumed,
    WorkflowRolledBack,
    WorkflowSaved,
)
from dirigent.intake.events.publishing import TOLD
from dirigent.intake.live.news import CHANNELS, NAMINGS

# What only the engine or a list needs to know; events of the business are at GET /api/v1/events.
UNTOLD = {
    ConnectorAdvanced,
    ConsumerAdvanced,
    DeadLetterReplayed,
    DefinitionStored,
    EffectAcknowledged,
    EventDeadLettered,
    EventPublished,
    ExecutionPassivated,
    ExecutionsArchived,
    ExecutionsRestored,
    OutcomeObserved,
    OutputMapped,
    ReadBackRequested,
    ScheduleAdvanced,
    SignalReceived,
    TimerFired,
    TriggerPaused,
    TriggerResumed,
    WaitEnded,
    WebhookMended,
    WebhookRefused,
    WorkflowPaused,
    WorkflowResumed,
    WorkflowRolledBack,
    WorkflowSaved,
}


def test_every_event_is_told_or_not() -> None:
    """One that is new has to be put somewhere."""
    assert set(NAMINGS) | UNTOLD == set(get_args(AnyEvent))
    assert not set(NAMINGS) & UNTOLD


def test_what_goes_out_on_streams_is_told_too() -> None:
    """Whoever follows the socket misses nothing that a stream has."""
    assert set(TOLD) <= set(NAMINGS)


def test_fields_and_channels_are_there() -> None:
    """Each field is one of its event, and no input or output is among them; each channel is offered."""
    for kind, naming in NAMINGS.items():
        assert set(naming.fields) <= {*kind.__struct_fields__}
        assert not {"input", "inputs", "output", "preview", "body", "items"} & set(naming.fields)
        assert naming.channels
        assert set(naming.channels) <= set(CHANNELS)
