"""Flows and tools by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dirigent.agents.catalogue import catalogue
from dirigent.agents.revenue.delivery import DeliveryAgent
from dirigent.domain.agent import Risk
from dirigent.domain.errors import Conflict, InvalidInput, NotFound
from dirigent.execution.registry import Registry
from dirigent.ports.queueing import Orchestrator
from tests.execution.office import empty_envelope

OFFERED = """
from dirigent.domain.envelope import Envelope

class Offered:
    def run(self, payload):
        metadata = {"run_id": "r", "tenant_id": "t", "status": "ok", "created_at": "now"}
        return Envelope.from_records([], metadata)

READY = Offered()
"""


def test_a_flow_is_found_by_its_name() -> None:
    """An object with `run`, or a function; what is not there is answered with what is."""
    registry = Registry()
    registry.register_flow("lead", empty_envelope)
    assert isinstance(registry.resolve("lead"), Orchestrator)
    with pytest.raises(NotFound, match=r"There is no flow 'led'\. The flows: lead\."):
        registry.resolve("led")
    with pytest.raises(NotFound, match="none is registered"):
        Registry().resolve("lead")


@pytest.mark.parametrize(("name", "flow"), [("", empty_envelope), ("x" * 101, empty_envelope), ("lead", 3)])
def test_what_is_no_flow_is_refused(name: str, flow: Any) -> None:
    """Neither its name nor what stands behind it may be nothing."""
    with pytest.raises(InvalidInput):
        Registry().register_flow(name, flow)


def test_a_name_is_taken_once() -> None:
    """No flow replaces another behind its back."""
    registry = Registry()
    registry.register_flow("lead", empty_envelope)
    with pytest.raises(Conflict, match="There is a flow 'lead' already"):
        registry.register_flow("lead", empty_envelope)


def test_tools_are_found_by_a_word() -> None:
    """With their risk: whoever looks for `send` learns that it reaches people."""
    registry = Registry(catalogue())
    (send,) = [tool for tool in registry.find("SEND") if (tool.agent, tool.action) == ("delivery", "send")]
    assert (send.risk, send.outward) == (Risk.R3, True)
    assert {tool.agent for tool in registry.find("WriterAgent")} == {"writer"}
    assert registry.find("no such word") == []
    assert Registry([DeliveryAgent]).find("send") == [send]


@pytest.fixture
def _installed(tmp_path: Path) -> Iterator[None]:
    """A package with two entry points, one a class and one ready-made."""
    (tmp_path / "offering.py").write_text(OFFERED)
    info = tmp_path / "offering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[dirigent.flows]\nmade = offering:Offered\nready = offering:READY\n"
    )
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))
    sys.modules.pop("offering", None)


@pytest.mark.usefixtures("_installed")
def test_installed_packages_offer_flows() -> None:
    """No line of ours changes for them."""
    registry = Registry()
    assert registry.flows.discover() == registry.flows.names() == ["made", "ready"]
    assert registry.resolve("made").run({}).records == ()
    assert registry.resolve("ready") is sys.modules["offering"].READY
