"""The tables of a goal's report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from dirigent.cli.screen import shortened, table
from dirigent.intake.goals.report import GoalReport
from dirigent.ports import Records

SUBJECT_LENGTH_MAX = 48
PASSED = "pass"


def chosen_table(records: Records, tenant: str, leads: Sequence[dict[str, Any]]) -> Table:
    """Who was chosen, by rank, with the numbers that speak for it."""
    names = customer_names(records, tenant, [lead["customer_id"] for lead in leads])
    rows = [
        (
            lead["rank"],
            names.get(lead["customer_id"]) or lead["customer_id"],
            f"{lead['days_silent']} days",
            f"{lead['rhythm_days']:.0f} days",
            f"{lead['spend_year']:,.0f}",
            f"{lead['probability']:.0%}",
            reason_of(lead),
        )
        for lead in leads
    ]
    columns = ("#", "customer", "silent", "rhythm", "spend", "chance", "reason")
    return table(columns, rows, right=("#", "silent", "rhythm", "spend", "chance"))


def reason_of(lead: dict[str, Any]) -> str:
    """Why a customer is on the list, in a few words."""
    ratio = lead["days_silent"] / lead["rhythm_days"]
    return f"{ratio:.1f}× rhythm, {lead['orders']} order days, {lead['strategy']}"


def customer_names(records: Records, tenant: str, customer_ids: Sequence[str]) -> dict[str, str]:
    """Names of customers by id, where they are on record."""
    rows = records.fetch(
        tenant, "customers", where={"customer_id": list(customer_ids)}, columns=("customer_id", "name")
    )
    return {row["customer_id"]: f"{row['name']} ({row['customer_id']})" for row in rows if row["name"]}


def drafts_table(drafts: Sequence[dict[str, Any]]) -> Table:
    """What was written, what the checks said, and what became of it."""
    rows = [
        (
            shortened(draft["subject"], SUBJECT_LENGTH_MAX),
            verdict_of(draft),
            (draft["review"] or {}).get("quality_score"),
            draft["state"],
            draft["approval"] or None,
        )
        for draft in drafts
    ]
    return table(
        ("subject", "verdict", "quality", "state", "approval"),
        rows,
        right=("quality",),
        whole=("state", "approval"),
    )


def verdict_of(draft: dict[str, Any]) -> str:
    """What the checks said of a draft: passed, or the rules that spoke."""
    check, review = draft["check"], draft["review"]
    if check is None:
        return "unchecked"
    names = [_name(violation) for violation in check.get("violations", []) if not check.get("allow")]
    if review is not None and not review.get("passed"):
        names += [f"quality.{defect['kind']}" for defect in review.get("defects", [])]
    return ", ".join(dict.fromkeys(names)) or PASSED


def held_back_table(held_back: Sequence[dict[str, Any]], drafts: Sequence[dict[str, Any]]) -> Table:
    """How many messages each reason held back, and what would help."""
    reasons = [reason.partition(":") for item in held_back for reason in item["reasons"]]
    counted = Counter(name for name, _, _ in reasons)
    words = {name: text.strip() for name, _, text in reasons if text}
    cures = _cures(drafts)
    rows = [(name, number, cures.get(name) or words.get(name)) for name, number in counted.most_common()]
    return table(("reason", "messages", "what would help"), rows, right=("messages",))


def _cures(drafts: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What the checks say would cure a violation, where they name one cure for each."""
    cures: dict[str, str] = {}
    for draft in drafts:
        check = draft["check"] or {}
        violations, fixes = check.get("violations", []), check.get("fixes", [])
        if len(violations) == len(fixes):
            cures |= dict(zip(map(_name, violations), fixes, strict=True))
    return cures


def targets_table(assessment: dict[str, Any]) -> Table:
    """Each target with what is known of it so far."""
    rows = [
        (
            name,
            _target(metric["target"]),
            "–" if metric["observed"] is None else f"{metric['observed']:g}",
            _share(assessment["attainment"].get(name)),
            metric["state"],
            metric["why"],
        )
        for name, metric in assessment["metrics"].items()
    ]
    columns = ("metric", "target", "observed", "attained", "state", "why")
    return table(columns, rows, right=("target", "observed", "attained"))


def grades_table(report: GoalReport) -> Table:
    """How each task went, with its grade and the reason."""
    grades = report.assessment["grades"]
    reasons = report.assessment["grade_reasons"]
    rows = [
        (
            task["task_id"],
            f"{task['agent']}.{task['action']}",
            task["status"],
            f"{grades[task['task_id']]:.2f}" if task["task_id"] in grades else "–",
            reasons.get(task["task_id"], ""),
        )
        for task in report.as_dict()["tasks"]
    ]
    return table(("task", "who", "status", "grade", "why"), rows, right=("grade",))


def _name(violation: Any) -> str:
    if not isinstance(violation, dict):
        return str(violation).partition(":")[0]
    return str(next((violation[key] for key in ("rule_id", "rule", "kind", "code") if key in violation), "?"))


def _target(target: Any) -> str:
    if isinstance(target, dict):
        return f"{target['relative_change']:+.0%}"
    return f"{target:g}"


def _share(attained: float | None) -> str:
    return "–" if attained is None else f"{attained:.0%}"
