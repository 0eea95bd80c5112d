"""Times at which a workflow starts by itself: what is written, checked before any of them comes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cronsim import CronSim, CronSimError

from dirigent.interpreter.durations import read_duration
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.written import WrittenSchedule

CRON = '"0 9 * * 1-5"'
_CRON_EXPECTED = "five cron fields: minute, hour, day of month, month, day of week"
_FIELDS = 5
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)  # any will do: only whether a time ever comes is asked
_NICKNAMES = {
    "@yearly": '"0 0 1 1 *"',
    "@annually": '"0 0 1 1 *"',
    "@monthly": '"0 0 1 * *"',
    "@weekly": '"0 0 * * 0"',
    "@daily": '"0 0 * * *"',
    "@midnight": '"0 0 * * *"',
    "@hourly": '"0 * * * *"',
}
_FORMS = ("schedule", "every", "at")
_EVERY_MS_MIN = 1000
CATCH_UP_MAX = 1000
_MOMENT = "2026-12-24T18:00:00"


def check_times(written: WrittenSchedule, data: Any, path: Path, findings: Findings) -> None:
    """Note what is wrong with the times of a schedule: one form of the three, and that one readable."""
    given = [form for form in _FORMS if isinstance(data, Mapping) and data.get(form) is not None]
    if not given:
        fix = f"add schedule: {CRON}"
        findings.add("WF007", path, "schedule is missing", expected="schedule, every or at", fix=fix)
    for form in given[1:]:
        message = f"{form} stands beside {given[0]}"
        fix = f"remove {form}, or make two triggers of it"
        findings.add("WF015", (*path, form), message, expected="one of the three", fix=fix, at_key=True)
    if written.schedule:
        _check_cron(written.schedule, (*path, "schedule"), findings)
    if written.every:
        _check_every(written.every, (*path, "every"), findings)
    if written.at:
        _check_moment(written.at, (*path, "at"), findings)
    if written.jitter:
        read_duration(written.jitter, (*path, "jitter"), findings)
    if not isinstance(written.catch_up, bool) and not 1 <= written.catch_up <= CATCH_UP_MAX:
        message = f"catch_up is {written.catch_up}"
        expected = f"true, false or 1 to {CATCH_UP_MAX}"
        findings.add("WF009", (*path, "catch_up"), message, expected=expected, fix="write true or false")


def _check_every(text: str, path: Path, findings: Findings) -> None:
    span = read_duration(text, path, findings)
    if 0 < span < _EVERY_MS_MIN:
        message = f"{shown(text)} comes more than once a second"
        findings.add("WF009", path, message, expected="at least 1s", fix="use 15m or 1h")


def _check_moment(text: str, path: Path, findings: Findings) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        message = f"{shown(text)} is not a moment"
        expected = "date and time, with or without an offset"
        findings.add("WF030", path, message, expected=expected, fix=f'write it as in "{_MOMENT}"')


def _check_cron(text: str, path: Path, findings: Findings) -> None:
    fields = len(text.split())
    if fields != _FIELDS:
        said, fix = f"it has {fields} fields", f"write it as in {CRON}"
        if fields == _FIELDS + 1:
            fix = "leave out the seconds"
        if text.strip() in _NICKNAMES:
            said, fix = "nicknames are not read", f"write {_NICKNAMES[text.strip()]}"
    else:
        said, fix = _cron_fault(text), f"write it as in {CRON}"
    if said:
        message = f"{shown(text)} is not a schedule: {said}"
        findings.add("WF030", path, message, expected=_CRON_EXPECTED, fix=fix)


def _cron_fault(text: str) -> str:
    """What is wrong with five fields, or an empty text."""
    try:
        next(CronSim(text, _SOME_DAY))
    except CronSimError as error:
        return str(error)[:1].lower() + str(error)[1:]
    except StopIteration:
        return "such a time never comes"
    return ""
