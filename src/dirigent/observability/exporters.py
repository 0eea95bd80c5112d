"""Where worker events go: a log line, counts and a span each."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import structlog

START, SUCCESS = "worker.job.start", "worker.job.success"
SPANS_KEPT = 1000
JOBS_WATCHED_MAX = 10_000
ENDINGS = {SUCCESS: "ok", "worker.job.requeue": "error", "worker.job.dead": "error"}


class WorkSpan(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a job as a span: times in milliseconds since the epoch, `status` ok or error."""

    name: str
    job_id: str
    run_id: str
    started_at: int
    ended_at: int
    status: str
    attributes: dict[str, Any]


class WorkerExporter:
    """Takes worker events: writes each to the log, counts it, and makes a span of start and end.

    `on_span` is told of every finished span; the latest are kept in `spans`. Any thread may call.
    """

    def __init__(self, on_span: Callable[[WorkSpan], None] | None = None) -> None:
        self.spans: deque[WorkSpan] = deque(maxlen=SPANS_KEPT)
        self._on_span = on_span
        self._log = structlog.get_logger("dirigent.worker")
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._milliseconds: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._begun: dict[str, Mapping[str, Any]] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        facts = {name: value for name, value in event.items() if name != "event"}
        self._log.info(event["event"], **facts)
        with self._lock:
            span = self._counted(event)
        if span is not None and self._on_span is not None:
            self._on_span(span)

    def count(self, event: str, flow: str) -> int:
        """How often an event was told of a flow."""
        return self._counts[event, flow]

    def prometheus(self) -> str:
        """The counts in the text format that Prometheus reads."""
        with self._lock:
            jobs = {
                f'event="{event.rpartition(".")[2]}",flow="{_label(flow)}"': str(count)
                for (event, flow), count in sorted(self._counts.items())
            }
            flows = {f'flow="{_label(flow)}"': flow for flow in sorted(self._milliseconds)}
            seconds = {label: f"{self._milliseconds[flow] / 1000:g}" for label, flow in flows.items()}
            ended = {label: str(self._counts[SUCCESS, flow]) for label, flow in flows.items()}
            records = {label: str(self._records[flow]) for label, flow in flows.items()}
        return "".join(
            (
                "# TYPE dirigent_worker_jobs_total counter\n",
                _lines("dirigent_worker_jobs_total", jobs),
                "# TYPE dirigent_worker_job_seconds summary\n",
                _lines("dirigent_worker_job_seconds_sum", seconds),
                _lines("dirigent_worker_job_seconds_count", ended),
                "# TYPE dirigent_worker_records_total counter\n",
                _lines("dirigent_worker_records_total", records),
            )
        )

    def _counted(self, event: Mapping[str, Any]) -> WorkSpan | None:
        name, flow, job_id = event["event"], event["flow"], event["job_id"]
        self._counts[name, flow] += 1
        if name == START:
            if len(self._begun) >= JOBS_WATCHED_MAX:  # lost to other workers; nobody will tell their end
                self._begun.pop(next(iter(self._begun)))
            self._begun[job_id] = event
        if name == SUCCESS:
            self._milliseconds[flow] += event["duration_ms"]
            self._records[flow] += event["records"]
        begun = self._begun.pop(job_id, None) if name in ENDINGS else None
        if begun is None:
            return None
        span = _span(begun, event)
        self.spans.append(span)
        return span


def _span(begun: Mapping[str, Any], ended: Mapping[str, Any]) -> WorkSpan:
    started_at = _ms(begun["at"])
    took = ended.get("duration_ms")
    return WorkSpan(
        name="worker.job",
        job_id=begun["job_id"],
        run_id=begun["run_id"],
        started_at=started_at,
        ended_at=_ms(ended["at"]) if took is None else started_at + took,
        status=ENDINGS[ended["event"]],
        attributes={
            name: value
            for name, value in {**begun, **ended}.items()
            if name not in ("at", "job_id", "run_id")
        },
    )


def _lines(name: str, values: Mapping[str, str]) -> str:
    return "".join(f"{name}{{{labels}}} {value}\n" for labels, value in values.items())


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
