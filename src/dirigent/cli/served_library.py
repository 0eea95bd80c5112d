"""The stored workflows of a data folder that a server holds: changed through it, read beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from dirigent.cli.remote import Server
from dirigent.domain.workflow import Definition
from dirigent.intake.library.store import Saved, WorkflowStore
from dirigent.ports import WorkflowRow


class ServedLibrary:
    """Changes stored workflows through a server; see `Library`. Its errors are those of the store."""

    def __init__(self, server: Server, beside: WorkflowStore) -> None:
        self._server = server
        self._beside = beside

    async def save(
        self,
        written: str,
        *,
        tenant: str,
        actor: str,
        note: str = "",
        source: str = "<workflow>",
        known_agents: bool = True,
    ) -> Saved:
        """Store a workflow under its name and put it in force."""
        body = {
            "definition": written,
            "org_id": tenant,
            "actor": actor,
            "note": note,
            "known_agents": known_agents,
        }
        told = self._server.save_workflow(body, source)
        return msgspec.convert({name: told[name] for name in Saved.__struct_fields__}, Saved)

    def find(self, tenant: str, name: str) -> WorkflowRow:
        """One workflow."""
        return self._beside.find(tenant, name)

    async def rollback(
        self, tenant: str, name: str, version: int, *, actor: str, note: str = ""
    ) -> WorkflowRow:
        """Put another version in force."""
        return self._change(tenant, name, f"versions/{version}/activate", {"actor": actor, "note": note})

    async def pause(self, tenant: str, name: str, *, actor: str, reason: str = "") -> WorkflowRow:
        """Start no more executions of a workflow."""
        return self._change(tenant, name, "pause", {"actor": actor, "reason": reason})

    async def resume(self, tenant: str, name: str, *, actor: str) -> WorkflowRow:
        """Let a workflow start executions again."""
        return self._change(tenant, name, "resume", {"actor": actor})

    def check(self, written: str, *, source: str = "<workflow>", known_agents: bool = True) -> Definition:
        """The definition as it would be stored; which agents there are is known to the server."""
        if known_agents:
            self._server.validate_workflow(written, source)
        return self._beside.check(written, source=source, known_agents=False)

    def _change(self, tenant: str, name: str, act: str, body: dict[str, Any]) -> WorkflowRow:
        told = self._server.change_workflow(name, act, tenant, body)
        return self._beside.find(tenant, told["name"])
