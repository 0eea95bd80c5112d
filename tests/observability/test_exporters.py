"""Worker events as log lines, counts and spans."""

from __future__ import annotations

import json
from pathlib import Path

from structlog.testing import capture_logs

from dirigent.observability.exporters import JOBS_WATCHED_MAX, WorkerExporter, WorkSpan

EXAMPLE = Path(__file__).parent.parent / "fixtures" / "examples" / "004-04-worker-events.jsonl"
PRINTED = [json.loads(line) for line in EXAMPLE.read_text().splitlines()]


def test_every_printed_event_is_a_log_line() -> None:
    """With its name and every fact."""
    with capture_logs() as lines:
        exporter = WorkerExporter()
        for event in PRINTED:
            exporter(event)
    told = [{name: value for name, value in line.items() if name != "log_level"} for line in lines]
    assert told == PRINTED


def test_every_printed_event_is_counted() -> None:
    """By event and flow, with the time and the records of what was done, as Prometheus reads it."""
    exporter = WorkerExporter()
    for event in PRINTED:
        exporter(event)
    assert exporter.count("worker.job.dead", "lead") == 1
    assert exporter.prometheus().splitlines() == [
        "# TYPE dirigent_worker_jobs_total counter",
        'dirigent_worker_jobs_total{event="dead",flow="lead"} 1',
        'dirigent_worker_jobs_total{event="requeue",flow="lead"} 1',
        'dirigent_worker_jobs_total{event="start",flow="lead"} 1',
        'dirigent_worker_jobs_total{event="success",flow="lead"} 1',
        "# TYPE dirigent_worker_job_seconds summary",
        'dirigent_worker_job_seconds_sum{flow="lead"} 0.041',
        'dirigent_worker_job_seconds_count{flow="lead"} 1',
        "# TYPE dirigent_worker_records_total counter",
        'dirigent_worker_records_total{flow="lead"} 50',
    ]


def test_start_and_end_make_a_span() -> None:
    """A success lasts as long as it says, a failure until its end; the facts are attributes."""
    spans: list[WorkSpan] = []
    exporter = WorkerExporter(spans.append)
    failing = {**PRINTED[0], "job_id": "job_02", "run_id": "run_02"}
    for event in (PRINTED[0], PRINTED[1], failing, PRINTED[2], failing, PRINTED[3]):
        exporter(event)
    assert spans == list(exporter.spans)
    assert [(span.job_id, span.status, span.ended_at - span.started_at) for span in spans] == [
        ("job_01", "ok", 41),
        ("job_02", "error", 2000),
        ("job_02", "error", 9000),
    ]
    assert spans[0].attributes == {
        "event": "worker.job.success",
        "flow": "lead",
        "attempt": 1,
        "duration_ms": 41,
        "records": 50,
    }


def test_an_end_without_a_start_is_only_counted() -> None:
    """It began in another process."""
    exporter = WorkerExporter()
    exporter(PRINTED[1])
    assert (exporter.count("worker.job.success", "lead"), len(exporter.spans)) == (1, 0)


def test_what_never_ends_is_not_watched_for_ever() -> None:
    """Jobs that other workers took over leave nothing behind."""
    exporter = WorkerExporter()
    with capture_logs():
        for number in range(JOBS_WATCHED_MAX + 10):
            exporter({**PRINTED[0], "job_id": f"job_{number}"})
    assert len(exporter._begun) == JOBS_WATCHED_MAX


def test_names_of_flows_cannot_break_the_text() -> None:
    """A quotation mark or a new line in a label is escaped."""
    exporter = WorkerExporter()
    exporter({**PRINTED[0], "flow": 'a"b\n\\'})
    assert 'flow="a\\"b\\n\\\\"' in exporter.prometheus()
