"""Readings of the journal for lists and look-ups."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec

from dirigent.domain.errors import StorageFailure
from dirigent.domain.event import DefinitionStored
from dirigent.domain.patterns import matches
from dirigent.ports import ApprovalRow, ExecutionRow, OutcomeRow, Passive, Waiting
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.database import DATABASE, PROJECTIONS_SQL, SQL, connect_reader, connect_writer
from dirigent.storage.sqlite.failures import storage_errors
from dirigent.storage.sqlite.folding import refold
from dirigent.storage.sqlite.reading import Reader

UNFINISHED = frozenset({"pending", "running", "awaiting_approval", "paused", "cancelling", "compensating"})

_EXECUTION = ExecutionRow.__struct_fields__
_APPROVAL = ApprovalRow.__struct_fields__
_OUTCOME = OutcomeRow.__struct_fields__
_WAITING = Waiting.__struct_fields__
_json = msgspec.json.Decoder()


class SqliteProjections:
    """The port `Projections` over the journal's file; the journal itself keeps the rows up to date.

    An execution that has not ended is `awaiting_approval` while it, or one that it started, has an
    open approval, `cancelling` once its end was asked for, `compensating` while what its steps did is undone,
    and `running` otherwise. Definitions are
    read from the journal itself, so they are verified. Any thread may call; calls take turns.
    """

    def __init__(self, folder: Path, key: FolderKey | None = None) -> None:
        self._path = folder / DATABASE
        self._key = key
        self._lock = threading.Lock()
        with storage_errors(str(self._path)):
            self._connection = connect_reader(self._path, key)
            self._journal = Reader(self._path, key)

    def executions(
        self,
        tenant: str | None = None,
        *,
        statuses: Sequence[str] = (),
        parent: str | None = None,
        forked_from: str | None = None,
        limit: int = 100,
    ) -> list[ExecutionRow]:
        """Executions, newest first; `parent=""` lists only those that no other execution started."""
        wanted = {"of_tenant": tenant is not None, "with_status": bool(statuses)}
        wanted |= {"of_parent": bool(parent), "without_parent": parent == ""}
        wanted |= {"of_origin": forked_from is not None}
        wanted |= {"not_ended": bool(statuses) and UNFINISHED.issuperset(statuses)}
        values = {"tenant": tenant, "parent": parent, "forked_from": forked_from, "limit": limit}
        values |= {"statuses": msgspec.json.encode(list(statuses)).decode()}
        return self._executions(wanted, values)

    def begun_at(self, execution_id: str) -> int:
        """The position of the first event of an execution; 0 where there is none."""
        rows = self._rows(PROJECTIONS_SQL["begun_at"], {"execution_id": execution_id})
        return rows[0][0] if rows else 0

    def execution(self, execution_id: str) -> ExecutionRow | None:
        """One execution, or None."""
        values = {"execution_id": execution_id, "limit": 1}
        return next(iter(self._executions({"one_execution": True}, values)), None)

    def unfinished(self) -> list[str]:
        """Ids of the executions that have started and not ended, oldest first."""
        return [execution_id for (execution_id,) in self._rows(PROJECTIONS_SQL["unfinished"], {})]

    def passive(self) -> list[Passive]:
        """Those of the unfinished that were put out of memory and that nothing has happened to since."""
        return [
            Passive(execution_id=name, until=until, moving=bool(moving), budget=budget, spent=spent)
            for name, until, moving, budget, spent in self._rows(PROJECTIONS_SQL["passive"], {})
        ]

    def approvals(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[ApprovalRow]:
        """Approvals, oldest first; `execution` takes in its children.

        Beside what was decided, `state` may be `cancelled`: the execution ended before anybody decided.
        """
        wanted = {"of_tenant": tenant is not None, "open": state == "open"}
        wanted |= {"in_state": state not in (None, "open")}
        wanted |= {"of_execution": execution is not None}
        return self._approvals(wanted, {"tenant": tenant, "state": state, "execution": execution})

    def approval(self, approval_id: str) -> ApprovalRow | None:
        """One approval, or None."""
        return next(iter(self._approvals({"one_approval": True}, {"approval_id": approval_id})), None)

    def waiting(
        self, tenant: str | None = None, *, event: str | None = None, execution: str | None = None
    ) -> list[Waiting]:
        """Steps that wait for a signal, longest first: for one of this very name, or of one execution."""
        values = {"tenant": tenant, "event": event, "execution": execution}
        wanted = {"of_tenant": tenant is not None, "in_execution": execution is not None}
        statement = "waiting" if event is None else "waiting_for"
        rows = self._rows(_query(statement, wanted), values)
        found = [Waiting(**dict(zip(_WAITING, row[:-1], strict=True))) for row in rows]
        return [row for row in found if event is None or matches(row.event, event)]

    def outcomes(
        self, tenant: str | None = None, *, state: str | None = "open", execution: str | None = None
    ) -> list[OutcomeRow]:
        """Effects of unknown outcome, oldest first; `execution` takes in its children."""
        wanted = {"of_tenant": tenant is not None, "in_state": state is not None}
        wanted |= {"of_execution": execution is not None}
        values = {"tenant": tenant, "state": state, "execution": execution}
        found = []
        for row in self._rows(_query("outcomes", wanted), values):
            fields = dict(zip(_OUTCOME, row, strict=True))
            fields |= {"inputs": _json.decode(fields["inputs"]), "lookup": bool(fields["lookup"])}
            found.append(msgspec.convert(fields, OutcomeRow))
        return found

    def definition(self, content_hash: str) -> dict[str, Any] | None:
        """A stored workflow definition by its content hash; raises `JournalDamaged` where it is not whole."""
        events = self._journal.events(content_hash, 0)
        stored = (event.definition for event in events if isinstance(event, DefinitionStored))
        return next(stored, None)

    def rebuild(self) -> None:
        """Drop every row and fold the whole journal anew, in one transaction; appends wait meanwhile."""
        with storage_errors(str(self._path)), closing(connect_writer(self._path, self._key)) as connection:
            connection.execute(SQL["begin"])
            with connection:
                refold(connection)
            connection.execute(SQL["commit"])

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        with self._lock:
            self._connection.close()
        self._journal.close()

    def _executions(self, wanted: dict[str, bool], values: dict[str, Any]) -> list[ExecutionRow]:
        rows = self._rows(_query("executions", wanted), values)
        found = (dict(zip(_EXECUTION, row, strict=True)) for row in rows)
        return [ExecutionRow(**fields | {"paused": bool(fields["paused"])}) for fields in found]

    def _approvals(self, wanted: dict[str, bool], values: dict[str, Any]) -> list[ApprovalRow]:
        found = []
        for row in self._rows(_query("approvals", wanted), values):
            fields = dict(zip(_APPROVAL, row, strict=True))
            for name in ("preview", "deciders", "votes"):
                fields[name] = _json.decode(fields[name])
            found.append(msgspec.convert(fields, ApprovalRow))
        return found

    def _rows(self, sql: str, values: dict[str, Any]) -> list[Any]:
        with self._lock, storage_errors(str(self._path)):
            try:
                return self._connection.execute(sql, values).fetchall()
            except apsw.ConnectionClosedError:
                raise StorageFailure("The projections are closed.", fix="Open them again.") from None


def _query(statement: str, wanted: dict[str, bool]) -> str:
    names: Iterable[str] = [name for name, on in wanted.items() if on] or ["all"]
    return PROJECTIONS_SQL[statement].replace(
        "{where}", " AND ".join(PROJECTIONS_SQL[name] for name in names)
    )
