"""A goal's run told at its end: what came of it, why, what it cost, and where to look next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from dirigent.api.messages import find_message
from dirigent.bootstrap.beside import Books
from dirigent.cli.goal_tables import (
    chosen_table,
    drafts_table,
    grades_table,
    held_back_table,
    targets_table,
)
from dirigent.cli.screen import Screen, amount, facts, letter_text, quoted, span
from dirigent.intake.goals.report import GoalReport
from dirigent.ports import ApprovalRow

ROWS_SHOWN = 10


def show_goal(screen: Screen, books: Books, report: GoalReport, *, everything: bool = False) -> None:
    """Print the whole report."""
    shown = None if everything else ROWS_SHOWN
    show_standing(screen, books, report)
    _show_chosen(screen, books, report, shown)
    _show_drafts(screen, books, report, shown)
    _show_grading(screen, report)
    show_next(screen, books, report)


def show_standing(screen: Screen, books: Books, report: GoalReport) -> None:
    """Print how a goal stands in a few lines."""
    data = report.as_dict()
    goal = data["goal"]
    progress = data["progress"]
    screen.heading(goal.get("description") or goal.get("goal_type", ""))
    screen.show(
        facts(
            [
                ("execution", data["execution_id"]),
                ("status", data["status"]),
                ("why", why(books, report)),
                ("tenant", goal.get("tenant")),
                ("stages", _stages(report)),
                ("autonomy", _autonomy(data["autonomy"])),
                (
                    "tasks",
                    f"{progress['succeeded']} of {progress['total']} done, {progress['failed']} failed",
                ),
                ("cost", _cost(data["budget"])),
                ("time", _time(report)),
            ]
        )
    )


def why(books: Books, report: GoalReport) -> str:
    """Why a goal stands as it does, in one line."""
    error = report.goal.error
    if error is not None:
        return f"{error.message} ({error.code})"
    if _interrupted(books, report):
        return "It was interrupted; `dirigent resume` goes on with it."
    if report.approvals_open:
        return _waits_for(books.engine.approvals(execution=report.goal.execution_id))
    if report.status == "completed":
        return f"Everything is done and decided: {_states(report) or 'no message was written'}."
    if report.status == "partially_completed":
        return "Some of the work failed or was left out; see the grades."
    return "It is under way."


def _interrupted(books: Books, report: GoalReport) -> bool:
    """Whether there is work that no process is at."""
    if books.held or report.goal.ended_at:
        return False
    return not report.approvals_open or any(draft["state"] == "released" for draft in report.drafts)


def show_next(screen: Screen, books: Books, report: GoalReport) -> None:
    """Print where to look, with the exact commands."""
    screen.heading("Where to look next")
    screen.commands(_next_commands(books, report))


def _waits_for(rows: list[ApprovalRow]) -> str:
    counted = Counter((row.kind, row.reason) for row in rows)
    parts = [
        f"{number} {'held' if kind == 'hold' else 'waiting for a person'}: {reason}"
        for (kind, reason), number in counted.most_common(3)
    ]
    return "; ".join(parts)


def _show_chosen(screen: Screen, books: Books, report: GoalReport, shown: int | None) -> None:
    selection = report.selection
    leads = selection.get("leads", [])
    if not leads:
        if selection.get("detail"):
            screen.heading("Chosen")
            screen.say(selection["detail"])
        return
    tenant = report.goal.started.passport.tenant
    screen.heading(
        f"Chosen: {len(leads)} of {selection['dormant']:,} dormant customers"
        f" ({selection['considered']:,} considered)"
    )
    screen.show(chosen_table(books.records, tenant, leads[:shown]))
    _say_rest(screen, report, len(leads), shown)
    screen.say(f"Why the first: {' '.join(leads[0]['why'])}")
    skipped = [
        f"{found['count']:,} {found['reason'].replace('_', ' ')}" for found in selection.get("skipped", [])
    ]
    if skipped:
        screen.say(f"Left out: {', '.join(skipped)}.")
    _show_model(screen, selection)


def _show_model(screen: Screen, selection: dict[str, Any]) -> None:
    model = selection.get("model")
    if not model:
        return
    screen.heading(f"How good the ranking is ({model['kind'].replace('_', ' ')})")
    for sentence in model["sentences"]:
        screen.say(f"  {sentence}")


def _show_drafts(screen: Screen, books: Books, report: GoalReport, shown: int | None) -> None:
    drafts = report.drafts
    if not drafts:
        return
    screen.heading(f"Messages: {len(drafts)} written ({_states(report)})")
    screen.show(drafts_table(drafts[:shown]))
    _say_rest(screen, report, len(drafts), shown)
    _show_example(screen, books, report, drafts)
    held_back = report.assessment.get("held_back", [])
    if held_back:
        screen.heading(f"Held back by the checks: {len(held_back)} of {len(drafts)}")
        screen.show(held_back_table(held_back, drafts))


def _states(report: GoalReport) -> str:
    """How many messages are in which state."""
    states = Counter(draft["state"] for draft in report.drafts)
    return ", ".join(f"{number} {state}" for state, number in states.most_common())


def _show_example(screen: Screen, books: Books, report: GoalReport, drafts: list[dict[str, Any]]) -> None:
    passed = next((draft for draft in drafts if draft["state"] != "draft"), drafts[0])
    tenant = report.goal.started.passport.tenant
    message = find_message(books.records, tenant, passed["message_id"])
    if message is not None:
        screen.heading(f"One of them in full ({message['message_id']}, sha256 {message['sha256'][:12]})")
        screen.show(quoted(letter_text(message)))


def _show_grading(screen: Screen, report: GoalReport) -> None:
    assessment = report.assessment
    if assessment:
        screen.heading("Targets")
        screen.show(targets_table(assessment))
        measured = report.release.steps.get("measure") if report.release else None
        if measured is not None and isinstance(measured.output, dict):
            screen.say(f"Since the release: {measured.output.get('detail', '')}")
        screen.heading(f"Grades (quality {assessment['quality']:.2f}: {assessment['quality_reason']})")
        screen.show(grades_table(report))
    if report.signals:
        screen.heading("Learned")
        for signal in report.signals:
            screen.say(f"  {_signal(signal)}")


def _signal(signal: dict[str, Any]) -> str:
    return ": ".join(str(signal[name]) for name in ("key", "effect") if signal.get(name))


def _say_rest(screen: Screen, report: GoalReport, number: int, shown: int | None) -> None:
    if shown is not None and number > shown:
        screen.say(f"… {number - shown} more: dirigent show {report.goal.execution_id} --all")


def _stages(report: GoalReport) -> str:
    """How many stages are done, and every other one by name."""
    steps = report.goal.steps
    states = {name: step.status for name, step in steps.items()}
    for name, run in (("work", report.work), ("release", report.release)):
        if run is not None and name not in states:
            states[name] = "waiting" if run.status == "awaiting_approval" else run.status
    done = sum(state == "succeeded" for state in states.values())
    others = [f"{name} {state}" for name, state in states.items() if state != "succeeded"]
    return ", ".join([f"{done} done", *others])


def _autonomy(autonomy: dict[str, Any]) -> str:
    if autonomy["requested"] == autonomy["effective"]:
        return str(autonomy["effective"])
    return f"{autonomy['effective']} ({autonomy['requested']} was asked for; the tenant allows no more)"


def _cost(budget: dict[str, Any]) -> str:
    spent = f"{amount(budget['spent'])} {budget['currency']}"
    return spent if budget["max"] is None else f"{spent} of {amount(budget['max'])}"


def _time(report: GoalReport) -> str:
    runs = [run for run in (report.goal, report.work, report.release) if run is not None]
    ends = [
        moment for run in runs for step in run.steps.values() for moment in (step.ended_at, step.started_at)
    ]
    last = max([report.goal.started.at, report.goal.ended_at, *ends])
    return span((last - report.goal.started.at) / 1000)


def _next_commands(books: Books, report: GoalReport) -> Iterator[tuple[str, str]]:
    goal = report.goal.execution_id
    if _interrupted(books, report):
        yield f"dirigent resume {goal}", "go on with it"
    waiting = books.engine.approvals(execution=goal) if report.approvals_open else []
    if waiting:
        first = waiting[0].approval_id
        yield f"dirigent approvals --execution {goal}", f"what waits ({len(waiting)})"
        yield f"dirigent approvals show {first}", "the exact message of one"
        held = " --allow-delivery" if waiting[0].kind == "hold" else ""
        yield f"dirigent approve {first}{held}", "let this one go"
        yield f"dirigent approve --all {goal}{held}", "let all of them go"
    yield f"dirigent show {goal} --all", "everything that was chosen and written"
    yield f"dirigent logs {goal}", "every event of its journal"
    yield "dirigent serve", "the same over HTTP"
