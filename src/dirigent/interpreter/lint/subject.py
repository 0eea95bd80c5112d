"""What the rules of the lint read: a sound definition, its places, its expressions and its actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dirigent.domain.agent import Effect
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.interpreter.expression import Expression, parse_expression
from dirigent.interpreter.graph import build_graph
from dirigent.interpreter.inputs import Misfit
from dirigent.interpreter.lint.reach import Reach, reach_of
from dirigent.interpreter.naming import fields_given, home_of, words_at
from dirigent.interpreter.parts import Parts, Use
from dirigent.interpreter.problems import Path
from dirigent.interpreter.state import RESERVED_NAMES


@dataclass(frozen=True, kw_only=True)
class ActionFacts:
    """What is known of an action: its effect class, the fields of its output and its inputs.

    `gives` is None where the output may have any fields, or is no mapping; `timed` says that the action
    bounds itself how long it takes. `misfits` tells what of its inputs the action would refuse.
    """

    effect: Effect
    timed: bool
    gives: frozenset[str] | None
    takes: tuple[str, ...]
    misfits: Callable[[Mapping[str, Any]], list[Misfit]]


FactsOf = Callable[[str, str], ActionFacts | None]


@dataclass(frozen=True, kw_only=True)
class Read:
    """An expression, where it stands, and the step it belongs to; empty for the output of the whole.

    `words` are the names that stand for something there, whatever the steps and the input give.
    """

    use: Use
    step: str
    words: frozenset[str]
    expression: Expression

    @property
    def names(self) -> frozenset[str]:
        """The bare names it reads, save for those that are given to it where it stands."""
        return self.expression.names - RESERVED_NAMES - self.words

    @property
    def at_the_end(self) -> bool:
        """Whether it is read where the steps of its block, or of the whole, have run."""
        return not self.step or self.use.block == self.step

    @property
    def steps(self) -> Mapping[str, Any]:
        """The steps it reads by name, each with what it reads below."""
        return self.expression.reads.get("steps", {})


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A sound definition with everything the rules ask of it. `path` is where its mapping stands."""

    definition: Definition
    path: Path
    reach: Reach
    places: Mapping[str, Path]
    ways: Mapping[tuple[str, str], Path]
    reads: tuple[Read, ...]
    known: FactsOf

    def step(self, name: str) -> Step:
        """A step by its id."""
        return self.reach.graph.nodes[name].step

    def facts_of(self, step: Step) -> ActionFacts | None:
        """What is known of the action that a step takes; emit, http and notify steps take one as well."""
        return self.known(step.agent, step.action) if step.agent else None

    def takes_by_name(self, step: Step) -> tuple[str, ...]:
        """The inputs that a step without parameters is given by name; see `interpreter.known`."""
        facts = self.facts_of(step) if step.kind is Kind.AGENT and not step.parameters else None
        if facts is None or not any(misfit.missing for misfit in facts.misfits({})):
            return ()
        return facts.takes

    def may_know(self, step: Step, name: str) -> bool:
        """Whether a step before it may give a name, or the input may have it."""
        declared = self.definition.input.get("properties")
        if declared is None or name in declared:
            return True
        return any(self.may_give(self.step(one), name) for one in self.reach.all_before(step.id))

    def gives(self, step: Step) -> frozenset[str] | None:
        """The fields of a step's output; None where nobody can say."""
        if step.kind is Kind.PARALLEL and step.output is None and step.fallback is None:
            return frozenset(self.reach.graph.bodies[step.id].leaves)
        said = fields_given(step)
        if said is not None or step.output is not None or step.fallback is not None:
            return said
        facts = self.facts_of(step)
        return facts.gives if facts else None

    def may_give(self, step: Step, name: str) -> bool:
        """Whether a step's output may have a field."""
        fields = self.gives(step)
        return fields is None or name in fields

    def way_path(self, source: str, target: str) -> Path:
        """Where a way between two steps is written; the step it leads to where it is not."""
        return self.ways.get((source, target), self.places[target])


def subject_of(definition: Definition, parts: Parts, path: Path, facts: FactsOf | None) -> Subject:
    """Bring together what the rules read."""
    places = {step.id: here for here, step in parts.steps}
    homes = {here: name for name, here in places.items()}
    return Subject(
        definition=definition,
        path=path,
        reach=reach_of(build_graph(definition)),
        places=places,
        ways={(way.source, way.target): here for here, way in reversed(parts.connections)},
        reads=tuple(_read(use, homes) for use in parts.uses if use.only is None),
        known=facts or (lambda agent, action: None),
    )


def _read(use: Use, homes: Mapping[Path, str]) -> Read:
    home = home_of(use.path, homes)
    expression = parse_expression(use.source)
    return Read(use=use, step=homes.get(home, ""), words=words_at(use, home), expression=expression)
