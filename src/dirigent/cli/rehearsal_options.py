"""The options of `dirigent simulate` that are about a workflow of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

GROUP = Group("Your own workflow", sort_key=50)
_several = {"negative": (), "show_default": False, "group": GROUP}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OfAWorkflow:
    """What goes wrong, what there is, and how many of such runs may fail."""

    fail: Annotated[
        tuple[str, ...],
        Parameter(help="agent=0.1 or agent.action=0.1: the share of its calls that fail.", **_several),
    ] = ()
    gives: Annotated[
        tuple[str, ...],
        Parameter(help="agent.action=JSON (or =@file.json): what it gives.", **_several),
    ] = ()
    signal: Annotated[
        tuple[str, ...],
        Parameter(help="name=JSON (or =@file.json): what a signal says that is waited for.", **_several),
    ] = ()
    input: Annotated[
        tuple[str, ...],
        Parameter(name=("--input", "-i"), help="key=value, key=@file.json or @file.json.", **_several),
    ] = ()
    reject: Annotated[float, Parameter(help="The share of approvals that people refuse.", group=GROUP)] = 0.0
    crash: Annotated[float, Parameter(help="The share of runs in which the engine dies.", group=GROUP)] = 0.0
    autonomy: Annotated[
        Literal["L0", "L1", "L2", "L3"], Parameter(help="How much it may do by itself.", group=GROUP)
    ] = "L2"
    budget: Annotated[float | None, Parameter(help="What it may spend.", group=GROUP)] = None
    tolerate: Annotated[
        float, Parameter(help="Exit code 1 where a larger share of runs fails.", group=GROUP)
    ] = 1.0


NOTHING = OfAWorkflow()
