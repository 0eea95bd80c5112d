"""Jobs and runs as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dirigent.cli.execution_report import WIDE, moment
from dirigent.cli.screen import Screen, facts, shortened, span, table
from dirigent.domain.canonical import plain
from dirigent.domain.job import QueuedJob, TopicCounts
from dirigent.domain.run import RunRecord
from dirigent.interpreter.reading import read_execution

STATES = ("ready", "delayed", "held", "dead", "done")
ERROR_LENGTH_MAX = 80


def show_counts(screen: Screen, counts: Sequence[TopicCounts]) -> None:
    """How many jobs are in which state, by topic."""
    if screen.json:
        screen.document(counts)
        return
    if not counts:
        screen.say("The queue is empty. Hand something in: dirigent queue add goal -i @goal.json")
        return
    rows = [
        (count.topic, *(getattr(count, state) for state in STATES), moment(count.oldest_at or None))
        for count in counts
    ]
    screen.show(table(("topic", *STATES, "oldest ready"), rows, right=STATES))
    if any(count.dead for count in counts):
        screen.say("Dead jobs wait for you: dirigent queue dead")


def show_jobs(screen: Screen, jobs: Sequence[QueuedJob]) -> None:
    """One line a job."""
    if screen.json:
        screen.document(jobs)
    elif not jobs:
        screen.say("There are no such jobs.")
    else:
        rows = [
            (job.job_id, job.topic, job.state, job.priority, _attempts(job), moment(job.enqueued_at))
            for job in jobs
        ]
        columns = ("job", "topic", "state", "priority", "attempts", "since")
        screen.show(table(columns, rows, right=("priority",), whole=("job",)))


def show_dead(screen: Screen, jobs: Sequence[QueuedJob]) -> None:
    """One line a job, with its last error."""
    if screen.json:
        screen.document(jobs)
        return
    if not jobs:
        screen.say("No job is dead.")
        return
    if screen.console.width < WIDE:
        narrow = [(job.job_id, f"{job.topic}, {_attempts(job)}: {_last_error(job)}") for job in jobs]
        screen.show(table(("job", "topic, attempts and last error"), narrow, whole=("job",)))
    else:
        rows = [
            (job.job_id, job.topic, _attempts(job), moment(job.ended_at), _last_error(job)) for job in jobs
        ]
        screen.show(table(("job", "topic", "attempts", "died", "last error"), rows, whole=("job",)))
    screen.say(f"Look:   dirigent queue show {jobs[0].job_id}")
    screen.say(f"Replay: dirigent queue replay {jobs[0].job_id}   or   dirigent queue replay --all")


def show_job(screen: Screen, job: QueuedJob, attempts: Sequence[RunRecord]) -> None:
    """One job, its failures, and what its runs did."""
    if screen.json:
        screen.document(plain(job) | {"runs": [_as_dict(record) for record in attempts]})
        return
    screen.heading(job.job_id)
    told = {
        "topic": job.topic,
        "state": job.state,
        "run": job.message.get("run_id"),
        "priority": job.priority,
        "attempts": _attempts(job),
        "since": moment(job.enqueued_at),
        "replayed": job.replays or None,
        "payload": shortened(_json(job.message.get("payload")), 500),
    }
    screen.show(facts({name: value for name, value in told.items() if value is not None}))
    if job.failures:
        screen.heading("Failures")
        rows = [(failure.attempt, moment(failure.at), failure.error) for failure in job.failures]
        screen.show(table(("attempt", "at", "error"), rows))
    if attempts:
        screen.heading("Attempts on record")
        _show_attempts(screen, attempts)
        screen.say(f"Each with its nodes: dirigent queue runs {attempts[0].run_id}")


def show_runs(screen: Screen, runs: Sequence[RunRecord]) -> None:
    """One line a run."""
    if screen.json:
        screen.document([_as_dict(record) for record in runs])
    elif not runs:
        screen.say("No run is on record.")
    else:
        rows = [
            (run.run_id, run.flow, run.status, run.attempt, moment(run.started_at), _took(run), _result(run))
            for run in runs
        ]
        columns = ("run", "flow", "status", "attempt", "began", "took", "result")
        screen.show(table(columns, rows, whole=("run",)))


def show_run(screen: Screen, attempts: Sequence[RunRecord]) -> None:
    """One run: its attempts, the stages and nodes of the latest, and its envelope."""
    if screen.json:
        screen.document([_as_dict(record) for record in attempts])
        return
    latest = attempts[-1]
    screen.heading(f"{latest.run_id}  ({latest.flow})")
    _show_attempts(screen, attempts)
    screen.heading("Stages")
    rows = [
        (stage.n, stage.name, moment(stage.at), stage.call, _told(stage.facts)) for stage in latest.stages
    ]
    screen.show(table(("#", "stage", "at", "call", "facts"), rows, right=("#",)))
    nodes = list(_nodes(latest))
    if nodes:
        screen.heading("Nodes")
        screen.show(table(("node", "agent", "status", "took", "error"), nodes))
    elif not latest.events:
        screen.say(f"Its steps are in the journal: dirigent show {latest.run_id}")
    if latest.envelope is not None:
        records = latest.envelope.get("records", [])
        status = latest.envelope.get("metadata", {}).get("status", "")
        screen.heading(f"Envelope: {status}, {counted(len(records), 'record')} (-o json prints it)")


def _show_attempts(screen: Screen, attempts: Sequence[RunRecord]) -> None:
    rows = [
        (record.attempt, record.status, moment(record.started_at), _took(record), _result(record))
        for record in attempts
    ]
    screen.show(table(("attempt", "status", "began", "took", "result"), rows, right=("attempt",)))


def _nodes(record: RunRecord) -> Iterator[tuple[Any, ...]]:
    """One line a node, also of flows that ran inside the run."""
    for execution_id, events in record.events.items():
        inside = "" if execution_id == record.run_id else f"{execution_id.rpartition('/')[2]}/"
        for step in read_execution(events).steps.values():
            if step.child:
                continue
            error = shortened(step.error.message, ERROR_LENGTH_MAX) if step.error else ""
            yield f"{inside}{step.id}", step.agent, step.status, span(step.duration_ms / 1000), error


def _as_dict(record: RunRecord) -> dict[str, Any]:
    told: dict[str, Any] = plain(record)
    told["stages"] = [
        {"n": stage.n, "name": stage.name, "call": stage.call, **plain(stage)} for stage in record.stages
    ]
    return told


def counted(number: int, noun: str) -> str:
    """`1 record`, `2 records`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _attempts(job: QueuedJob) -> str:
    return f"{job.attempts} of {job.max_attempts}"


def _last_error(job: QueuedJob) -> str:
    return shortened(job.failures[-1].error, ERROR_LENGTH_MAX) if job.failures else ""


def _took(record: RunRecord) -> str:
    return span((record.ended_at - record.started_at) / 1000)


def _result(record: RunRecord) -> str:
    if record.envelope is None:
        return shortened(record.error, ERROR_LENGTH_MAX)
    return counted(len(record.envelope.get("records", [])), "record")


def _told(stage_facts: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in stage_facts.items() if value not in ("", None))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
