"""The lead scorer: how promising a lead is, by documented formulas and no model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dirigent.agents.revenue.lead_score import (
    COMPANY_SHARE,
    DETAIL_CONFIDENCE,
    EMAIL_SHARE,
    SENIORITY_SHARE,
    VISITS_FULL,
    Component,
    Score,
    graded,
    is_business_address,
    seniority,
)
from dirigent.agents.revenue.leads import DormantLead
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import InvalidInput
from dirigent.domain.shape import Shape
from dirigent.ports import Context
from dirigent.security.admission import action, agent

Weight = Annotated[float, Field(ge=0)]
WEIGHT_TOLERANCE = 1e-9


class LeadData(Shape):
    """What is known of a new lead. `score` is read as `engagement_score` where that is missing."""

    lead_id: str | None = None
    email: str | None = None
    name: str | None = None
    company: str | None = None
    role: str | None = None
    engagement_score: Annotated[float, Field(ge=0, le=100)] | None = None
    website_visits: Annotated[int, Field(ge=0)] | None = None
    score: Annotated[float, Field(ge=0, le=100)] | None = None


class ScoringCriteria(Shape):
    """The weights of a new lead's score; they are normalised to a sum of 1."""

    engagement_weight: Weight = 0.3
    demographic_weight: Weight = 0.4
    behavior_weight: Weight = 0.3


class RevivalCriteria(Shape):
    """The weights of a dormant lead's score, and the points where value and fit reach one half and one.

    House rule: half the score is the chance to return, the rest what a return would be worth and how
    well the customer and the house know each other. `spend_half` is net yearly spend in the currency
    of the books; `orders_full` counts order days.
    """

    probability_weight: Weight = 0.5
    value_weight: Weight = 0.3
    fit_weight: Weight = 0.2
    spend_half: Annotated[float, Field(gt=0)] = 1500.0
    orders_full: Annotated[int, Field(ge=1)] = 12


@agent(
    "lead_scorer", domain="revenue", aliases=("LeadScoringSpecialist", "crm_lead_scoring", "LeadScorerAgent")
)
class LeadScorerAgent:
    """Scores and qualifies leads from 0 to 100, new ones and dormant ones."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def score_revivability(
        self, lead: DormantLead, criteria: RevivalCriteria | None = None, *, ctx: Context
    ) -> Score:
        """Score a dormant lead: chance to return, what it spent, and how often it ordered.

        probability is the lead's own; value is spend / (spend + spend_half); fit is
        min(orders / orders_full, 1). The confidence is that of a count of orders: orders / (orders + 1).
        """
        rule = criteria or RevivalCriteria()
        spend = max(lead.spend_year, 0.0)
        weights = _normalised(
            {"probability": rule.probability_weight, "value": rule.value_weight, "fit": rule.fit_weight}
        )
        values = {
            "probability": lead.probability,
            "value": spend / (spend + rule.spend_half),
            "fit": min(lead.orders / rule.orders_full, 1.0),
        }
        components = {name: _component(values[name], weight) for name, weight in weights.items()}
        reasons = [
            f"chance to return {100 * lead.probability:.0f} %",
            f"net spend {spend:,.2f} in a year",
            f"{lead.orders} order days",
        ]
        return graded(components, lead.orders / (lead.orders + 1), reasons, [])

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def score_lead(
        self, lead: LeadData, criteria: ScoringCriteria | None = None, *, ctx: Context
    ) -> Score:
        """Score a new lead by engagement, demographics and behaviour with the given weights.

        Weights of sum zero raise `InvalidInput`; negative ones are refused at the border.
        """
        return score_of(lead, criteria)


def score_of(lead: LeadData, criteria: ScoringCriteria | None = None) -> Score:
    """The score of a new lead; weights of sum zero raise `InvalidInput`."""
    rule = criteria or ScoringCriteria()
    given = {
        "engagement": rule.engagement_weight,
        "demographic": rule.demographic_weight,
        "behavior": rule.behavior_weight,
    }
    weights = _normalised(given)
    engagement = lead.score if lead.engagement_score is None else lead.engagement_score
    values = {
        "engagement": None if engagement is None else engagement / 100,
        "demographic": _demographic(lead),
        "behavior": None if lead.website_visits is None else min(lead.website_visits / VISITS_FULL, 1.0),
    }
    components = {name: _component(values[name], weight) for name, weight in weights.items()}
    unknown = sum(weight for name, weight in weights.items() if values[name] is None)
    details = sum(not known for known in (lead.role, lead.email, lead.company))
    confidence = 1 - unknown - DETAIL_CONFIDENCE * details
    warnings = _warnings(lead, criteria, sum(given.values()))
    return graded(components, confidence, _reasons(lead, engagement), warnings)


def _normalised(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    if total <= 0:
        raise InvalidInput(
            "All weights are zero.", fix="Give at least one weight above zero.", field="criteria"
        )
    return {name: weight / total for name, weight in weights.items()}


def _component(value: float | None, weight: float) -> Component:
    return Component(value=None if value is None else round(value, 4), weight=round(weight, 4))


def _demographic(lead: LeadData) -> float | None:
    if not (lead.role or lead.email or lead.company):
        return None
    _, senior = seniority(lead.role)
    business, company = is_business_address(lead.email), bool(lead.company)
    return SENIORITY_SHARE * senior + EMAIL_SHARE * business + COMPANY_SHARE * company


def _reasons(lead: LeadData, engagement: float | None) -> list[str]:
    level, _ = seniority(lead.role)
    sentences = (
        (lead.role, f"role {lead.role}: {level}"),
        (is_business_address(lead.email), "business e-mail domain"),
        (engagement is not None, f"engagement {engagement or 0:g} of 100"),
        (lead.website_visits is not None, f"{lead.website_visits} website visits"),
    )
    return [sentence for said, sentence in sentences if said]


def _warnings(lead: LeadData, criteria: ScoringCriteria | None, total: float) -> list[str]:
    sentences = (
        (criteria is None, "scoring_criteria absent: defaults used"),
        (abs(total - 1) > WEIGHT_TOLERANCE, f"weights sum to {total:g}: normalised to 1"),
        (lead.engagement_score is None and lead.score is not None, "score read as engagement_score"),
        (lead.engagement_score is None and lead.score is None, "no engagement data"),
        (not (lead.role or lead.email or lead.company), "no demographic data"),
        (lead.website_visits is None, "no behaviour data"),
    )
    return [sentence for said, sentence in sentences if said]
