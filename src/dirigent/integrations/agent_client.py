"""Agents that run as servers of their own, called over HTTP at the address that the operator gave."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from dirigent.domain.errors import ActionFailed, DirigentError, Refused
from dirigent.domain.event import Failure
from dirigent.integrations.reply_body import read_body
from dirigent.ports.remote import (
    ANSWER_BYTES_MAX,
    CALL_BYTES_MAX,
    ERROR,
    FAILED,
    OFFLINE,
    ONLINE,
    OUTCOME_UNKNOWN,
    SUCCEEDED,
    UNCLEAR,
    Presence,
    RemoteAnswer,
    RemoteCall,
)
from dirigent.security.admission import current_admission
from dirigent.security.agent_keys import VARIABLE, authorization

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 5.0
LOOK_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 5.0
RETRY_AFTER_MS_MAX = 3_600_000
TEXT_LENGTH_MAX = 1000
PROBLEM = "application/problem+json"
NOT_TAKEN = "not_taken"


class AgentClient:
    """The port `RemoteAgent`. Acts only inside an admitted call of the very action that it passes on.

    `key` gives the key to send, or nothing where there is none. No redirect is followed, no proxy of the
    environment is asked, certificates are checked, and no connection is used twice: one that broke
    unnoticed would leave it open whether anything was sent.
    """

    def __init__(
        self,
        agent: str,
        address: str,
        key: Callable[[], str],
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = address
        self.presence = Presence()
        self._path = f"/api/v1/agents/{quote(agent, safe='')}"
        self._key = key
        self._transport = transport
        self._client: httpx2.AsyncClient | None = None
        self._looked_at = float("-inf")

    async def call(self, call: RemoteCall) -> RemoteAnswer:
        """Have the server take an action. Whatever goes wrong on the way is an answer too."""
        _require_admission(call)
        body = msgspec.json.encode(call)
        if len(body) > CALL_BYTES_MAX:
            message = f"The call has {len(body):,} bytes; a server takes {CALL_BYTES_MAX:,}."
            return _not_done("payload_too_large", message)
        try:
            key = self._key()
        except DirigentError as error:
            return _not_done(error.code, str(error))
        if not key:
            return _not_done("agent_key_missing", f"There is no key for {self.address}. Set {VARIABLE}.")
        answer = await self._exchange("POST", f"{self._path}/calls", key, body)
        return answer if isinstance(answer, RemoteAnswer) else self._read(*answer)

    async def look(self) -> Presence:
        """Ask whether the agent is there; the answer is kept for a few seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._looked_at < LOOK_AGAIN_SECONDS:
            return self.presence
        self._looked_at = now
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                answer = await self._exchange("GET", self._path, self._key(), None)
        except TimeoutError:
            self.presence = Presence(state=OFFLINE, detail=f"{self.address} does not answer in time")
        except DirigentError as error:
            self.presence = Presence(state=ERROR, detail=str(error))
        else:
            if not isinstance(answer, RemoteAnswer):
                self.presence = _seen(self.address, answer[0])
        return self.presence

    async def close(self) -> None:
        """Let go of every connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _exchange(
        self, method: str, path: str, key: str, body: bytes | None
    ) -> tuple[httpx2.Response, bytes] | RemoteAnswer:
        """The answer with its body; or, as an answer of ours, why there is none."""
        import httpx2

        headers = {**authorization(key), "accept-encoding": "identity"}
        if body is not None:
            headers["content-type"] = "application/json"
        client = self._open()
        request = client.build_request(method, self.address + path, headers=headers, content=body)
        try:
            reply = await client.send(request, stream=True)
            try:
                return reply, await read_body(reply, ANSWER_BYTES_MAX)
            finally:
                await reply.aclose()
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            self.presence = Presence(state=OFFLINE, detail=f"{self.address} cannot be reached")
            message = f"{self.address} cannot be reached ({_reason(error)}); nothing was sent."
            return _not_done(NOT_TAKEN, message, retryable=True)
        except httpx2.HTTPError as error:
            self.presence = Presence(state=OFFLINE, detail=f"{self.address} broke off")
            return _unclear(f"{self.address} did not answer ({_reason(error)}).", retryable=True)
        except ActionFailed as error:
            return _unclear(f"{self.address}: {error}")

    def _read(self, reply: httpx2.Response, body: bytes) -> RemoteAnswer:
        if reply.status_code == 200:
            self.presence = Presence(state=ONLINE)
            return _told(body, self.address)
        problem = _problem(reply, body)
        message = f"{problem.get('detail', '')} {problem.get('fix', '')}".strip()[:TEXT_LENGTH_MAX]
        wait_ms = _retry_after_ms(reply)
        if reply.status_code == 429 and problem.get("code") == "overloaded":
            return _not_done(NOT_TAKEN, message, retryable=True, wait_ms=wait_ms)
        if problem.get("code") and 400 <= reply.status_code < 500 and reply.status_code not in (408, 429):
            return _not_done(str(problem["code"])[:200], f"{self.address}: {message}", rules=_rules(problem))
        said = f"{self.address} answered {reply.status_code} {message}".strip()
        return _unclear(
            said, retryable=reply.status_code in (408, 429) or reply.status_code >= 500, wait_ms=wait_ms
        )

    def _open(self) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                transport=self._transport,
                verify=ssl.create_default_context(),
                trust_env=False,
                follow_redirects=False,
                timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            )
        return self._client


def _require_admission(call: RemoteCall) -> None:
    admission = current_admission()
    if admission is None or (admission.agent, admission.action.name) != (call.agent, call.action):
        if admission is not None:
            admission.on_refusal(call.agent, call.action)
        raise Refused("Only an admitted action may reach its server.", rules=("dispatcher.only_way",))


def _told(body: bytes, address: str) -> RemoteAnswer:
    """The answer of a server, as far as it can be believed."""
    try:
        answer = msgspec.json.decode(body, type=RemoteAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _unclear(f"{address} answered with something else than an answer ({error}).")
    if answer.status not in (SUCCEEDED, FAILED, UNCLEAR, OUTCOME_UNKNOWN):
        return _unclear(f"{address} answered with the status {answer.status[:50]!r}.")
    if not answer.reference.isprintable():
        answer = msgspec.structs.replace(answer, reference="")
    if answer.error is not None:
        wait_ms = min(max(answer.error.retry_after_ms, 0), RETRY_AFTER_MS_MAX)
        bounded = msgspec.structs.replace(answer.error, retry_after_ms=wait_ms)
        answer = msgspec.structs.replace(answer, error=bounded)
    return answer


def _problem(reply: httpx2.Response, body: bytes) -> dict[str, Any]:
    """The problem document that every error of a server of ours is; empty where it is none."""
    if reply.headers.get("content-type", "").partition(";")[0].strip() != PROBLEM:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _rules(problem: dict[str, Any]) -> tuple[str, ...]:
    rules = problem.get("rules")
    return tuple(str(rule)[:200] for rule in rules[:50]) if isinstance(rules, list) else ()


def _retry_after_ms(reply: httpx2.Response) -> int:
    asked = reply.headers.get("retry-after", "")
    return min(int(asked) * 1000, RETRY_AFTER_MS_MAX) if asked.isdecimal() and len(asked) < 10 else 0


def _seen(address: str, reply: httpx2.Response) -> Presence:
    if reply.status_code == 200:
        return Presence(state=ONLINE)
    why = {401: "does not accept the key", 404: "does not serve this agent"}
    return Presence(
        state=ERROR, detail=f"{address} {why.get(reply.status_code, f'answers {reply.status_code}')}"
    )


def _not_done(
    code: str, message: str, *, retryable: bool = False, wait_ms: int = 0, rules: tuple[str, ...] = ()
) -> RemoteAnswer:
    failure = Failure(code=code, message=message, retryable=retryable, rules=rules, retry_after_ms=wait_ms)
    return RemoteAnswer(status=FAILED, error=failure, let_out=False)


def _unclear(message: str, *, retryable: bool = False, wait_ms: int = 0) -> RemoteAnswer:
    code = "transient" if retryable else "bad_answer"
    failure = Failure(code=code, message=message, retryable=retryable, retry_after_ms=wait_ms)
    return RemoteAnswer(status=UNCLEAR, error=failure)


def _reason(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
