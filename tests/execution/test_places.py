"""How many executions run at once, who begins next, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.errors import InvalidInput, Overloaded
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.engine import Start
from dirigent.ports import Clock
from dirigent.runtimes.idling import IDLE_MS
from dirigent.settings import Settings, TenantLimit, read_settings
from dirigent.testing.frozen_clock import FrozenClock


@agent("worker", domain="test")
class Worker:
    """Holds every call until it is let go, and says in which order the calls came."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.gate = asyncio.Event()

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def work(self, name: str) -> str:
        """Work until the gate opens."""
        self.order.append(name)
        await self.gate.wait()
        return name


WORK = Definition(
    name="work",
    steps=(
        Step(id="w", kind=Kind.AGENT, agent="worker", action="work", parameters={"name": "${input.name}"}),
    ),
)
ASKS = Definition(name="asks", steps=(Step(id="ask", kind=Kind.APPROVAL),))


def _dirigent(
    folder: Path,
    worker: Worker,
    *,
    at_once: int,
    pending: int = 100,
    clock: Clock | None = None,
    **more: Any,
) -> Dirigent:
    settings = Settings(
        data_folder=folder,
        max_concurrent_workflows=at_once,
        max_pending_workflows=pending,
        **more,
    )
    return Dirigent(settings=settings, agents=[worker], clock=clock)


async def _start(dirigent: Dirigent, name: str, tenant: str = "t", priority: int = 5) -> None:
    start = Start(
        definition=WORK,
        tenant=tenant,
        actor="a",
        input={"name": name},
        execution_id=name,
        priority=priority,
    )
    await dirigent.engine.start(start)


async def _until(holds: Callable[[], object]) -> None:
    while not holds():
        await asyncio.sleep(0)


def _status(dirigent: Dirigent, name: str) -> str:
    return dirigent.engine.row(name).status


async def test_the_third_of_three_waits_for_a_place(tmp_path: Path) -> None:
    """With a limit of two the third execution is pending until one of the others has ended."""
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=2) as dirigent:
        for name in ("a", "b", "c"):
            await _start(dirigent, name)
        await _until(lambda: len(worker.order) == 2)
        assert [_status(dirigent, name) for name in "abc"] == ["running", "running", "pending"]
        assert dirigent.engine.read("c").status == "pending"
        worker.gate.set()
        assert (await dirigent.engine.rest("c")).status == "completed"
        assert worker.order == ["a", "b", "c"]


async def test_what_only_waits_takes_no_place(tmp_path: Path) -> None:
    """An execution that waits for a person leaves its place to others."""
    worker = Worker()
    worker.gate.set()
    async with _dirigent(tmp_path, worker, at_once=1) as dirigent:
        await dirigent.engine.start(Start(definition=ASKS, tenant="t", actor="a", execution_id="asks"))
        await _start(dirigent, "a")
        assert (await dirigent.engine.rest("a")).status == "completed"
        assert _status(dirigent, "asks") == "awaiting_approval"


async def test_what_left_memory_takes_no_place(tmp_path: Path) -> None:
    """Being put out of memory is a turn like any other; the place it took is given back."""
    worker, clock = Worker(), FrozenClock()
    worker.gate.set()
    async with _dirigent(tmp_path, worker, at_once=1, clock=clock) as dirigent:
        await dirigent.engine.start(Start(definition=ASKS, tenant="t", actor="a", execution_id="asks"))
        await dirigent.engine.rest("asks")
        clock.move_to(clock.now_ms() + IDLE_MS)
        await _until(lambda: not dirigent.runtime.running())
        await _start(dirigent, "a")
        assert _status(dirigent, "a") != "pending"
        assert (await dirigent.engine.rest("a")).status == "completed"


async def test_the_pending_are_pending_after_a_restart(tmp_path: Path) -> None:
    """Whoever waited for a place waits for it in the next process, and loses nothing."""
    async with _dirigent(tmp_path, Worker(), at_once=1) as dirigent:
        for name in ("a", "b", "c"):
            await _start(dirigent, name)
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=1) as again:
        await _until(lambda: worker.order)
        assert [_status(again, name) for name in "abc"] == ["running", "pending", "pending"]
        worker.gate.set()
        assert (await again.engine.rest("c")).status == "completed"
        assert worker.order == ["a", "b", "c"]


async def test_a_pending_execution_can_be_cancelled(tmp_path: Path) -> None:
    """It ends without having begun, and the next takes its turn."""
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=1) as dirigent:
        for name in ("a", "b", "c"):
            await _start(dirigent, name)
        await dirigent.engine.cancel("b", "a boss")
        worker.gate.set()
        assert (await dirigent.engine.rest("c")).status == "completed"
        assert _status(dirigent, "b") == "cancelled"
        assert worker.order == ["a", "c"]


async def test_beyond_the_backlog_all_is_refused(tmp_path: Path) -> None:
    """What cannot even wait is refused, with when to try again; nothing of it is kept."""
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=1, pending=1) as dirigent:
        await _start(dirigent, "a")
        await _start(dirigent, "b")
        with pytest.raises(Overloaded) as refused:
            await _start(dirigent, "c")
        assert refused.value.retry_after_s > 0
        assert {row.execution_id for row in dirigent.engine.executions()} == {"a", "b"}


