"""The server that holds a data folder, spoken to over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2

from dirigent.bootstrap.agent_keys import key_to_call_with
from dirigent.bootstrap.beside import holder_of
from dirigent.domain.errors import Conflict, DirigentError, InvalidInput, NotFound, Refused, TransientError
from dirigent.security.agent_keys import authorization
from dirigent.settings import Settings

TIMEOUT_SECONDS = 30.0
KINDS: dict[int, type[DirigentError]] = {
    400: InvalidInput,
    401: Refused,
    403: Refused,
    409: Conflict,
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

    def publish(self, event: dict[str, Any]) -> dict[str, Any]:
        """Hand in an event."""
        return self._post("/api/v1/events", event)

    def triggers(self) -> list[dict[str, Any]]:
        """The triggers at work."""
        found: list[dict[str, Any]] = self._ask("GET", "/api/v1/triggers")["triggers"]
        return found

    def with_trigger(self, act: str, trigger: str, org: str | None, body: dict[str, Any]) -> dict[str, Any]:
        """Fire, pause or resume a trigger."""
        query = f"?org_id={quote(org)}" if org else ""
        return self._post(f"/api/v1/triggers/{quote(trigger, safe='')}/{act}{query}", body)

    def poll_connector(self, name: str, org: str, *, again: bool) -> dict[str, Any]:
        """Ask another system now what has changed."""
        query = f"?org_id={quote(org)}" if org else ""
        return self._post(f"/api/v1/connectors/{quote(name, safe='')}/poll{query}", {"again": again})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
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
        raise _error_of(answer)


def _error_of(answer: httpx2.Response) -> DirigentError:
    told = _told(answer)
    message = str(told.get("detail") or f"The server answered {answer.status_code}.")
    fix = str(told.get("fix") or "")
    if answer.status_code == 404:
        return NotFound(message, code=str(told.get("code") or "not_found"))
    return KINDS.get(answer.status_code, DirigentError)(message, fix=fix)


def _told(answer: httpx2.Response) -> dict[str, Any]:
    """The problem document that every error of the server is."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
