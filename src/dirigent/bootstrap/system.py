"""The whole system over one data folder, put together."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from dirigent import __version__
from dirigent.agents.catalogue import catalogue
from dirigent.bootstrap.agent_loading import load_agents
from dirigent.bootstrap.garbage import spare_what_stays
from dirigent.bootstrap.keys import folder_key, folder_lock
from dirigent.bootstrap.reactions import House, Reactions
from dirigent.bootstrap.remote_agents import RemoteAgents
from dirigent.bootstrap.workshop import BUILT_IN_FLOWS, Workshop
from dirigent.control.catalogue import control_agents
from dirigent.control.policy.detection import Safety
from dirigent.control.policy.gate import RulePolicyGate
from dirigent.control.policy.loading import default_rules, load_rules, merged
from dirigent.control.policy.rules import Rule
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import Event
from dirigent.domain.goal import Goal
from dirigent.domain.policy import Autonomy
from dirigent.domain.workflow import Definition
from dirigent.engine import Engine
from dirigent.execution.breaker import Breakers
from dirigent.execution.circuit_log import CircuitLog
from dirigent.execution.dispatcher import Dispatcher, World
from dirigent.execution.gates import Gates
from dirigent.execution.registry import Registry
from dirigent.intake.engine_flows import DeliveryOrchestrator, GoalFlow, StoredWorkflowFlow, WorkflowFlow
from dirigent.intake.events.log import EventLog
from dirigent.intake.events.reading import read_event
from dirigent.intake.events.upcasting import Upcasters
from dirigent.intake.goals.report import GoalReport, report_goal
from dirigent.intake.imports import ImportReport, import_folder
from dirigent.intake.ingest import Accepted, Intake, Limits
from dirigent.intake.library.starting import Starter
from dirigent.intake.library.store import WorkflowStore
from dirigent.intake.triggers.armed import Armed
from dirigent.intake.triggers.at_work import Reaction
from dirigent.intake.workflows import Workflow, Written, built_in, files_of, inspect_file, read_workflow
from dirigent.integrations.deterministic_model import DeterministicModel
from dirigent.integrations.file_outbox import FileOutbox
from dirigent.integrations.web_client import WebClient
from dirigent.interpreter.loading import Inspected
from dirigent.interpreter.reading import Reading
from dirigent.ports import Clock, EventStream, Model, Web, WorkflowRow
from dirigent.ports.queueing import Orchestrator
from dirigent.runtimes.clock import SystemClock
from dirigent.runtimes.ids import FreshIds
from dirigent.runtimes.local import LocalRuntime
from dirigent.runtimes.places import Bound, Crowd
from dirigent.security.folder_key import FolderKey
from dirigent.settings import AGENTS, Settings, read_settings
from dirigent.storage.sqlite.event_index import SqliteEventIndex
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.memory import SqliteMemory
from dirigent.storage.sqlite.projections import SqliteProjections
from dirigent.storage.sqlite.records import SqliteRecords
from dirigent.storage.sqlite.snapshots import SqliteSnapshots
from dirigent.storage.sqlite.workflows import SqliteWorkflows

if TYPE_CHECKING:
    import httpx2

    from dirigent.api.services import Services

Progress = Callable[[str, str, int, int, str], None]
Flow = Orchestrator | Written


class Dirigent:
    """The whole system over one data folder; an async context manager.

    `agents` are your own agents, beside those that come with Dirigent or in the place of some; those that
    `DIRIGENT_AGENTS` names are there as well. `model` stands
    for the language model; without one everything works by rules. `web` stands for the way to other systems.
    The triggers of `workflows` (loaded ones, or files) are at work from the beginning, as are those of the
    folder in the settings. On entering, every execution that had not ended is taken up again. `flows` are
    what jobs may run beside `goal`, `workflow` and `delivery`: workflows, or orchestrators of your own.
    An agent whose server is named in the environment runs there; `agent_transport` stands for the way to it.
    `upcasters` read events of older schemas; `stream` carries out what happens. Raises `DataFolderBusy` where
    another process holds the folder.

    >>> async with Dirigent() as dirigent:
    ...     report = await dirigent.process_goal("Reactivate 50 dormant enterprise leads")
    """

    journals: ClassVar[type[SqliteJournal]] = SqliteJournal
    record_books: ClassVar[type[SqliteRecords]] = SqliteRecords
    _planners: ClassVar[tuple[str, ...]] = ("planner", "critic", "guardrail", "rag_service")

    def __init__(
        self,
        data_folder: str | Path | None = None,
        *,
        agents: Iterable[type[Any] | object] = (),
        workflows: Iterable[Written] = (),
        model: Model | None = None,
        web: Web | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        progress: Progress | None = None,
        flows: Mapping[str, Flow] | None = None,
        upcasters: Upcasters | None = None,
        stream: EventStream | None = None,
        agent_transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings or read_settings(data_folder=data_folder)
        if data_folder is not None:
            self.settings = self.settings.model_copy(update={"data_folder": Path(data_folder)})
        self.clock = clock or SystemClock()
        self.model = model or DeterministicModel()
        own = [*agents]
        named = [one for one in load_agents(self.settings.agents, AGENTS) if one not in own]
        self.registry = self._registered([*named, *own])
        self.servers = RemoteAgents(self.registry, self.settings, agent_transport)
        self.resumed: list[str] = []
        self._web = web
        self._flows = dict(flows or {})
        self._upcasters = upcasters or Upcasters()
        self._stream = stream
        self._workflows = [*workflows]
        self._progress = progress
        self._opened_at = time.monotonic()

    async def __aenter__(self) -> Self:
        folder = self.settings.data_folder
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = folder_lock(self.settings)
        self.lock.acquire()
        try:
            await self._open(folder)
        except BaseException:
            self.lock.release()
            raise
        spare_what_stays()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.reactions.close()
        await self.runtime.close()
        await self.web.close()
        await self.servers.close()
        self.work.close()
        self.registry.close()
        self.snapshots.close()
        await self.journal.close()
        self.projections.close()
        self.event_index.close()
        self.workflows.close()
        self.memory.close()
        self.records.close()
        self.lock.release()

    async def _open(self, folder: Path) -> None:
        key = folder_key(self.settings)
        self.records = self.record_books(folder / "records.db", key=key)
        self.memory = SqliteMemory(folder / "memory.db", key)
        self.journal = self.journals.open(folder, key=key)
        self.projections = SqliteProjections(folder, key)
        self.event_index = SqliteEventIndex(folder, key)
        self.events = EventLog(self.journal, self.event_index, self.clock)
        secrets = {name: value.get_secret_value() for name, value in self.settings.secrets.items()}
        self.web = WebClient(allowed=self.settings.http_allow, secrets=secrets)
        self.policy = RulePolicyGate(self._rules(), now_ms=self.clock.now_ms, safety=self._safety())
        gates = Gates(self.policy, self.records, self.allows_delivery)
        world = World(
            records=self.records,
            memory=self.memory,
            model=self.model,
            outbox=FileOutbox(folder / "outbox"),
            clock=self.clock,
            events=self.events,
            web=self._web or self.web,
        )
        circuits = CircuitLog(self.journal)
        breakers = Breakers(self.clock.now_ms, circuits.keep)
        breakers.restore(circuits.last())
        self.dispatcher = Dispatcher(self.registry, gates, world, progress=self._progress, breakers=breakers)
        self.workflows = SqliteWorkflows(folder, key)
        self.library = WorkflowStore(
            self.journal,
            self.workflows,
            self.clock,
            actions=self.registry.known_actions(),
            changed=self._rearm,
        )
        self.snapshots = SqliteSnapshots(folder, self.journal, key)
        self.runtime = LocalRuntime(
            self.journal,
            self.projections,
            self.dispatcher,
            self.clock,
            self.library,
            self._crowd(),
            self.snapshots,
        )
        self.engine = Engine(
            self.runtime,
            self.journal,
            self.projections,
            self.clock,
            self.allows_delivery,
            FreshIds().make,
        )
        self.intake = Intake(self.engine, self.registry, built_in, self.clock, self._limits())
        self.starter = Starter(self.engine, self.intake, self.library)
        self.reactions = self._reactions(folder, key)
        self.triggers, self.webhooks = self.reactions.triggers, self.reactions.webhooks
        self.connectors = self.reactions.connectors
        self.work = Workshop(self.settings, self.registry, self.clock)
        self._offer_flows()
        self.resumed = await self.runtime.start()
        for row in self.library.rows():
            self._rearm(row, self.library.get(row.tenant, row.name).definition)
        for workflow in [*files_of(self.settings.workflows), *self._workflows]:
            definition = self.workflow(workflow)
            self.arm(definition)
            if definition.name not in BUILT_IN_FLOWS:
                self.registry.flows.replace(definition.name, self._as_orchestrator(definition))
        await self.reactions.start()

    def allows_delivery(self, tenant: str) -> bool:
        """Whether anything may leave for this tenant."""
        _ = tenant
        return self.settings.allow_delivery

    async def submit_goal(self, goal: Mapping[str, Any] | Goal | str) -> Accepted:
        """Accept a goal and return at once; it runs in the background."""
        return await self.intake.submit_goal(goal, trigger="sdk")

    async def process_goal(self, goal: Mapping[str, Any] | Goal | str) -> GoalReport:
        """Accept a goal and wait until it has ended or waits for a person."""
        accepted = await self.submit_goal(goal)
        await self.engine.rest(accepted.execution_id)
        return self.report(accepted.execution_id)

    def arm(self, workflow: Written, *, tenant: str | None = None) -> list[Armed]:
        """Put the triggers of a workflow to work until this Dirigent is closed."""
        return self.triggers.put(self.workflow(workflow), tenant or self.settings.tenant)

    async def publish(self, event: DomainEvent | Mapping[str, Any]) -> Reaction:
        """Take in an event of the business and wait until it has met the triggers and whatever waits for it.

        A mapping is read as the JSON form of CloudEvents; without an id it gets a new one.
        """
        if isinstance(event, DomainEvent):
            return await self.triggers.publish(event)
        new_id = f"evt_{uuid.uuid4().hex}"
        return await self.triggers.publish(read_event(event, tenant=self.settings.tenant, new_id=new_id))

    def report(self, execution_id: str) -> GoalReport:
        """How a goal stands: plan, tasks, assessment, what leaves and what is held."""
        return report_goal(self.engine, execution_id)

    async def run(
        self,
        workflow: Written,
        input: Mapping[str, Any] | None = None,
        *,
        tenant: str | None = None,
        autonomy: Autonomy | None = None,
    ) -> Reading:
        """Run a workflow, as `workflow` reads it, and wait until it has ended or waits for a person."""
        return await self.intake.run_to_rest(self.workflow(workflow), input, tenant=tenant, autonomy=autonomy)

    def workflow(self, workflow: Written) -> Definition:
        """The definition of a workflow: a loaded one, data, YAML or JSON text, or the path of a file.

        What is not loaded yet is checked against the agents there are. Raises `InvalidDefinition` with every
        problem.
        """
        return read_workflow(workflow, self.registry.known_actions())

    async def run_stored(
        self,
        name: str,
        input: Mapping[str, Any] | None = None,
        *,
        tenant: str | None = None,
        version: int = 0,
        autonomy: Autonomy | None = None,
    ) -> Reading:
        """Run a stored workflow, the version in force or another, until it has ended or waits for a person.

        Raises `NotFound`, and `Conflict` where the workflow is paused.
        """
        stored = self.library.startable(tenant or self.settings.tenant, name, version)
        return await self.intake.run_to_rest(
            stored.definition, input, tenant=tenant, autonomy=autonomy, version=stored.version.version
        )

    async def start_stored(
        self,
        name: str,
        input: Mapping[str, Any] | None = None,
        *,
        tenant: str | None = None,
        version: int = 0,
        autonomy: Autonomy | None = None,
        key: str = "",
    ) -> str:
        """As `run_stored`, but returns at once, with the execution's id; under one `key` it starts once."""
        whose = tenant or self.settings.tenant
        return await self.starter.start_stored(
            name, input, tenant=whose, version=version, key=key, autonomy=autonomy
        )

    def inspect(self, path: str | Path) -> Inspected:
        """The definition in a file, checked against the agents there are, and advice on it."""
        return inspect_file(Path(path), self.registry)

    def import_folder(
        self,
        folder: Path,
        tenant: str | None = None,
        *,
        strict: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> ImportReport:
        """Read a folder of CSV files through its `import.yaml`."""
        return import_folder(
            folder, self.records, tenant or self.settings.tenant, strict=strict, progress=progress
        )

    def health(self) -> dict[str, Any]:
        """Every component with its status; `unhealthy` where a required one is down."""
        damaged = self.runtime.damaged
        active = len(self.runtime.running())
        found = [
            *(_component(key, "online", self.registry.agent(key).description) for key in self._planners),
            *(
                _component(f"agent:{key}", server.presence.state, server.presence.detail or server.address)
                for key, server in self.servers.servers.items()
            ),
            self._executor_health(active),
            queue_health(self.work),
            _component("event_store", "error" if damaged else "online", "; ".join(damaged.values())),
            self._database_health(),
            _component("brain", "online", f"{self.model.provider} provider"),
        ]
        return {
            "status": "unhealthy" if damaged else "healthy",
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._opened_at, 1),
            "components": {component["name"]: component for component in found},
            "active_executions": active,
        }

    def _executor_health(self, active: int) -> dict[str, str]:
        alone = [f"{agent} is left alone for {tenant}" for tenant, agent in self.dispatcher.breakers.open()]
        less = [*alone, *self.dispatcher.capacity.left()]
        detail = "; ".join([f"{active} executions in memory", *less])
        return _component("executor", "degraded" if less else "online", detail)

    def _database_health(self) -> dict[str, str]:
        instead = self.settings.not_used()
        return _component("database", "degraded" if instead else "online", " ".join(["SQLite.", *instead]))

    def services(self) -> Services:
        """What the HTTP interface needs; imports the web framework only now."""
        from dirigent.api.messages import find_message
        from dirigent.api.services import LOOPBACK, Services

        settings = self.settings
        return Services(
            engine=self.engine,
            intake=self.intake,
            registry=self.registry,
            report=self.report,
            health=self.health,
            config=lambda: {**settings.shown(), "agents": self.servers.shown()},
            servers=self.servers.servers,
            look=self.servers.look,
            message=lambda tenant, message_id: find_message(self.records, tenant, message_id),
            triggers=self.triggers,
            event_index=self.event_index,
            webhooks=self.webhooks,
            connectors=self.connectors,
            library=self.library,
            starter=self.starter,
            live=self.reactions.live,
            tenant=settings.tenant,
            actor=settings.actor,
            version=__version__,
            hosts=LOOPBACK if settings.host in LOOPBACK else (),
        )

    def observe(self, observer: Callable[[str, Event], None]) -> Callable[[], None]:
        """Be told of every durable event; returns how to stop."""
        return self.runtime.observe(observer)

    def _registered(self, agents: Iterable[type[Any] | object]) -> Registry:
        registry = Registry([*control_agents(), *catalogue()])
        for own in agents:
            registry.register(own)
        return registry

    def _offer_flows(self) -> None:
        """Goals, stored workflows, the delivery of messages and the caller's flows, under their names."""
        engine, intake = self.engine, self.intake
        self.registry.flows.replace("goal", GoalFlow(engine, intake))
        self.registry.flows.replace("workflow", StoredWorkflowFlow(engine, intake, self.library))
        delivery = DeliveryOrchestrator(engine, intake, lambda: built_in("delivery"), self.records)
        self.registry.flows.replace("delivery", delivery)
        for name, flow in self._flows.items():
            self.registry.flows.replace(name, self._as_orchestrator(flow))

    def _as_orchestrator(self, flow: Flow) -> Orchestrator:
        if not isinstance(flow, Workflow | Definition | Mapping | str | Path):
            return flow
        definition = self.workflow(flow)
        return WorkflowFlow(self.engine, self.intake, lambda: definition)

    def _reactions(self, folder: Path, key: FolderKey | None) -> Reactions:
        house = House(
            folder=folder,
            key=key,
            settings=self.settings,
            journal=self.journal,
            index=self.event_index,
            log=self.events,
            engine=self.engine,
            registry=self.registry,
            projections=self.projections,
            clock=self.clock,
            limits=self._limits(),
            upcasters=self._upcasters,
            stream=self._stream,
        )
        return Reactions(house)

    def _rearm(self, row: WorkflowRow, definition: Definition) -> None:
        """Put the triggers of a stored workflow to work, or let them rest while it is paused."""
        if row.state == "active":
            self.triggers.put(definition, row.tenant)
        else:
            self.triggers.remove(row.name, row.tenant)

    def _rules(self) -> tuple[Rule, ...]:
        extra = self.settings.policies
        if extra is None:
            return default_rules()
        return merged(default_rules(), load_rules(extra.read_text(encoding="utf-8"), source=str(extra)))

    def _safety(self) -> Safety:
        switches = self.settings.config.safety
        return Safety(
            content_filtering=switches.contentFilteringEnabled,
            pii_detection=switches.piiDetectionEnabled,
            rate_limiting=switches.rateLimitingEnabled,
        )

    def _crowd(self) -> Crowd:
        settings = self.settings
        return Crowd(
            at_once=settings.max_concurrent_workflows,
            pending=settings.max_pending_workflows,
            weight_of=settings.weight,
            bound_of=self._bound_of,
        )

    def _bound_of(self, tenant: str) -> Bound:
        limit = self.settings.limit(tenant)
        return Bound(at_once=limit.at_once, pending=limit.pending)

    def _limits(self) -> Limits:
        return Limits(
            tenant=self.settings.tenant,
            actor=self.settings.actor,
            default_autonomy=self.settings.config.defaultAutonomyLevel,
            max_autonomy=self.settings.max_autonomy,
        )


def _component(name: str, status: str, detail: str) -> dict[str, str]:
    return {"name": name, "status": status, "detail": detail}


def queue_health(work: Workshop) -> dict[str, str]:
    """The queue as a component; jobs that are dead wait for a person, and say so."""
    try:
        counts = work.counts()
    except DirigentError as error:
        return _component("queue", "error", str(error))
    dead = sum(count.dead for count in counts)
    still_open = sum(count.open for count in counts)
    told = f"embedded; {still_open} open, {dead} dead" if counts else "embedded"
    return _component("queue", "degraded" if dead else "online", told)
