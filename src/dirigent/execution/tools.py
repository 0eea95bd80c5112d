"""Actions found by a word, as tools that somebody might want to use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dirigent.domain.agent import AgentSpec, Risk


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One action that was found: whose, what it is called, how much it can do and what for."""

    agent: str
    action: str
    risk: Risk
    outward: bool
    description: str


def matching_tools(agents: Iterable[AgentSpec], word: str) -> list[Tool]:
    """The actions of these agents whose name or description, or whose agent's name, has the word in it."""
    wanted = word.strip().casefold()
    return [
        Tool(
            agent=spec.key,
            action=action.name,
            risk=action.risk,
            outward=action.outward,
            description=action.description,
        )
        for spec in agents
        for action in spec.actions.values()
        if any(
            wanted in said.casefold() for said in (spec.key, *spec.aliases, action.name, action.description)
        )
    ]
