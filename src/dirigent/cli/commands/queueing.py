"""`dirigent queue`: hand jobs in, look at them, take them back from the dead, forget them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from dirigent.cli.options import DEFAULT, Common, key_values

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dirigent.bootstrap.workshop import Workshop
    from dirigent.settings import Settings

JOB, RUN = "job_0123456789abcdef01234567", "run_0123456789abcdef01234567"
DAY_SECONDS = 24 * 3600


def _examples(*lines: str) -> str:
    word = "Example" if len(lines) == 1 else "Examples"
    return "\n".join([f"{word}:", *(f"  dirigent {line}" for line in lines)])


app = App(
    name="queue",
    help_epilogue=_examples("queue", "queue dead", f"queue replay {JOB}", "queue purge --days 7"),
    help_format="plaintext",
)


@app.default
def counts_command(*, common: Common = DEFAULT) -> None:
    """How many jobs are in which state, by topic."""
    from dirigent.cli.queue_report import show_counts

    screen = common.screen()
    with _shop(common.settings()) as shop:
        show_counts(screen, shop.counts())


@app.command(
    name="list", help_epilogue=_examples("queue list", "queue list --state held"), help_format="plaintext"
)
def list_command(
    *,
    state: Annotated[
        Literal["ready", "delayed", "held", "dead", "done"] | None, Parameter(help="Only of this state.")
    ] = None,
    topic: Annotated[str, Parameter(show_default=False, help="Only of this topic, such as runs.goal.")] = "",
    limit: Annotated[int, Parameter(help="How many at most.")] = 50,
    common: Common = DEFAULT,
) -> None:
    """The jobs, in the order in which they came."""
    from dirigent.cli.queue_report import show_jobs

    with _shop(common.settings()) as shop:
        jobs = shop.queue.jobs(state or "", topic=topic, limit=limit) if shop.exists else []
    show_jobs(common.screen(), jobs)


@app.command(
    name="dead", help_epilogue=_examples("queue dead", "queue dead -o json"), help_format="plaintext"
)
def dead_command(
    *,
    topic: Annotated[str, Parameter(show_default=False, help="Only of this topic.")] = "",
    limit: Annotated[int, Parameter(help="How many at most.")] = 50,
    common: Common = DEFAULT,
) -> None:
    """The jobs that nothing more is tried with, and why."""
    from dirigent.cli.queue_report import show_dead

    with _shop(common.settings()) as shop:
        jobs = shop.queue.jobs("dead", topic=topic, limit=limit) if shop.exists else []
    show_dead(common.screen(), jobs)


@app.command(name="show", help_epilogue=_examples(f"queue show {JOB}"), help_format="plaintext")
def show_command(job_id: str, /, *, common: Common = DEFAULT) -> None:
    """One job: what it says, how often it was tried, and what each attempt did.

    Parameters
    ----------
    job_id
        As `dirigent queue list` gives it.
    """
    from dirigent.cli.queue_report import show_job

    with _shop(common.settings(), needed=True) as shop:
        job = shop.queue.job(job_id)
        attempts = shop.audit.attempts(str(job.message.get("run_id", "")))
    show_job(common.screen(), job, attempts)


@app.command(
    name="add",
    help_epilogue=_examples(
        "queue add goal -i @examples/goals/revive_pipeline.json",
        "queue add examples/workflows/hello.yaml -i name=Ada --priority 8",
    ),
    help_format="plaintext",
)
def add_command(
    flow: str,
    /,
    *,
    input: Annotated[
        tuple[str, ...],
        key_values("The payload"),
    ] = (),
    org: Annotated[
        str | None, Parameter(help="For which tenant; else the payload's or the default one.")
    ] = None,
    priority: Annotated[int, Parameter(help="0 to 9; 9 goes first.")] = 5,
    delay: Annotated[float, Parameter(help="Seconds before which nobody takes it.")] = 0.0,
    id: Annotated[str | None, Parameter(help="A name; the same trigger again is then no second run.")] = None,
    allow_delivery: Annotated[
        bool, Parameter(negative=(), help="Let what this run approves leave; else it is held.")
    ] = False,
    flows: Annotated[
        tuple[str, ...],
        Parameter(name=("--flows", "-f"), negative=(), show_default=False, help="As for `dirigent worker`."),
    ] = (),
    common: Common = DEFAULT,
) -> None:
    """Hand in a job.

    Parameters
    ----------
    flow
        goal, delivery, a workflow of DIRIGENT_WORKFLOWS, one of --flows, or a workflow's file.
    """
    from dirigent.bootstrap.workshop import Elsewhere, flows_elsewhere, workshop_beside
    from dirigent.cli.flow_loading import load_flows
    from dirigent.cli.workflow_input import read_input
    from dirigent.intake.workflows import Workflow

    screen = common.screen()
    known = load_flows(flows)
    settings = common.settings(allow_delivery=True if allow_delivery else None)
    if Path(flow).suffix in (".yaml", ".yml", ".json"):
        flow = Workflow.load(flow).definition.name
        known[flow] = Elsewhere(flow)
    event = {"flow": flow, "source": "cli", "payload": read_input(input), "priority": priority}
    event |= {"id": id, "delay": delay, "tenant_id": org or _tenant_of(event["payload"], settings)}
    with workshop_beside(settings, {**flows_elsewhere(settings), **known}) as shop:
        shop.check_flow(flow)
        run = shop.manager.ingest_event(event)
    if screen.json:
        screen.document({"run_id": run.run_id, "job_id": run.job_id, "status": run.status})
    else:
        screen.say(f"{run.job_id} is {run.status}; its run will be {run.run_id}.")
        screen.say("`dirigent worker` works on it.")


@app.command(
    name="replay",
    help_epilogue=_examples(f"queue replay {JOB}", "queue replay --all"),
    help_format="plaintext",
)
def replay_command(
    *job_ids: str,
    all: Annotated[bool, Parameter(negative=(), help="Every dead job.")] = False,
    topic: Annotated[str, Parameter(show_default=False, help="With --all: only of this topic.")] = "",
    common: Common = DEFAULT,
) -> None:
    """Take dead jobs back to the end of their line, with all their attempts.

    Parameters
    ----------
    job_ids
        As `dirigent queue dead` gives them.
    """
    from dirigent.domain.errors import InvalidInput

    if bool(job_ids) is all:
        raise InvalidInput("Which jobs?", fix="Name them, or say --all.", field="job_ids")
    screen = common.screen()
    with _shop(common.settings(), needed=True) as shop:
        named = list(job_ids) or [job.job_id for job in shop.queue.jobs("dead", topic=topic, limit=100_000)]
        replayed = [shop.queue.replay(job_id) for job_id in named]
    if screen.json:
        screen.document(
            [{"job_id": job.job_id, "state": job.state, "replays": job.replays} for job in replayed]
        )
    else:
        screen.say(f"{len(replayed)} back in the queue. `dirigent worker` works on them.")


@app.command(
    name="purge",
    help_epilogue=_examples("queue purge", "queue purge --days 7", "queue purge --dead --days 30"),
    help_format="plaintext",
)
def purge_command(
    *,
    dead: Annotated[bool, Parameter(negative=(), help="Dead jobs, in place of done ones.")] = False,
    days: Annotated[float, Parameter(help="Only what ended at least so many days ago.")] = 0.0,
    runs: Annotated[bool, Parameter(negative=(), help="Also what the runs of that time did.")] = False,
    common: Common = DEFAULT,
) -> None:
    """Forget jobs that have ended."""
    from dirigent.cli.queue_report import counted

    screen = common.screen()
    age = days * DAY_SECONDS
    with _shop(common.settings()) as shop:
        purged = shop.queue.purge("dead" if dead else "done", older_than=age) if shop.exists else 0
        forgotten = shop.audit.purge(age) if runs and shop.exists else 0
    if screen.json:
        screen.document({"jobs": purged, "attempts": forgotten})
    else:
        attempts = f", {counted(forgotten, 'attempt')} at runs" if runs else ""
        screen.say(f"Forgotten: {counted(purged, 'job')}{attempts}.")


@app.command(name="runs", help_epilogue=_examples("queue runs", f"queue runs {RUN}"), help_format="plaintext")
def runs_command(
    run_id: str | None = None,
    /,
    *,
    org: Annotated[str, Parameter(show_default=False, help="Only this tenant's.")] = "",
    flow: Annotated[str, Parameter(show_default=False, help="Only of this flow.")] = "",
    limit: Annotated[int, Parameter(help="How many at most.")] = 20,
    common: Common = DEFAULT,
) -> None:
    """What runs did, latest first; one run with its stages, its nodes and its envelope.

    Parameters
    ----------
    run_id
        As `dirigent queue runs` gives it.
    """
    from dirigent.cli.queue_report import show_run, show_runs
    from dirigent.domain.errors import NotFound

    screen = common.screen()
    with _shop(common.settings()) as shop:
        if run_id is None:
            show_runs(screen, shop.audit.runs(tenant=org, flow=flow, limit=limit) if shop.exists else [])
            return
        attempts = shop.audit.attempts(run_id) if shop.exists else []
    if not attempts:
        raise NotFound(f"There is no run {run_id!r} on record.", code="run_not_found")
    show_run(screen, attempts)


def _shop(settings: Settings, *, needed: bool = False) -> AbstractContextManager[Workshop]:
    from dirigent.bootstrap.workshop import need_queue, workshop_beside

    if needed:
        need_queue(settings.data_folder)
    return workshop_beside(settings, {})


def _tenant_of(payload: object, settings: Settings) -> str:
    named = payload.get("org_id") if isinstance(payload, dict) else None
    return named if isinstance(named, str) and named else settings.tenant
