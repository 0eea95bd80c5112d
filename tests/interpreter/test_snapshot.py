"""A machine that was bytes in between is the machine it was."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.snapshot import LAYOUT, Snapshot, definition_of, restored, taken
from tests.interpreter.generated import definitions, run


@settings(max_examples=150)
@given(definitions(), st.integers(0, 2**32), st.data())
def test_a_restored_machine_goes_on_as_if_nothing_had_been(definition, seed, data) -> None:
    """After any event: the same state, the same outstanding commands, and the same for all that follows."""
    events = run(definition, seed).events
    here = data.draw(st.integers(1, len(events)))
    graph = build_graph(definition)
    live = Machine(graph)
    for event in events[:here]:
        live.apply(event)
    kept = taken(live)
    if kept is None:  # an event that the machine decided is still to be applied
        return
    assert definition_of(kept) == definition.content_hash
    again = restored(kept, graph)
    assert (again.state.digest(), again.outstanding) == (live.state.digest(), live.outstanding)
    for event in events[here:]:
        assert again.apply(event) == live.apply(event)
    assert again.state.digest() == live.state.digest()


def test_another_layout_is_no_snapshot() -> None:
    """What another version of the state has kept is left alone, and what is none at all."""
    import msgspec

    machine = Machine(build_graph(run_definition()))
    kept = taken(machine)
    assert kept is not None
    told = msgspec.msgpack.decode(kept)
    assert told["layout"] == LAYOUT
    assert definition_of(msgspec.msgpack.encode(told | {"layout": "other"})) is None
    assert definition_of(b"nothing of the kind") is None
    assert set(Snapshot.__struct_fields__) == set(told)


def run_definition():
    """A small definition."""
    from tests.interpreter.harness import agent, flow

    return flow(agent("a"))
