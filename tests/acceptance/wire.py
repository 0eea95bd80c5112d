"""What the HTTP tests share: requests as printed in the examples, and the form of their answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

EXAMPLES = Path(__file__).parent.parent / "fixtures" / "examples"


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    """A client that calls an application without a socket."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8080")


@dataclass(frozen=True, kw_only=True)
class Printed:
    """One request of the examples and the form of its answer."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes
    answer: dict[str, Any]

    async def send(self, client: httpx2.AsyncClient, **replaced: str) -> httpx2.Response:
        """Send it as printed, with parts of the path replaced."""
        path = self.path
        for old, new in replaced.items():
            path = path.replace(old, new)
        return await client.request(self.method, path, headers=self.headers, content=self.content)


def printed(name: str) -> Printed:
    """An example by its number and name, such as `000-07-post-goal`."""
    head, _, body = (EXAMPLES / f"{name}.http").read_text().partition("\n\n")
    first, *lines = head.splitlines()
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines if not line.startswith("Host:"))
    answer = json.loads((EXAMPLES / f"{name}.response.json").read_text())
    return Printed(method=method, path=path, headers=headers, content=body.strip().encode(), answer=answer)


def differences(expected: Any, actual: Any, at: str = "$") -> list[str]:
    """Where names or types differ: every name expected is there and every value is of its kind.

    What is null in the example may be anything; an empty list or object says nothing of its items.
    """
    if expected is None:
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{at}.{name} is missing" for name in expected if name not in actual]
        common = (name for name in expected if name in actual)
        return missing + [
            found for name in common for found in differences(expected[name], actual[name], f"{at}.{name}")
        ]
    if isinstance(expected, list) and isinstance(actual, list):
        return [
            found
            for number, item in enumerate(actual if expected else [])
            for found in differences(expected[0], item, f"{at}[{number}]")
        ]
    return [] if _kind(expected) == _kind(actual) else [f"{at} is {actual!r}, not a {_kind(expected)}"]


def _kind(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__
