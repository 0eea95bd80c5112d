"""The journal sorted for looking at: streams of executions, definitions, families."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dirigent.domain.event import TERMINAL, DefinitionStored, Event, ExecutionStarted
from dirigent.domain.workflow import Definition
from dirigent.interpreter.graph import Graph, build_graph
from dirigent.interpreter.loading import stored_definition
from dirigent.ports import Recorded


class Stream:
    """The events of one execution, in order."""

    __slots__ = ("name", "recorded", "started")

    def __init__(self, name: str, recorded: list[Recorded], started: ExecutionStarted) -> None:
        self.name = name
        self.recorded = recorded
        self.started = started

    def __iter__(self) -> Iterator[Event]:
        return (recorded.event for recorded in self.recorded)

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.started.passport.tenant

    @property
    def ended(self) -> bool:
        """Whether its last event ends it."""
        return isinstance(self.recorded[-1].event, TERMINAL)

    def of(self, *kinds: type[Event]) -> Iterator[Recorded]:
        """Its events of some kinds."""
        return (recorded for recorded in self.recorded if isinstance(recorded.event, kinds))


class History:
    """All of a journal. Graphs are kept from one history to the next: equal definitions are equal graphs."""

    def __init__(self, journal: Iterable[Recorded], graphs: dict[str, Graph] | None = None) -> None:
        self.journal: Sequence[Recorded] = list(journal)
        self.streams: dict[str, list[Recorded]] = {}
        for recorded in self.journal:
            self.streams.setdefault(recorded.stream, []).append(recorded)
        self.definitions: dict[str, dict[str, Any]] = {}
        self.executions: dict[str, Stream] = {}
        self._graphs = {} if graphs is None else graphs
        for name, events in self.streams.items():
            first = events[0].event
            if isinstance(first, ExecutionStarted):
                self.executions[name] = Stream(name, events, first)
            elif isinstance(first, DefinitionStored):
                self.definitions[name] = first.definition

    def graph(self, content_hash: str) -> Graph | None:
        """The compiled definition of that name, or None where it is not stored."""
        graph = self._graphs.get(content_hash)
        if graph is None and content_hash in self.definitions:
            graph = self._graphs[content_hash] = build_graph(self.definition(content_hash))
        return graph

    def definition(self, content_hash: str) -> Definition:
        """The stored definition."""
        return stored_definition(self.definitions[content_hash])

    def family(self, execution: str) -> list[Stream]:
        """An execution and all that it started, directly or not."""
        prefix = execution + "/"
        return [
            stream for name, stream in self.executions.items() if name == execution or name.startswith(prefix)
        ]

    def roots(self) -> list[Stream]:
        """The executions that no other started."""
        return [stream for stream in self.executions.values() if not stream.started.parent]
