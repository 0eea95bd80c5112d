"""The revival engine: finds dormant customers worth writing to, and measures what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from dirigent.agents.revenue.backtest import honest_sentences
from dirigent.agents.revenue.dormancy import SOURCES, DormancyRule, Standing, Survey, explain
from dirigent.agents.revenue.leads import DormantLead
from dirigent.agents.revenue.message_states import LEFT_STATES, MEETING, REPLIED_STATES
from dirigent.agents.revenue.order_book import History, read_histories
from dirigent.agents.revenue.ranking import ModelReport, Ranking, rank
from dirigent.agents.revenue.reachability import Reachability
from dirigent.agents.revenue.strategy import choose_strategy
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import InvalidInput
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords, Context
from dirigent.security.admission import action, agent

ENTERPRISE: Final = "enterprise"
NO_DORMANT_LEADS = "no_dormant_leads"
NO_ORDERS = "There are no orders to judge by."
PENDING: Final = "pending"


class Criteria(Shape):
    """The thresholds a search used, with where they come from."""

    as_of: str
    silence_chance_max: float
    silence_multiple: float
    days_silent_min: int
    population_rhythm_days: float | None
    spend_days: int
    enterprise_quantile: float | None
    enterprise_spend_min: float
    sources: list[str]


class Skipped(Shape):
    """Why customers who fit were left out, and how many."""

    reason: str
    count: int


class DormantLeads(Shape):
    """The leads, best first, and everything needed to judge the list.

    `considered` counts customers with an order; `dormant` those among them who are dormant;
    `enterprise` those among the dormant who are enterprise. `skipped` counts customers of the wanted
    segment who cannot be written to. `reason` is set when the list is empty, with `detail` in words.
    """

    leads: list[DormantLead]
    criteria: Criteria | None
    model: ModelReport | None
    considered: int = 0
    dormant: int = 0
    enterprise: int = 0
    skipped: list[Skipped] = Field(default_factory=list)
    reason: str | None = None
    detail: str = ""


class Measurement(Shape):
    """What became of a run's messages: counts by state, and rates once something is known.

    `reply_rate` is replies per message sent; it and `meetings_booked` are `pending` until the first
    reply is on record, because silence so far is no result.
    """

    run_id: str
    messages: dict[str, int]
    sent: int
    reply_rate: float | Literal["pending"]
    meetings_booked: int | Literal["pending"]
    detail: str


@agent("revival_engine", domain="revenue", aliases=("Revival Engine", "RevivalEngineAgent"))
class RevivalEngineAgent:
    """Dead-lead reactivation: chooses whom to write to, by rhythm, value and the chance to come back."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def find_dormant(
        self,
        limit: Annotated[int, Field(ge=1, le=10_000)],
        segment: str | None = None,
        dormancy: DormancyRule | None = None,
        *,
        ctx: Context,
    ) -> DormantLeads:
        """Find at most `limit` dormant customers with a usable contact, likeliest to return first.

        `segment` is `enterprise` or empty for all. As of the last moment of the books, never today.
        An unknown segment raises `InvalidInput`.
        """
        if segment not in (None, "", ENTERPRISE):
            raise InvalidInput(
                f"There is no segment {segment!r}.", fix=f"Use {ENTERPRISE!r}, or none.", field="segment"
            )
        search = _Search(records=ctx.records, limit=limit, enterprise_only=segment == ENTERPRISE)
        return await asyncio.to_thread(search.run, dormancy or DormancyRule())

    @action(risk=Risk.R0, effect=Effect.READ)
    async def measure(self, run_id: str | None = None, *, ctx: Context) -> Measurement:
        """Count a run's messages by state; rates are `pending` while no reply is on record.

        The run is `run_id` with everything it started; without one it is the run that asks.
        """
        run = run_id or ctx.execution_id.partition("/")[0]
        rows = [
            row
            for row in ctx.records.fetch("messages", columns=("run_id", "state"))
            if f"{row['run_id']}/".startswith(f"{run}/")
        ]
        states = Counter(str(row["state"]) for row in rows)
        sent = sum(states[state] for state in LEFT_STATES)
        replied = sum(states[state] for state in REPLIED_STATES)
        return Measurement(
            run_id=run,
            messages=dict(sorted(states.items())),
            sent=sent,
            reply_rate=round(replied / sent, 4) if replied else PENDING,
            meetings_booked=states[MEETING] if replied else PENDING,
            detail=_progress_of(len(rows), sent, replied),
        )


