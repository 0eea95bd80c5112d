"""The versions of workflows that executions stay on, stored once and compiled once."""

from __future__ import annotations

from collections.abc import Callable

from dirigent.domain.command import StartChild
from dirigent.domain.errors import NotFound
from dirigent.domain.event import DefinitionStored, Passport
from dirigent.domain.workflow import Definition
from dirigent.interpreter.graph import Graph, build_graph
from dirigent.interpreter.loading import definition_from, definition_to_dict, stored_definition
from dirigent.ports import Clock, Journal, Projections

Library = Callable[[str, str], Definition]  # a tenant's workflow by its name


class Definitions:
    """Definitions by content hash, kept in the journal; those of a tenant's library by name."""

    def __init__(
        self,
        journal: Journal,
        projections: Projections,
        clock: Clock,
        library: Library,
    ) -> None:
        self._journal = journal
        self._projections = projections
        self._clock = clock
        self._library = library
        self._graphs: dict[str, Graph] = {}

    def store(self, definition: Definition) -> None:
        """Put a version on record; it is on stable storage before what is appended after it."""
        stream = definition.content_hash
        if self._journal.head(stream) == 0:
            stored = DefinitionStored(
                at=self._clock.now_ms(), content_hash=stream, definition=definition_to_dict(definition)
            )
            _ = self._journal.append(stream, 0, [stored])

    def graph(self, content_hash: str, definition: Definition | None = None) -> Graph:
        """A version made ready to run; raises `NotFound` where it is not on record."""
        graph = self._graphs.get(content_hash)
        if graph is None:
            stored: Definition = definition or self._stored(content_hash)
            graph = self._graphs[content_hash] = build_graph(stored)
        return graph

    def of_child(self, command: StartChild, passport: Passport | None) -> Definition:
        """What a step wants to have started: a definition it brings, or one of the tenant's library."""
        if command.definition is not None:
            return definition_from(command.definition)
        assert passport is not None, "an execution starts with ExecutionStarted"
        return self._library(passport.tenant, command.workflow)

    def _stored(self, content_hash: str) -> Definition:
        data = self._projections.definition(content_hash)
        if data is None:
            raise NotFound(f"The definition {content_hash[:12]} is not stored.", code="definition_not_found")
        return stored_definition(data)
