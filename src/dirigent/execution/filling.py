"""Inputs that nobody wrote: what the execution knows under the names of an action's inputs."""

from __future__ import annotations

from msgspec.structs import replace

from dirigent.execution.registry import Action
from dirigent.execution.request import Ledger, Request


def filled_in(request: Request, action: Action, ledger: Ledger) -> Request:
    """The request of a step that writes no parameters, with what the execution knows by name.

    Only where the action needs inputs: one that can do without any is asked as it is written.
    """
    if request.inputs or not action.needs_inputs:
        return request
    return replace(request, inputs=ledger.known(request.step, action.input_names()))