@dataclass(frozen=True, kw_only=True)
class _Search:
    """One search through one tenant's records; runs in a thread, because fitting takes its time."""

    records: BoundRecords
    limit: int
    enterprise_only: bool

    def run(self, rule: DormancyRule) -> DormantLeads:
        as_of = self.records.as_of()
        histories = read_histories(self.records) if as_of else []
        if as_of is None or not histories:
            return DormantLeads(
                leads=[], criteria=None, model=None, reason=NO_DORMANT_LEADS, detail=NO_ORDERS
            )
        ranking = rank(histories, as_of.date(), rule)
        wanted = self._wanted(ranking)
        leads, skipped = self._leads(ranking, wanted, histories)
        found = ranking.now
        sentences = honest_sentences(ranking, self.limit, enterprise_only=self.enterprise_only)
        return DormantLeads(
            leads=leads,
            criteria=_criteria(found),
            model=ranking.report.model_copy(update={"sentences": sentences}),
            considered=len(histories),
            dormant=len(found.dormant()),
            enterprise=len(found.dormant(enterprise_only=True)),
            skipped=[Skipped(reason=reason, count=count) for reason, count in sorted(skipped.items())],
            reason=None if leads else NO_DORMANT_LEADS,
            detail="" if leads else _why_empty(found, len(wanted)),
        )

    def _wanted(self, ranking: Ranking) -> list[tuple[float, Standing]]:
        """The dormant customers of the segment with their chance, likeliest first, ties by id."""
        found = ranking.now
        rows = [
            (chance, standing)
            for standing, chance in zip(found.standings, ranking.chances, strict=True)
            if found.is_dormant(standing) and (not self.enterprise_only or found.is_enterprise(standing))
        ]
        return sorted(rows, key=lambda row: (-row[0], row[1].customer_id))

    def _leads(
        self, ranking: Ranking, wanted: Sequence[tuple[float, Standing]], histories: Sequence[History]
    ) -> tuple[list[DormantLead], Counter[str]]:
        reachability = Reachability(self.records, (standing.customer_id for _, standing in wanted))
        by_id = {history.customer_id: history for history in histories}
        leads: list[DormantLead] = []
        skipped: Counter[str] = Counter()
        for chance, standing in wanted:
            reach = reachability.reach(standing.customer_id)
            if reach.contact is None:
                skipped[str(reach.reason)] += 1
            elif len(leads) < self.limit:
                history = by_id[standing.customer_id]
                leads.append(_lead(ranking, standing, history, reach.contact, chance, len(leads) + 1))
        return leads, skipped


def _lead(
    ranking: Ranking, standing: Standing, history: History, contact: dict[str, Any], chance: float, place: int
) -> DormantLead:
    found = ranking.now
    days = ranking.report.horizon_days
    return DormantLead(
        lead_id=contact["contact_id"],
        customer_id=standing.customer_id,
        contact_id=contact["contact_id"],
        country=contact.get("country"),
        segment=ENTERPRISE if found.is_enterprise(standing) else "standard",
        strategy=choose_strategy(contact, history, standing, found.day, found.rule),
        rank=place,
        probability=round(chance, 4),
        days_silent=standing.days_silent,
        rhythm_days=round(standing.rhythm_days, 1),
        orders=standing.orders,
        spend_year=standing.spend,
        why=[
            *explain(standing, found),
            f"Estimated chance to buy again within {days} days: {100 * chance:.0f} %.",
        ],
    )


def _criteria(found: Survey) -> Criteria:
    rule = found.rule
    gap = found.population_rhythm_days
    return Criteria(
        as_of=found.day.isoformat(),
        silence_chance_max=rule.silence_chance_max,
        silence_multiple=round(rule.silence_multiple, 3),
        days_silent_min=rule.days_silent_min,
        population_rhythm_days=None if gap is None else round(gap, 1),
        spend_days=rule.spend_days,
        enterprise_quantile=rule.enterprise_quantile if rule.enterprise_spend_min is None else None,
        enterprise_spend_min=round(found.enterprise_spend_min, 2),
        sources=list(SOURCES),
    )


def _why_empty(found: Survey, wanted: int) -> str:
    if found.population_rhythm_days is None:
        return "Nobody has ordered on two different days, so there is no rhythm to measure silence by."
    if wanted:
        return f"None of the {wanted} dormant customers has a contact that may be written to."
    return "Nobody in the segment has been silent for long enough."


def _progress_of(messages: int, sent: int, replied: int) -> str:
    if replied:
        return f"{replied} of {sent} messages sent have been answered."
    if sent:
        return f"{sent} of {messages} messages have been sent; no answer is on record yet."
    return f"None of {messages} messages has been sent yet."
