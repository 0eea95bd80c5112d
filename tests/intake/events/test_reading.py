"""From what is handed in to an event: every attribute checked, every fault named."""

from typing import Any

import pytest

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import InvalidInput
from dirigent.intake.events.reading import checked, read_event

GIVEN = {
    "type": "campaign.content_requested",
    "source": "crm",
    "subject": "brand/b-1",
    "data": {"brand_id": "b-1", "content_topic": "New Product Launch"},
    "id": "evt-ext-1",
    "time": "2024-11-26T14:30:00Z",
}


def read(**changed: Any) -> DomainEvent:
    return read_event({**GIVEN, **changed}, tenant="t", new_id="evt_new")


def test_the_example_is_read() -> None:
    """The published body gives the event it says, for the tenant at hand."""
    assert read() == DomainEvent(
        id="evt-ext-1",
        source="crm",
        type="campaign.content_requested",
        tenant="t",
        subject="brand/b-1",
        time="2024-11-26T14:30:00Z",
        data={"brand_id": "b-1", "content_topic": "New Product Launch"},
    )


def test_what_is_left_out_is_filled_in() -> None:
    """Without an id it gets a new one; null is as good as nothing; attributes of others are kept."""
    found = read_event(
        {"type": "a.b", "source": "s", "id": None, "traceparent": "00-ab", "sampled": True},
        tenant="t",
        new_id="n",
    )
    assert (found.id, found.tenant, found.specversion) == ("n", "t", "1.0")
    assert found.extensions == {"traceparent": "00-ab", "sampled": True}
    assert read(tenant="other").tenant == "other"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"type": None}, "type"),
        ({"source": None}, "source"),
        ({"type": "campaign.*"}, "type"),
        ({"type": "two words"}, "type"),
        ({"type": "x" * 201}, "type"),
        ({"type": 5}, "type"),
        ({"source": "a b"}, "source"),
        ({"source": ""}, "source"),
        ({"id": " "}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": 17}, "id"),
        ({"subject": "a\x00"}, "subject"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2024-11-26T14:30:00"}, "time"),
        ({"specversion": "0.3"}, "specversion"),
        ({"datacontenttype": "text/xml"}, "datacontenttype"),
        ({"depth": -1}, "depth"),
        ({"schemaversion": 0}, "schemaversion"),
        ({"data_base64": "AA=="}, "data_base64"),
        ({"Brand": "b"}, "Brand"),
        ({"brand": {"id": 1}}, "brand"),
        ({"extensions": {"a": 1}}, "extensions"),
        ({"data": "x" * 1_100_000}, "data"),
        ({"tenant": ""}, "tenant"),
    ],
)
def test_a_fault_names_the_attribute_and_the_fix(changed: dict[str, Any], field: str) -> None:
    """Whatever is wrong, the error says where and what was expected."""
    with pytest.raises(InvalidInput) as caught:
        read(**changed)
    assert caught.value.field == field
    assert caught.value.fix


@pytest.mark.parametrize("data", [object(), "\ud800", {1, object()}, {"a": object()}])
def test_what_is_no_json_is_refused(data: Any) -> None:
    """An event from Python holds JSON values only."""
    with pytest.raises(InvalidInput):
        checked(DomainEvent(id="1", source="s", type="t", tenant="t", data=data))


def test_an_event_is_what_the_journal_will_give_back() -> None:
    """Tuples become lists and a number that is none becomes null before anybody acts on it."""
    found = checked(DomainEvent(id="1", source="s", type="t", tenant="t", data={"a": (1, float("nan"))}))
    assert found.data == {"a": [1, None]}


def test_wrong_types_in_python_are_refused() -> None:
    """What no type checker caught is caught here."""
    with pytest.raises(InvalidInput):
        checked(DomainEvent(id=5, source="s", type="t", tenant="t"))  # type: ignore[arg-type]
