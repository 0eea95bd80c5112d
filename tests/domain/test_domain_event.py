"""The stored form of what happens in the business."""

import msgspec

from dirigent.domain.domain_event import DomainEvent, emitted_id, event_key
from dirigent.domain.event import AnyEvent, EventPublished

EVENT = DomainEvent(id="1", source="crm", type="deal.won", tenant="t", data={"value": 3})


def test_an_event_says_only_what_differs_from_the_defaults() -> None:
    """What is stored are the CloudEvents names, and only those that say something."""
    stored = msgspec.json.decode(msgspec.json.encode(EVENT))
    assert stored == {"id": "1", "source": "crm", "type": "deal.won", "tenant": "t", "data": {"value": 3}}


def test_it_is_read_back_whole_from_a_journal() -> None:
    """Its own `type` and that of the journal's event do not get into each other's way."""
    body = msgspec.json.encode(EventPublished(at=5, event=EVENT))
    assert msgspec.json.decode(body, type=AnyEvent) == EventPublished(at=5, event=EVENT)


def test_every_attempt_of_a_step_publishes_the_same_event() -> None:
    """The id names execution, step and ordinal, and no two of them share it."""
    assert emitted_id("e", "s") == emitted_id("e", "s", 0)
    assert (
        len({emitted_id("e", "s", 0), emitted_id("e", "s", 1), emitted_id("e", "t"), emitted_id("f", "s")})
        == 4
    )


def test_the_key_names_tenant_source_and_id() -> None:
    """Parts cannot be shifted from one to the other."""
    keys = {
        event_key("a", "b", "c"),
        event_key("ab", "", "c"),
        event_key("a", "bc", ""),
        event_key("a", "c", "b"),
    }
    assert len(keys) == 4
    assert {len(key) for key in keys} == {16}
