"""The lead flow in code: selects leads, scores them, drafts a letter to each; it never delivers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dirigent.agents.orchestrator import BaseOrchestrator
from dirigent.agents.revenue.lead_score import Score
from dirigent.agents.revenue.lead_scorer import LeadData, score_of
from dirigent.agents.revenue.letter import DELIMITER, Letter, Slot, render_letter
from dirigent.agents.revenue.writer import Brief
from dirigent.domain.envelope import Envelope
from dirigent.domain.errors import InvalidInput
from dirigent.ports.queueing import DispatcherProtocol
from dirigent.security.text import shown

LEADS_MAX = 10_000


class LeadOrchestrator(BaseOrchestrator):
    """One record a lead: its score by documented formulas, and a draft that states only what is known of it.

    The payload holds `leads`, each with an id and what is known of it, and may hold a `filter` with a
    `limit`. Drafts are signed where a `brief` says who writes; unsigned ones are for people to finish.
    """

    def __init__(self, dispatcher: DispatcherProtocol, *, brief: Brief | None = None) -> None:
        self._dispatcher = dispatcher
        self._brief = brief

    async def run(self, payload: Mapping[str, Any]) -> Envelope:
        """Select, then score and draft every lead, as many at once as the dispatcher lets."""
        submit = self._dispatcher.submit
        leads = await submit("lead_orchestrator", select, payload)
        return self.envelope(await asyncio.gather(*(self._worked_on(lead) for lead in leads)))

    async def _worked_on(self, lead: LeadData) -> dict[str, Any]:
        score = await self._dispatcher.submit("lead_scorer", score_lead, lead)
        letter = await self._dispatcher.submit("writer", self.draft, lead)
        return {
            "id": f"{self.current_run().run_id}/{lead.lead_id}",
            "type": "lead",
            "data": {
                "lead_id": lead.lead_id,
                "score": score.value,
                "grade": score.grade,
                "reasons": score.reasons,
                "draft": {
                    "subject": letter.subject,
                    "body": letter.body,
                    "claims": [claim.text for claim in letter.claims],
                },
            },
            "provenance": self.provenance(
                source="payload",
                agent="lead_orchestrator",
                node="draft",
                inputs=[lead.lead_id],
                method="weighted-components",
                confidence=score.confidence,
            ),
        }

    def draft(self, lead: LeadData) -> Letter:
        """A letter to a lead from the facts at hand; a fact that is not known leaves its sentence out."""
        facts = (("company", lead.company), ("role", lead.role), ("website_visits", lead.website_visits))
        slots = {
            name: Slot(text=shown(str(value)), evidence=number) if value else None
            for number, (name, value) in enumerate(facts)
        }
        name = shown(lead.name or "").strip()
        return render_letter(
            "introduction",
            {**slots, "last_order": None},
            {"greeting": f"Dear {name}," if name else "Hello,", **self._signature(lead)},
        )

    def _signature(self, lead: LeadData) -> dict[str, str]:
        if self._brief is None:
            return {"sender_name": ""}
        return {
            "sender_name": self._brief.sender_name,
            "postal_address": self._brief.postal_address,
            "unsubscribe_url": f"{self._brief.unsubscribe_base}/{lead.lead_id}",
            "delimiter": DELIMITER,
        }


def select(payload: Mapping[str, Any]) -> list[LeadData]:
    """The leads of a payload, up to its limit; raises `InvalidInput` naming the lead and the field."""
    given = payload.get("leads", [])
    limit = (payload.get("filter") or {}).get("limit", LEADS_MAX)
    if not isinstance(given, list) or len(given) > LEADS_MAX:
        raise InvalidInput(f"leads is no list of at most {LEADS_MAX:,}.", field="payload.leads")
    return [_lead(item, number) for number, item in enumerate(given[:limit])]


def score_lead(lead: LeadData) -> Score:
    """The score of a lead with the weights of the house."""
    return score_of(lead)


def _lead(item: Any, number: int) -> LeadData:
    try:
        lead = LeadData.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["payload.leads", str(number), *map(str, first["loc"])])
        raise InvalidInput(f"{field}: {first['msg']}.", field=field) from error
    return lead if lead.lead_id else lead.model_copy(update={"lead_id": f"lead_{number + 1}"})
