"""The server that holds a data folder, spoken to over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from dirigent.bootstrap.agent_keys import key_to_call_with
from dirigent.bootstrap.beside import holder_of
from dirigent.domain.errors import (
    Conflict,
    DataFolderBusy,
    DirigentError,
    InvalidDefinition,
    InvalidInput,
    NotFound,
    Refused,
    TransientError,
)
from dirigent.interpreter.problems import Problem
from dirigent.security.agent_keys import authorization
from dirigent.settings import Settings

TIMEOUT_SECONDS = 30.0
WORKFLOWS = "/api/v1/workflows"
KINDS: dict[int, type[DirigentError]] = {
    400: InvalidInput,
    401: Refused,
    403: Refused,
    409: Conflict,
    413: InvalidInput,
    422: InvalidInput,
}


def serving(settings: Settings) -> Server | None:
    """The server that holds the data folder; None where nobody does, or nobody who serves."""
    holder = holder_of(settings.data_folder)
    if holder is None or not holder.url:
        return None
    return Server(holder.url, key_to_call_with(settings, holder.url))


class Server:
    """One running `dirigent serve` or `agent serve`, which asks for a key.

    Its errors are raised as what they would be here.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = authorization(key) if key else {}

    def submit_goal(self, goal: dict[str, Any]) -> dict[str, Any]:
        """Hand in a goal."""
        return self._post("/api/are/goals", goal)

    def decide(self, approval_id: str, decision: str, actor: str, comment: str) -> dict[str, Any]:
        """Approve or reject."""
        body = {"decision": decision, "actor": actor, "comment": comment}
        return self._post(f"/api/v1/approvals/{approval_id}/decide", body)

    def edit(self, approval_id: str, inputs: dict[str, Any], actor: str, comment: str) -> dict[str, Any]:
        """Have an action asked for anew with other inputs."""
        body = {"decision": "edit", "inputs": inputs, "actor": actor, "comment": comment}
        return self._post(f"/api/v1/approvals/{approval_id}/decide", body)

    def steer(self, execution_id: str, act: str, body: dict[str, Any]) -> dict[str, Any]:
        """Cancel, pause, resume, signal, resolve, fork or retry an execution."""
        return self._post(f"/api/v1/executions/{quote(execution_id)}/{act}", body)

    def execute(self, body: dict[str, Any], source: str = "") -> dict[str, Any]:
        """Start a workflow; `source` is the file that mistakes in its definition are told of."""
        return self._post(f"{WORKFLOWS}/execute", body, source)

    def validate_workflow(self, definition: str, source: str) -> list[Problem]:
        """Advice on a workflow; raises `InvalidDefinition` with every problem."""
        told = self._post(f"{WORKFLOWS}/validate", {"definition": definition})
        if not told["valid"]:
            raise _invalid(told["problems"], source)
        return _problems(told["warnings"], source)

    def save_workflow(self, body: dict[str, Any], source: str) -> dict[str, Any]:
        """Store a workflow."""
        return self._post(WORKFLOWS, body, source)

    def change_workflow(self, name: str, act: str, org: str, body: dict[str, Any]) -> dict[str, Any]:
        """Put a version of a stored workflow in force, pause or resume it."""
        return self._post(f"{WORKFLOWS}/{quote(name, safe='')}/{act}?org_id={quote(org)}", body)

    def publish(self, event: dict[str, Any]) -> dict[str, Any]:
        """Hand in an event."""
        return self._post("/api/v1/events", event)

    def triggers(self) -> list[dict[str, Any]]:
        """The triggers at work, told as `trigger_told` does; the id of a workflow is for who speaks HTTP."""
        found = self._ask("GET", "/api/v1/triggers")["triggers"]
        return [{name: value for name, value in one.items() if name != "workflow_id"} for one in found]

    def with_trigger(self, act: str, trigger: str, org: str | None, body: dict[str, Any]) -> dict[str, Any]:
        """Fire, pause or resume a trigger."""
        query = f"?org_id={quote(org)}" if org else ""
        return self._post(f"/api/v1/triggers/{quote(trigger, safe='')}/{act}{query}", body)

    def poll_connector(self, name: str, org: str, *, again: bool) -> dict[str, Any]:
        """Ask another system now what has changed."""
        query = f"?org_id={quote(org)}" if org else ""
        return self._post(f"/api/v1/connectors/{quote(name, safe='')}/poll{query}", {"again": again})

    def _post(self, path: str, body: dict[str, Any], source: str = "") -> dict[str, Any]:
        return self._ask("POST", path, body, source)

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, source: str = ""
    ) -> dict[str, Any]:
        try:
            # The server is on this machine: no proxy stands in between.
            with httpx2.Client(base_url=self.url, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
                answer = client.request(method, path, json=body, headers=self._headers)
        except httpx2.TransportError as error:
            raise TransientError(
                f"{self.url} holds the data folder and does not answer ({error}).",
                fix="Try again, or end that process.",
            ) from error
        if answer.is_success:
            found: dict[str, Any] = answer.json()
            return found
        raise self._error_of(answer, source)

    def _error_of(self, answer: httpx2.Response, source: str) -> DirigentError:
        told = _told(answer)
        if told.get("code") == "not_found" and answer.request.url.path.startswith(WORKFLOWS):
            return DataFolderBusy(
                f"{self.url} holds the data folder and takes no workflows: it serves an agent.",
                fix="End that process, or name another folder with --data.",
            )
        if told.get("code") == InvalidDefinition.code and told.get("problems"):
            return _invalid(told["problems"], source)
        return _error(answer.status_code, told)


def _error(status: int, told: dict[str, Any]) -> DirigentError:
    message = str(told.get("detail") or f"The server answered {status}.")
    fix = str(told.get("fix") or "")
    fix = "" if fix.startswith("GET /") else fix  # meant for who speaks HTTP
    if status == 404:
        return NotFound(message, code=str(told.get("code") or "not_found"), nearest=told.get("nearest") or ())
    return KINDS.get(status, DirigentError)(message, fix=fix)


def _invalid(problems: list[dict[str, Any]], source: str) -> InvalidDefinition:
    found = _problems(problems, source)
    return InvalidDefinition("\n".join(map(str, found)), problems=found)


def _problems(told: list[dict[str, Any]], source: str) -> list[Problem]:
    return [msgspec.convert({**one, "file": source}, Problem) for one in told]


def _told(answer: httpx2.Response) -> dict[str, Any]:
    """The problem document that every error of the server is."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
