"""The researcher: what the house's own records say of a lead, with sources, and what they do not say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from dirigent.agents.revenue.dossier import Dossier, Gap
from dirigent.agents.revenue.order_book import day_of
from dirigent.agents.revenue.order_facts import Purchases, order_facts, product_fits, read_purchases
from dirigent.agents.revenue.strategy import season_of_last_year
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import InvalidInput, NotFound
from dirigent.ports import BoundRecords, Context
from dirigent.security.admission import action, agent

Depth = Literal["quick", "deep"]
FITS_MAX: dict[Depth, int] = {"quick": 3, "deep": 10}


@agent("researcher", domain="revenue", aliases=("ResearcherAgent", "researcher_wrapper"))
class ResearcherAgent:
    """Collects what the records hold of a lead; without a source there is no fact."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def research_lead(
        self,
        lead_id: str | None = None,
        customer_id: str | None = None,
        depth: Depth = "quick",
        *,
        ctx: Context,
    ) -> Dossier:
        """Gather facts, fitting products and gaps for a lead or a customer, as of the books' last day.

        Give either id. `quick` names up to 3 products, `deep` up to 10 and adds range and returns.
        Raises `NotFound` for an unknown lead; a customer without orders gives a dossier of gaps.
        """
        owner = customer_id or _customer_of(ctx.records, lead_id)
        as_of = ctx.records.as_of()
        purchases = read_purchases(ctx.records, owner)
        gaps = _gaps(ctx.records, lead_id, purchases, as_of.date() if as_of else None)
        if as_of is None or not purchases.sales:
            return Dossier(
                lead_id=lead_id, customer_id=owner, as_of=None, depth=depth, facts=[], fits=[], gaps=gaps
            )
        facts = order_facts(purchases, as_of.date(), deep=depth == "deep")
        product_facts, fits = product_fits(purchases, as_of.date(), FITS_MAX[depth], len(facts))
        return Dossier(
            lead_id=lead_id,
            customer_id=owner,
            as_of=as_of.date().isoformat(),
            depth=depth,
            facts=[*facts, *product_facts],
            fits=fits,
            gaps=gaps,
        )


def _customer_of(records: BoundRecords, lead_id: str | None) -> str:
    if not lead_id:
        raise InvalidInput(
            "Whom to research is not said.", fix="Give lead_id or customer_id.", field="lead_id"
        )
    rows = records.fetch("contacts", where={"contact_id": lead_id}, columns=("customer_id",), limit=1)
    if not rows or not rows[0]["customer_id"]:
        raise NotFound(f"There is no lead {lead_id!r} that belongs to a customer.", code="lead_not_found")
    return str(rows[0]["customer_id"])


def _gaps(records: BoundRecords, lead_id: str | None, purchases: Purchases, day: date | None) -> list[Gap]:
    gaps = [_no_orders()] if not purchases.sales else [_silence(), _stock(records), *_nameless(purchases)]
    if day is not None:
        gaps.extend(_season(records, day))
    if lead_id is not None:
        gaps.extend(_person(records, lead_id))
    return gaps


def _no_orders() -> Gap:
    return Gap(about="orders", why="No sale to this customer is on record.")


def _silence() -> Gap:
    return Gap(about="reason of the silence", why="The books hold orders, not conversations.")


def _stock(records: BoundRecords) -> Gap:
    known = "Stock on record was not looked at" if records.count("stock") else "There are no stock records"
    return Gap(about="availability", why=f"{known}, so no product is promised.")


def _nameless(purchases: Purchases) -> list[Gap]:
    skus = sorted({line["sku"] for line in purchases.lines} - set(purchases.names))
    why = f"The catalogue gives no name for {', '.join(skus[:5])}, so they are not offered."
    return [Gap(about="product names", why=why)] if skus else []


def _season(records: BoundRecords, day: date) -> list[Gap]:
    """The part of last year's weeks that lies before the books begin."""
    first = records.fetch("orders", columns=("ordered_at",), order_by="ordered_at", limit=1)
    start, end = season_of_last_year(day)
    begin = day_of(first[0]["ordered_at"]) if first else day
    if begin <= start:
        return []
    unseen = min(end, begin - timedelta(days=1))
    span = f"{start.isoformat()} to {unseen.isoformat()}"
    why = f"The books begin on {begin.isoformat()}; {span} is not in them."
    return [Gap(about="season a year ago", why=why)]


def _person(records: BoundRecords, lead_id: str) -> list[Gap]:
    rows = records.fetch("contacts", where={"contact_id": lead_id}, columns=("name", "role"), limit=1)
    known = rows[0] if rows else {}
    return [
        Gap(about=f"contact's {field}", why=f"The contact record has no {field}.")
        for field in ("name", "role")
        if not known.get(field)
    ]
