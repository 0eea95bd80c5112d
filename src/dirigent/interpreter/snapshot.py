"""A state as bytes and back, so that a long history need not be folded from its beginning."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from dirigent.domain.command import AwaitSignal, BreakOff, CancelChild, InvokeAction, StartChild, StartTimer
from dirigent.interpreter.graph import Graph
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.state import State

Standing = InvokeAction | BreakOff | StartTimer | AwaitSignal | StartChild | CancelChild


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine knew: its state, what was outstanding, of which definition, in which layout."""

    layout: str
    definition: str
    state: State
    outstanding: dict[str, Standing]


def _layout() -> str:
    described = msgspec.json.schema(Snapshot)
    return hashlib.sha256(msgspec.json.encode(described, order="sorted")).hexdigest()[:16]


LAYOUT = _layout()

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)
_of_layout: msgspec.msgpack.Decoder[dict[str, Any]] = msgspec.msgpack.Decoder(dict[str, Any])


def taken(machine: Machine) -> bytes | None:
    """A machine's state between two turns; None while an event that it decided is not applied yet."""
    state = machine.state
    standing = {name: command for name, command in state.outstanding.items() if isinstance(command, Standing)}
    if len(standing) != len(state.outstanding):
        return None
    bare = msgspec.structs.replace(state, outstanding={})
    definition = machine.graph.definition.content_hash
    return _encoder.encode(Snapshot(layout=LAYOUT, definition=definition, state=bare, outstanding=standing))


def definition_of(kept: bytes) -> str | None:
    """Which definition a snapshot is of; None where it has another layout than this version's."""
    try:
        told = _decoder.decode(kept)
    except msgspec.MsgspecError:
        return None
    return told.definition if told.layout == LAYOUT else None


def restored(kept: bytes, graph: Graph) -> Machine:
    """The machine as it was."""
    snapshot = _decoder.decode(kept)
    machine = Machine(graph)
    machine.state = msgspec.structs.replace(snapshot.state, outstanding=dict(snapshot.outstanding))
    return machine