async def test_a_busy_tenant_does_not_starve_another(tmp_path: Path) -> None:
    """One tenant has fifty waiting; another's two begin second and fourth, not last."""
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=1) as dirigent:
        for number in range(50):
            await _start(dirigent, f"many{number:02}", tenant="many")
        await _start(dirigent, "few0", tenant="few")
        await _start(dirigent, "few1", tenant="few")
        worker.gate.set()
        await dirigent.engine.rest("few1")
        assert [name for name in worker.order[:5] if name.startswith("few")] == ["few0", "few1"]


async def test_a_weight_gives_a_tenant_its_share(tmp_path: Path) -> None:
    """Of the turns of two busy tenants one of weight three has three of four."""
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=1, tenant_weights={"gold": 3.0}) as dirigent:
        for number in range(40):
            await _start(dirigent, f"gold{number:02}", tenant="gold")
            await _start(dirigent, f"iron{number:02}", tenant="iron")
        worker.gate.set()
        await dirigent.engine.rest("iron39")
        assert 28 <= sum(name.startswith("gold") for name in worker.order[:40]) <= 32


async def test_a_tenant_keeps_to_its_own_bound(tmp_path: Path) -> None:
    """Two at once of the one; its third waits although there is room, and holds nobody else up."""
    worker = Worker()
    limits = {"small": TenantLimit(at_once=2)}
    async with _dirigent(tmp_path, worker, at_once=10, tenant_limits=limits) as dirigent:
        for name in ("s1", "s2", "s3"):
            await _start(dirigent, name, tenant="small")
        for name in ("l1", "l2", "l3"):
            await _start(dirigent, name, tenant="large")
        await _until(lambda: len(worker.order) == 5)
        assert _status(dirigent, "s3") == "pending"
        worker.gate.set()
        assert (await dirigent.engine.rest("s3")).status == "completed"
        assert worker.order == ["s1", "s2", "l1", "l2", "l3", "s3"]


async def test_a_bound_for_everybody_else(tmp_path: Path) -> None:
    """`default` bounds each tenant that is not named; whoever is freed first goes on first, also anew."""
    limits = {"default": TenantLimit(at_once=1), "large": TenantLimit()}
    async with _dirigent(tmp_path, Worker(), at_once=10, tenant_limits=limits) as dirigent:
        for tenant in ("one", "other", "large"):
            for number in (1, 2):
                await _start(dirigent, f"{tenant}{number}", tenant=tenant)
        pending = {row.execution_id for row in dirigent.engine.executions() if row.status == "pending"}
        assert pending == {"one2", "other2"}
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=10, tenant_limits=limits) as again:
        await _until(lambda: len(worker.order) == 4)
        assert {"one2", "other2"}.isdisjoint(worker.order)
        worker.gate.set()
        assert (await again.engine.rest("one2")).status == "completed"
        assert (await again.engine.rest("other2")).status == "completed"


async def test_a_tenant_with_a_full_backlog_is_refused_alone(tmp_path: Path) -> None:
    """The refusal names it and what bounds it; the other tenant's start is taken."""
    limits = {"small": TenantLimit(at_once=1, pending=1)}
    async with _dirigent(tmp_path, Worker(), at_once=10, tenant_limits=limits) as dirigent:
        await _start(dirigent, "s1", tenant="small")
        await _start(dirigent, "s2", tenant="small")
        with pytest.raises(Overloaded, match="1 executions of 'small'") as refused:
            await _start(dirigent, "s3", tenant="small")
        assert "DIRIGENT_TENANT_LIMITS" in refused.value.fix
        await _start(dirigent, "l1", tenant="large")
        assert {row.execution_id for row in dirigent.engine.executions()} == {"s1", "s2", "l1"}


def test_bounds_are_read_from_the_environment() -> None:
    """As JSON; a word that is none, or a bound below one, is told with its name."""
    written = '{"small": {"at_once": 2, "pending": 5}, "default": {"at_once": 7}}'
    settings = read_settings({"DIRIGENT_TENANT_LIMITS": written})
    assert settings.limit("small") == TenantLimit(at_once=2, pending=5)
    assert settings.limit("any") == TenantLimit(at_once=7)
    for wrong in ('{"small": {"at_onec": 2}}', '{"small": {"at_once": 0}}', "small=2"):
        with pytest.raises(InvalidInput, match="tenant_limits"):
            read_settings({"DIRIGENT_TENANT_LIMITS": wrong})


async def test_a_priority_comes_sooner_and_starves_nobody(tmp_path: Path) -> None:
    """A high priority overtakes; a low one still gets its turn among many high ones."""
    worker = Worker()
    async with _dirigent(tmp_path, worker, at_once=1) as dirigent:
        await _start(dirigent, "first")
        await _start(dirigent, "low", priority=4)
        for number in range(60):
            await _start(dirigent, f"high{number:02}", priority=8)
        worker.gate.set()
        await dirigent.engine.rest("high59")
        assert worker.order.index("low") < 40
        assert worker.order[1:4].count("low") <= 1
        with pytest.raises(InvalidInput, match="priority"):
            await _start(dirigent, "wrong", priority=10)
