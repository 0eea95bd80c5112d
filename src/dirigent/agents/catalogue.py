"""The agents that come with Dirigent. Importing this loads no number cruncher; ranking does when it runs."""

from __future__ import annotations

from typing import Any

from dirigent.agents.commerce.inventory import InventoryAgent
from dirigent.agents.content.social_media import SocialMediaContentAgent
from dirigent.agents.feedback.analyst import FeedbackAnalystAgent
from dirigent.agents.operations.events import EventsAgent
from dirigent.agents.operations.notifier import NotifierAgent
from dirigent.agents.operations.web import HttpAgent
from dirigent.agents.revenue.compliance import ComplianceAgent
from dirigent.agents.revenue.delivery import DeliveryAgent
from dirigent.agents.revenue.lead_scorer import LeadScorerAgent
from dirigent.agents.revenue.quality_control import QualityControlAgent
from dirigent.agents.revenue.researcher import ResearcherAgent
from dirigent.agents.revenue.revival_engine import RevivalEngineAgent
from dirigent.agents.revenue.writer import WriterAgent


def catalogue() -> tuple[type[Any], ...]:
    """Every agent class that comes with Dirigent, by its key."""
    return (
        ComplianceAgent,
        DeliveryAgent,
        EventsAgent,
        FeedbackAnalystAgent,
        HttpAgent,
        InventoryAgent,
        LeadScorerAgent,
        NotifierAgent,
        QualityControlAgent,
        ResearcherAgent,
        RevivalEngineAgent,
        SocialMediaContentAgent,
        WriterAgent,
    )
