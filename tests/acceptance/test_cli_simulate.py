"""`dirigent simulate FILE`: what breaks in a workflow of one's own, how often, and how to see it again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from dirigent import Effect, Risk, action, agent
from tests.acceptance.terminal import dirigent

ORDERS = """\
workflow:
  name: orders
  type: sequential
  steps:
    - id: price
      type: agent
      agent_type: pricing
      action: quote
      timeout: 10s
      retry_policy: {max_attempts: 3, initial: 1s}
    - id: agree
      type: approval
      approvers: [ann, bob, cleo]
      required: 2
      timeout: 1d
    - id: paid
      type: wait_for_event
      event: order.paid
      filter: event.data.amount > 10
      timeout: 2d
    - id: ship
      type: subworkflow
      workflow: shipping
    - id: lead
      type: agent
      agent_type: lead_scorer
      action: score_lead
      parameters: {lead: {lead_id: "${input.customer}"}}
"""
SHIPPING = """\
workflow:
  name: shipping
  type: sequential
  steps:
    - {id: book, type: agent, agent_type: shop, action: book, timeout: 30s, on_error: continue}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two workflows in the folder that the user is in."""
    monkeypatch.chdir(tmp_path)
    Path("orders.yaml").write_text(ORDERS)
    Path("shipping.yaml").write_text(SHIPPING)
    return tmp_path


FILES = (
    "simulate",
    "orders.yaml",
    "shipping.yaml",
    "-i",
    "customer=c1",
    "--signal",
    'order.paid={"amount": 20}',
)


def test_where_nothing_fails_nothing_breaks(files: Path) -> None:
    """People decide, signals come, children end."""
    said = dirigent(*FILES, "--runs", "20")
    assert (said.code, said.err) == (0, "")
    assert "20 completed" in said.out

    assert "Nothing broke." in said.out
    assert "not registered here" in said.out
    assert "pricing, shop" in said.out


def test_defaults_of_the_input_are_no_broken_promise(files: Path) -> None:
    """What is filled in is part of what was started."""
    step = "{id: wait, type: wait, until: input.day}"
    days = "{properties: {day: {default: '2030-01-07T09:00:00Z'}}}"
    Path("days.yaml").write_text(f"name: days\ninput: {days}\nsteps: [{step}]\n")
    said = dirigent("simulate", "days.yaml", "--runs", "3")
    assert (said.code, said.err) == (0, "")
    assert "broke a promise" not in said.out


def test_inputs_come_by_name_here_too(files: Path) -> None:
    """A step without parameters, once of an agent that is registered and once of one that is not."""
    lead = "{id: lead, type: agent, agent_type: lead_scorer, action: score_lead}"
    other = "{id: other, type: agent, agent_type: pricing, action: quote}"
    Path("lead.yaml").write_text(f"name: lead\nsteps: [{lead}, {other}]\n")
    said = dirigent("simulate", "lead.yaml", "-i", 'lead={"lead_id": "l1"}', "--runs", "5")
    assert (said.code, said.err) == (0, "")
    assert "5 completed" in said.out
    assert "5 failed" in dirigent("simulate", "lead.yaml", "--runs", "5").out


def test_a_crash_of_the_engine_breaks_nothing(files: Path) -> None:
    """All runs end well; what acts at most once was under way in some of them, and a person looked."""
    found = dirigent(*FILES, "--runs", "60", "--crash", "1", "-o", "json").data
    assert found["statuses"] == {"completed": 60}
    assert found["crashes"] > 10
    assert {one["code"] for one in found["breaks"]} == {"outcome_unknown"}
    assert found["violations"] == {}


def test_what_breaks_is_said_with_its_seed_and_the_command(files: Path) -> None:
    """The worst first, in how many runs, and the command gives that very run again."""
    found = dirigent(
        *FILES, "--runs", "60", "--fail", "shop.book=1", "--fail", "pricing=0.5", "-o", "json"
    ).data
    assert found["runs"] == 60
    assert sum(found["statuses"].values()) == 60
    assert found["not_registered"] == ["pricing", "shop"]
    broken = {(one["step"], one["code"]): one for one in found["breaks"]}
    refused, lost = broken["price", "action_failed"], broken["ship/book", "outcome_unknown"]
    assert refused["failed"] == refused["runs"] < 60
    assert lost["failed"] < lost["runs"]
    assert found["breaks"][0]["failed"] == max(one["failed"] for one in found["breaks"])
    again = dirigent(*shlex.split(refused["again"])[1:], "-o", "json").data
    assert (again["status"], again["seed"]) == ("failed", refused["seed"])
    assert ("price", "action_failed") in {(one["step"], one["code"]) for one in again["breaks"]}
    shown = dirigent(*shlex.split(refused["again"])[1:])
    assert "told run StepFailed price" in shown.out
    assert "orders ended failed" in shown.out


def test_a_seed_gives_the_same_however_many_are_played(files: Path) -> None:
    """Alone, among others, and in other processes."""
    options = ("--fail", "shop=0.3", "--fail", "pricing=0.3", "--crash", "0.5", "-o", "json")
    together = dirigent(*FILES, *options, "--runs", "230", "--jobs", "2").data
    alone = dirigent(*FILES, *options, "--runs", "230", "--jobs", "1").data
    assert together == alone


def test_people_may_refuse_and_signals_may_not_fit(files: Path) -> None:
    """A no counts once as many have said it as it takes; a signal that does not fit is no answer."""
    refused = dirigent(*FILES, "--runs", "20", "--reject", "1", "-o", "json").data
    assert {(one["step"], one["code"], one["runs"]) for one in refused["breaks"]} == {
        ("agree", "rejected", 20)
    }
    small = [*FILES[:-1], 'order.paid={"amount": 1}']
    waiting = dirigent(*small, "--runs", "5", "-o", "json").data
    assert {(one["step"], one["code"]) for one in waiting["breaks"]} == {("paid", "event_timeout")}


def test_too_many_failures_are_an_exit_code(files: Path) -> None:
    """For those who let a build depend on it."""
    often = ("--runs", "20", "--fail", "pricing=1")
    assert dirigent(*FILES, *often).code == 0
    strict = dirigent(*FILES, *often, "--tolerate", "0.1")
    assert strict.code == 1
    assert "more than 10.0%" in strict.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--fail", "prcing=0.1"), "--fail names 'prcing', which the workflow does not ask."),
        (("--gives", "shop.boook=1"), "--gives names 'shop.boook', which the workflow does not ask."),
        (("--fail", "pricing"), "--fail 'pricing' is no share of an agent's calls."),
        (("--fail", "pricing=2"), "--fail 'pricing=2' is no share of an agent's calls."),
        (("--crash", "7"), "--crash is 7."),
        (("--gives", "pricing.quote"), "no key=value"),
    ],
)
def test_mistakes_are_said(files: Path, options: tuple[str, ...], says: str) -> None:
    """With what there is, and exit code 2."""
    said = dirigent(*FILES, *options)
    assert said.code == 2
    assert says in said.err
    assert "fix: " in said.err


def test_options_of_a_workflow_need_one() -> None:
    """Else somebody believes that their own was played."""
    said = dirigent("simulate", "--fail", "pricing=0.1")
    assert (said.code, "none is named" in said.err) == (2, True)


def test_a_workflow_that_is_not_brought_along_fails_its_step(files: Path) -> None:
    """Where its file is not named behind the first one."""
    alone = dirigent("simulate", "orders.yaml", *FILES[3:], "--runs", "3", "-o", "json").data
    assert ("ship", "workflow_not_found") in {(one["step"], one["code"]) for one in alone["breaks"]}


def test_an_action_that_an_agent_does_not_have_is_said(files: Path) -> None:
    """Of a registered agent only its actions can be asked."""
    Path("wrong.yaml").write_text(ORDERS.replace("action: score_lead", "action: scoar"))
    said = dirigent("simulate", "wrong.yaml", *FILES[2:])
    assert said.code == 2
    assert "has no action 'scoar'" in said.err


@agent("depot", domain="test")
class Depot:
    """Says only that it gives a mapping."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def reserve(self) -> dict[str, Any]:
        """Reserve."""
        raise AssertionError("the code of an agent is not called")


def test_an_answer_that_nothing_declares_is_named_where_it_is_missed(files: Path) -> None:
    """What reads a field of it fails in every run, until the answer is said."""
    read = "{id: tell, type: transform, parameters: {n: '${steps.r.number}'}}"
    reserve = "{id: r, type: agent, agent_type: depot, action: reserve}"
    Path("depot.yaml").write_text(f"name: depot\nsteps:\n  - {reserve}\n  - {read}\n")
    own = f"{__name__}:Depot"
    missed = dirigent("simulate", "depot.yaml", "--runs", "3", DIRIGENT_AGENTS=own)
    assert "3 failed" in missed.out
    assert "so it is {}: depot.reserve; say it with --gives depot.reserve=JSON" in missed.out
    said = dirigent(
        "simulate", "depot.yaml", "--runs", "3", "--gives", 'depot.reserve={"number": 7}', DIRIGENT_AGENTS=own
    )
    assert "3 completed" in said.out
    assert "depot.reserve" not in said.out
