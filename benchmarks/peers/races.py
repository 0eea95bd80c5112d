"""The pieces of work, who does them, and by how much ours is to be better."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from benchmarks.peers.contenders import BARE, DBOS, DBOS_WAL, LANGGRAPH, OURS, Contender

PEERS = (LANGGRAPH, DBOS, DBOS_WAL)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One contender in one race: which of its workloads it does, how much of it, and in what variant."""

    contender: Contender
    workload: str
    sizes: Mapping[str, int]
    variant: str = ""

    @property
    def name(self) -> str:
        """How it is called in the table."""
        return f"{self.contender.name}, {self.variant}" if self.variant else self.contender.name


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of each answer. `less` tells that little is good."""

    key: str
    unit: str
    title: str
    less: bool = True


class Duel(msgspec.Struct, frozen=True, kw_only=True):
    """One of ours against a peer: how many times better it has to be; None where nothing is set."""

    ours: Entry
    peer: Entry
    times: float | None = None


class Race(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work. The duels' targets hold for the first metric.

    `often` multiplies the rounds: where a figure hangs on single fsyncs, turns are short and many, since a
    disk that others use too is quick in one second and slow in the next.
    """

    name: str
    metrics: tuple[Metric, ...]
    entries: tuple[Entry, ...]
    duels: tuple[Duel, ...]
    often: int = 1


def races(*, full: bool) -> dict[str, Race]:
    """All races by name; full ones are ten times as large where size matters."""
    size = 10_000 if full else 1000
    found = (_steps(), _alone(1, times=2), _alone(5, times=3), _fan(size), _long(), _park(size))
    return {race.name: race for race in found}


def _steps() -> Race:
    work = "5 no-op steps a run, 100 runs in flight"
    bare = Entry(contender=BARE, workload="steps", sizes={"runs": 4000})
    pure = Entry(contender=OURS, workload="steps", sizes={"runs": 1500})
    keyed = Entry(contender=OURS, workload="keyed", sizes={"runs": 1500}, variant="keyed effects")
    langgraph = Entry(contender=LANGGRAPH, workload="steps", sizes={"runs": 300})
    dbos, dbos_wal = (
        Entry(contender=peer, workload="steps", sizes={"runs": 200}) for peer in (DBOS, DBOS_WAL)
    )
    return Race(
        name="steps",
        metrics=(Metric(key="steps/s", unit="steps/s", title=work, less=False),),
        entries=(bare, pure, keyed, langgraph, dbos, dbos_wal),
        duels=(
            Duel(ours=pure, peer=bare),
            Duel(ours=pure, peer=langgraph, times=20),
            Duel(ours=keyed, peer=langgraph, times=8),
            Duel(ours=pure, peer=dbos, times=40),
            Duel(ours=pure, peer=dbos_wal, times=40),
        ),
    )


def _alone(steps: int, times: float) -> Race:
    sizes = {"steps": steps, "runs": 40}
    entries = [Entry(contender=each, workload="alone", sizes=sizes) for each in (BARE, OURS, *PEERS)]
    bare, ours, langgraph, *others = entries
    return Race(
        name=f"alone_{steps}",
        metrics=(Metric(key="ms", unit="ms", title=f"one run alone, steps: {steps}, p50"),),
        entries=tuple(entries),
        duels=(
            Duel(ours=ours, peer=bare),
            Duel(ours=ours, peer=langgraph, times=times),
            *(Duel(ours=ours, peer=peer) for peer in others),
        ),
        often=3,
    )


def _fan(size: int) -> Race:
    entries = [Entry(contender=each, workload="fan", sizes={"steps": size}) for each in (OURS, *PEERS)]
    return _against_all(
        "fan", (Metric(key="s", unit="s", title=f"{size:,} parallel steps and a join"),), entries
    )


def _long() -> Race:
    """LangGraph both ways: a node for each step, as ours does it, and a loop, which is its own way."""
    sizes = {"steps": 2000}
    entries = [
        Entry(contender=OURS, workload="long", sizes=sizes),
        Entry(contender=LANGGRAPH, workload="long", sizes=sizes, variant="a node a step"),
        Entry(contender=LANGGRAPH, workload="loop", sizes=sizes, variant="a loop"),
        Entry(contender=DBOS, workload="long", sizes=sizes),
    ]
    metrics = (
        Metric(key="stored_mb", unit="MB", title="2,000 steps one after another: stored"),
        Metric(key="s", unit="s", title="2,000 steps one after another: time"),
    )
    return _against_all("long", metrics, entries)


def _park(size: int) -> Race:
    entries = [Entry(contender=each, workload="park", sizes={"runs": size}) for each in (OURS, *PEERS)]
    metrics = (
        Metric(key="s", unit="s", title=f"{size:,} runs parked: to create"),
        Metric(key="mb", unit="MB", title=f"{size:,} runs parked: memory over idle"),
        Metric(key="recovered", unit="s", title=f"{size:,} runs parked: after kill -9, until taken up again"),
    )
    return _against_all("park", metrics, entries)


def _against_all(name: str, metrics: tuple[Metric, ...], entries: list[Entry]) -> Race:
    ours, *peers = entries
    duels = tuple(Duel(ours=ours, peer=peer) for peer in peers)
    return Race(name=name, metrics=metrics, entries=tuple(entries), duels=duels)
