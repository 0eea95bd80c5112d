"""What a lane's journal, client and recorder say together, by the invariants that every campaign has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from campaigns.crash.evidence import Life, Witnessed, client_log, recorder_log
from campaigns.crash.lane import Lane
from dirigent.bootstrap.keys import folder_key
from dirigent.domain.event import StepCompleted, StepFailed, StepOutcomeUnknown, StepSkipped, StepStarted
from dirigent.ports import Recorded
from dirigent.security.folder_key import FolderKey
from dirigent.settings import read_settings
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.projections import SqliteProjections
from dirigent.testing.invariants import ACKNOWLEDGED, Answered, Projected, Quiet, Report, check

EVENTS_MAX = 10_000_000
OUTCOMES = (StepCompleted, StepFailed, StepOutcomeUnknown, StepSkipped)


class Judgement(msgspec.Struct, kw_only=True):
    """What was found in one lane, and the figures that tell whether it proves anything.

    `absorbed` counts calls that the recorder knew by their key; `caused` those of them that came from another
    life of the engine than the call before, under the life that had made that one; `kills_in_flight` the
    kills at which an effect was announced and had no outcome yet; `announced` the steps with an effect among
    all `steps` that ran.
    """

    report: Report
    failures: list[str] = []
    acknowledged: int = 0
    executions: int = 0
    effects: int = 0
    absorbed: int = 0
    caused: dict[str, int] = {}
    kills: int = 0
    kills_in_flight: int = 0
    announced: int = 0
    steps: int = 0

    @property
    def absorbed_over_kills(self) -> int:
        """The repeats that a kill had caused."""
        return sum(self.caused.values())


async def judge(lane: Lane, failure: str = "") -> Judgement:
    """Lay everything side by side after the lane has come to its end.

    Where a `failure` broke it off, nobody can say what would have become of what was under way.
    """
    calls = recorder_log(lane.folder)
    client = sorted([*client_log(lane.folder), *lane.sessions], key=lambda entry: entry.order)
    key = folder_key(read_settings(data_folder=lane.data))
    journal = SqliteJournal.open(lane.data, key=key)
    try:
        events = journal.tail(0, EVENTS_MAX)
        report = check(
            events,
            client,
            calls,
            verification=journal.verify(),
            projected=_projected(lane.data, key),
            quiet=None if failure else Quiet(at=lane.quiet_ms, faults_ended_at=lane.left_alone_ms),
            unhandled=_unhandled(lane.folder),
        )
    finally:
        await journal.close()
    answers = [entry for entry in client if isinstance(entry, Answered) and entry.result == ACKNOWLEDGED]
    ran = [recorded.event for recorded in events if isinstance(recorded.event, StepStarted)]
    return Judgement(
        report=report,
        failures=[failure] if failure else [],
        acknowledged=len(answers),
        executions=len({answer.execution for answer in answers if answer.request == "start"}),
        effects=sum(call.applied for call in calls),
        absorbed=sum(call.absorbed for call in calls),
        caused=_caused(calls),
        kills=len(lane.kills),
        kills_in_flight=_kills_in_flight(lane.kills, events),
        announced=sum(bool(event.key) for event in ran),
        steps=len(ran),
    )


def _projected(folder: Path, key: FolderKey | None) -> Projected:
    with closing(SqliteProjections(folder, key)) as projections:
        return Projected(
            executions=projections.executions(limit=EVENTS_MAX), approvals=projections.approvals(state=None)
        )


def _unhandled(folder: Path) -> list[str]:
    """What the engine's processes wrote where nobody listens."""
    lines = (folder / "engine_process.err").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "never retrieved" in line or "Exception in callback" in line]


def _caused(calls: Sequence[Witnessed]) -> Counter[str]:
    last: dict[str, str] = {}
    found: Counter[str] = Counter()
    for call in calls:
        if call.absorbed and last[call.key] != call.session:
            found[last[call.key]] += 1
        last[call.key] = call.session
    return found


def _kills_in_flight(kills: Sequence[Life], events: Sequence[Recorded]) -> int:
    """How many kills hit an effect between its durable intent and its outcome."""
    begun: dict[tuple[str, str], int] = {}
    spans: list[tuple[int, int]] = []
    for recorded in events:
        event = recorded.event
        if isinstance(event, StepStarted) and event.key:
            begun.setdefault((recorded.stream, event.step), event.at)
        elif isinstance(event, OUTCOMES):
            since = begun.pop((recorded.stream, event.step), None)
            if since is not None:
                spans.append((since, event.at))
    return sum(any(since <= kill.killed_ms < until for since, until in spans) for kill in kills)
