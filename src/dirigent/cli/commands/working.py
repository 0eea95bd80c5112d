"""`dirigent worker`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from dirigent.cli.options import DEFAULT, Common


def worker_command(
    *workflows: Path,
    flows: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--flows", "-f"),
            negative=(),
            show_default=False,
            help="Flows in code as package.module:name; as often as needed.",
        ),
    ] = (),
    topic: Annotated[
        tuple[str, ...],
        Parameter(negative=(), show_default=False, help="Only these topics; else those of all flows."),
    ] = (),
    concurrency: Annotated[int, Parameter(help="How many jobs at once.")] = 1,
    once: Annotated[bool, Parameter(negative=(), help="One job, if there is one, and no more.")] = False,
    apart: Annotated[
        bool,
        Parameter(negative=(), help="Only --flows, beside whoever holds the data folder; as many as wanted."),
    ] = False,
    grace: Annotated[float, Parameter(help="Seconds that a stop waits for jobs under way.")] = 30.0,
    visibility: Annotated[
        float, Parameter(help="Seconds after which a job of a worker that fell silent is handed out again.")
    ] = 30.0,
    allow_delivery: Annotated[
        bool, Parameter(negative=(), help="Let approved messages leave; else they are held.")
    ] = False,
    common: Common = DEFAULT,
) -> int:
    """Work on jobs.

    Parameters
    ----------
    workflows
        Workflow files whose jobs it takes, beside goals, deliveries and those of DIRIGENT_WORKFLOWS.
    """
    from dirigent.cli.flow_loading import load_flows
    from dirigent.cli.work import Assignment, work
    from dirigent.domain.errors import InvalidInput
    from dirigent.intake.workflows import Workflow

    if apart and workflows:
        raise InvalidInput(
            "Workflows need the engine, which one process has.", fix="Leave out --apart, or the files."
        )
    settings = common.settings(allow_delivery=True if allow_delivery else None)
    named = {Workflow.load(file).definition.name: file for file in workflows}
    assignment = Assignment(
        flows=named,
        code=load_flows(flows),
        topics=topic,
        concurrency=concurrency,
        grace_s=grace,
        visibility_s=visibility,
        once=once,
        apart=apart,
    )
    return work(settings, common.screen(), assignment)
