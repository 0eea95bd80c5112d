"""The catalogue: every agent registers, describes itself, and costs nothing to import."""

import subprocess
import sys

import pytest

from dirigent.agents.catalogue import catalogue
from dirigent.domain.agent import AgentSpec
from dirigent.execution.registry import Registry
from dirigent.security.admission import AGENT_ATTRIBUTE

SPECS: list[AgentSpec] = [getattr(agent, AGENT_ATTRIBUTE) for agent in catalogue()]
EXPECTED = {
    "compliance",
    "delivery",
    "events",
    "feedback-analyst",
    "http",
    "inventory",
    "lead_scorer",
    "notifier",
    "quality_control",
    "researcher",
    "revival_engine",
    "social-media-content",
    "writer",
}


def test_the_catalogue_holds_the_agents_that_come_with_it() -> None:
    """Each is there once."""
    assert sorted(spec.key for spec in SPECS) == sorted(EXPECTED)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Revival Engine", "revival_engine"),
        ("LeadScoringSpecialist", "lead_scorer"),
        ("crm_lead_scoring", "lead_scorer"),
        ("CopywriterAgent", "writer"),
        ("Feedback Analyst", "feedback-analyst"),
        ("NewFeedbackAnalystAgent", "feedback-analyst"),
        ("outbox", "delivery"),
        ("Delivery tools", "delivery"),
        ("SocialMediaContentAgent", "social-media-content"),
        ("Social Media Content Agent", "social-media-content"),
        ("ContentSpecialist", "social-media-content"),
        ("NewSocialMediaContentAgent", "social-media-content"),
        ("Inventory Agent", "inventory"),
        ("StockSpecialist", "inventory"),
        ("stock_worker", "inventory"),
    ],
)
def test_every_published_name_leads_to_its_agent(name: str, key: str) -> None:
    """Aliases of the published documents are kept."""
    assert Registry(catalogue()).agent(name).key == key


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.key)
def test_every_action_describes_itself(spec: AgentSpec) -> None:
    """Schemas of inputs and output can be given, and every action says what it does."""
    registry = Registry(catalogue())
    for name, action in spec.actions.items():
        registered = registry.action(spec.key, name)
        assert registered.input_schema()["additionalProperties"] is False
        assert registered.output_schema()["type"] == "object"
        assert action.description


def test_what_leaves_the_house_is_known() -> None:
    """Every way out is declared, so that the gates stand before it."""
    outward = [
        f"{spec.key}.{name}" for spec in SPECS for name, action in spec.actions.items() if action.outward
    ]
    assert outward == [
        "delivery.send",
        "http.send",
        "http.send_once",
        "notifier.send_outside",
        "social-media-content.publish_content",
    ]


def test_importing_the_catalogue_loads_no_number_cruncher() -> None:
    """Ranking loads scikit-learn when it runs, not before."""
    code = (
        "import sys; import dirigent.agents.catalogue;"
        " print(*({'sklearn', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
