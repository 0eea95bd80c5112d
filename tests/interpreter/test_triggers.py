"""Triggers: what may be written, what it means, and that the way to data and back changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.errors import InvalidDefinition
from dirigent.domain.trigger import (
    SCOPES,
    TRIGGERS,
    ApiTrigger,
    EventTrigger,
    ManualTrigger,
    Overlap,
    ScheduleTrigger,
    WebhookTrigger,
    kind_of,
)
from dirigent.domain.workflow import Definition
from dirigent.intake.time_zones import TIME_ZONES
from dirigent.intake.workflows import Workflow
from dirigent.interpreter.loading import (
    definition_from,
    definition_to_dict,
    load_definition,
    stored_definition,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
PRINTED = (FIXTURES / "002-01-content-creation-workflow.yaml").read_text(encoding="utf-8")


def with_triggers(*triggers: dict[str, Any]) -> Definition:
    return definition_from(written(*triggers))


def written(*triggers: dict[str, Any]) -> dict[str, Any]:
    return {"name": "x", "steps": [{"id": "a", "type": "transform"}], "triggers": list(triggers)}


@pytest.mark.parametrize(
    ("trigger", "read"),
    [
        ({"type": "schedule", "schedule": "0 9 * * 1-5"}, ScheduleTrigger(schedule="0 9 * * 1-5")),
        (
            {
                "type": "schedule",
                "schedule": "*/15 8-18 1,15 jan-jun mon",
                "timezone": "Europe/Berlin",
                "input": {"brand_id": "b-1", "day": "${schedule.at}"},
                "catch_up": True,
                "overlap": "queue",
            },
            ScheduleTrigger(
                schedule="*/15 8-18 1,15 jan-jun mon",
                timezone="Europe/Berlin",
                input={"brand_id": "b-1", "day": "${schedule.at}"},
                catch_up=True,
                overlap=Overlap.QUEUE,
            ),
        ),
        (
            {"type": "schedule", "every": "15m", "jitter": "30s", "catch_up": 5},
            ScheduleTrigger(every="15m", jitter="30s", catch_up=5),
        ),
        (
            {"type": "schedule", "at": "2026-12-24T18:00:00", "timezone": "Europe/Berlin"},
            ScheduleTrigger(at="2026-12-24T18:00:00", timezone="Europe/Berlin"),
        ),
        ({"type": "event", "event_type": "campaign.*"}, EventTrigger(event_type="campaign.*")),
        (
            {
                "type": "event",
                "event_type": "order.paid",
                "filter": "event.data.total > 5",
                "input": {"id": "${event.data.id}"},
            },
            EventTrigger(
                event_type="order.paid", filter="event.data.total > 5", input={"id": "${event.data.id}"}
            ),
        ),
        (
            {"type": "webhook", "webhook": "shop", "event_type": "order.paid", "filter": 'event.id != ""'},
            WebhookTrigger(webhook="shop", event_type="order.paid", filter='event.id != ""'),
        ),
        ({"type": "api", "input": {"n": 1}}, ApiTrigger(input={"n": 1})),
        ({"type": "manual"}, ManualTrigger()),
    ],
)
def test_each_kind_is_read_and_written(trigger, read) -> None:
    """Every trigger becomes a typed value, and goes back to the very data it came from."""
    definition = with_triggers(trigger)
    assert definition.triggers == (read,)
    assert kind_of(read) == trigger["type"]
    back = definition_to_dict(definition)["workflow"]["triggers"]
    assert canonical_bytes(back) == canonical_bytes([trigger])
    assert definition_from(definition_to_dict(definition)).content_hash == definition.content_hash


def test_kinds_and_scopes_go_together() -> None:
    """Every kind of trigger says which names its texts may read."""
    assert set(TRIGGERS) == set(SCOPES) == {"schedule", "event", "webhook", "api", "manual"}


def test_what_is_written_out_makes_no_other_version() -> None:
    """Defaults may be written or left out; a filter may stand in a hole or not."""
    short = with_triggers(
        {"type": "schedule", "schedule": "0 9 * * *"},
        {"type": "event", "event_type": "e", "filter": "event.x"},
    )
    long = with_triggers(
        {
            "type": "schedule",
            "schedule": "0 9 * * *",
            "timezone": "UTC",
            "overlap": "allow",
            "catch_up": False,
            "input": {},
        },
        {"type": "event", "event_type": "e", "filter": "${ event.x }", "input": None},
    )
    assert long.content_hash == short.content_hash


def test_the_version_of_the_printed_workflow_stays_what_it_was() -> None:
    """Typed triggers name the same version as the plain data of earlier journals."""
    printed = "445759b34ee3a01b04a2d8e9ed40391c7be84e43857c3a9c8c602325904c9a8b"
    assert load_definition(PRINTED).content_hash == printed


def test_a_stored_definition_outlives_stricter_rules() -> None:
    """A run that was started before triggers were checked goes on; all else is checked as ever."""
    old = written({"type": "schedule", "schedule": "daily", "colour": "red"}, {"type": "cron"})
    with pytest.raises(InvalidDefinition):
        definition_from(old)
    assert stored_definition(old).steps[0].id == "a"
    assert stored_definition({"workflow": old}).name == "x"
    with pytest.raises(InvalidDefinition, match="WF010"):
        stored_definition(old | {"type": "nonsense"})


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3"])
def test_time_zones_of_the_database_are_known(name) -> None:
    """What the IANA database names may stand in a schedule."""
    assert name in TIME_ZONES
    trigger = f"triggers: [{{type: schedule, schedule: '0 9 * * *', timezone: {name}}}]"
    assert Workflow.parse(f"name: x\nsteps: [{{id: a, type: transform}}]\n{trigger}\n")


@pytest.mark.parametrize(
    "name", ["", "Mars", "../../etc/passwd", "Europe", "Europe/Berlin\0", "/etc/localtime"]
)
def test_what_is_no_time_zone_is_none(name) -> None:
    """Names that are no zones are refused without an error of the file system."""
    assert name not in TIME_ZONES


def test_a_file_is_checked_against_the_zones_there_are() -> None:
    """Loading a file refuses an unknown zone and names the nearest."""
    text = "name: x\nsteps: [{id: a, type: transform}]\ntriggers:\n"
    text += "- {type: schedule, schedule: '0 9 * * *', timezone: Europe/Berlim}\n"
    with pytest.raises(InvalidDefinition, match=r"4:53 WF031 .* did you mean Europe/Berlin"):
        Workflow.parse(text)
