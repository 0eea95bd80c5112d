"""One form for every error: RFC 9457 problem details, with a code, guidance and a correlation id."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from dirigent.domain.canonical import plain
from dirigent.domain.errors import DirigentError, Overloaded
from dirigent.interpreter.problems import Problem as Finding

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:dirigent:problem:"
REQUEST_ID = "dirigent.request_id"
LISTED_MAX = 100  # of anything that is listed with a problem
DETAILS = ("nearest", "rules", "problems", "streams", "execution_id")
GUIDANCE = {
    "execution_not_found": "GET /api/v1/executions lists the executions there are.",
    "approval_not_found": "GET /api/v1/approvals lists the approvals there are.",
    "agent_not_found": "GET /api/v1/agents lists the agents there are.",
    "not_found": "GET /openapi.json lists every address.",
    "method_not_allowed": "GET /openapi.json lists what each address takes.",
    "workflow_not_found": "GET /api/v1/workflows lists the workflows there are.",
    "version_not_found": "GET /api/v1/workflows/{id}/versions lists them.",
    "invalid_definition": "`problems` lists every mistake with its place, what was expected and a fix.",
    "conflict": "Read the present state, then decide anew.",
    "internal_error": "Try again; if it stays, look for the correlation id in the server's log.",
}
GUIDANCE_OTHERWISE = "GET /openapi.json describes what is expected."


class ErrorBody(BaseModel):
    """The error as the older interfaces name it."""

    code: str
    message: str
    guidance: list[str]
    correlation_id: str
    details: dict[str, Any] = {}


class Problem(BaseModel):
    """What went wrong, what to do about it, and under which id the log speaks of it (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:dirigent:problem:execution_not_found",
                    "title": "Execution not found",
                    "status": 404,
                    "detail": "There is no execution 'nope'.",
                    "instance": "/api/v1/executions/nope",
                    "code": "execution_not_found",
                    "fix": "GET /api/v1/executions lists the executions there are.",
                    "guidance": ["GET /api/v1/executions lists the executions there are."],
                    "field": None,
                    "correlation_id": "5b0d3c52f6a54f8e8f0a6b6f5a2f3c11",
                    "error": {
                        "code": "execution_not_found",
                        "message": "There is no execution 'nope'.",
                        "guidance": ["GET /api/v1/executions lists the executions there are."],
                        "correlation_id": "5b0d3c52f6a54f8e8f0a6b6f5a2f3c11",
                        "details": {},
                    },
                }
            ]
        },
    )

    type: str = Field(description="Names the kind of problem; the same for every occurrence.")
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="Stable; meant for programs.")
    fix: str = Field(description="What to do about it.")
    guidance: list[str] = Field(description="Everything that may be done about it, never empty.")
    field: str | None = Field(description="The field that is wrong, where it is one.")
    correlation_id: str = Field(description="The request's id, as in the X-Request-Id header.")
    error: ErrorBody


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault:
    """A problem before it is written down."""

    status: int
    code: str
    message: str
    guidance: Sequence[str] = ()
    field: str = ""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


INTERNAL = Fault(status=500, code="internal_error", message="Something went wrong inside the server.")


def respond(fault: Fault, scope: Scope) -> JSONResponse:
    """The response that tells of a fault."""
    correlation = str(scope.get(REQUEST_ID, ""))
    guidance = list(fault.guidance) or [GUIDANCE.get(fault.code, GUIDANCE_OTHERWISE)]
    body = Problem(
        type=TYPE_PREFIX + fault.code,
        title=fault.code.replace("_", " ").capitalize(),
        status=fault.status,
        detail=fault.message,
        instance=str(scope.get("path", "")),
        code=fault.code,
        fix=guidance[0],
        guidance=guidance,
        field=fault.field or None,
        correlation_id=correlation,
        error=ErrorBody(
            code=fault.code,
            message=fault.message,
            guidance=guidance,
            correlation_id=correlation,
            details=dict(fault.details),
        ),
        **fault.details,
    )
    content = body.model_dump(mode="json")
    return JSONResponse(content, fault.status, headers=dict(fault.headers), media_type=MEDIA_TYPE)


def fault_of(error: DirigentError) -> Fault:
    """What an expected failure means to the caller."""
    found = {name: getattr(error, name) for name in DETAILS if getattr(error, name, None)}
    return Fault(
        status=error.http_status,
        code=error.code,
        message=error.message,
        guidance=[error.fix] if error.fix else [],
        field=error.field,
        details={name: _plain(value) for name, value in found.items()},
        headers={"Retry-After": str(error.retry_after_s)} if isinstance(error, Overloaded) else {},
    )


def use_problems(app: FastAPI) -> None:
    """Make every error of an application a problem."""
    app.add_exception_handler(DirigentError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _expected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DirigentError), "registered for these"
    return respond(fault_of(error), request.scope)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError), "registered for these"
    findings = [{"field": _path(found["loc"]), "message": found["msg"]} for found in error.errors()]
    first = findings[0]
    fault = Fault(
        status=422,
        code="validation_failed",
        message=f"{first['field']}: {first['message']}.",
        guidance=[f"{finding['field']}: {finding['message']}." for finding in findings],
        field=first["field"],
        details={"errors": findings},
    )
    return respond(fault, request.scope)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException), "registered for these"
    phrase = HTTPStatus(error.status_code).phrase
    message = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.url.path} does not take {request.method}.",
    }.get(error.status_code, f"{phrase}.")
    fault = Fault(
        status=error.status_code,
        code=phrase.lower().replace(" ", "_").replace("-", "_"),
        message=message,
        headers=error.headers or {},
    )
    return respond(fault, request.scope)


def _path(location: Sequence[str | int]) -> str:
    parts = [str(part) for part in location]
    inside = parts[1:] if parts[0] in ("body", "query", "path", "header") else parts
    return ".".join(inside) or parts[0]


def _plain(value: Any) -> Any:
    return [_told(item) for item in value[:LISTED_MAX]] if isinstance(value, tuple | list) else value


def finding_told(finding: Finding) -> dict[str, Any]:
    """A mistake in a definition, or advice on one; it came in a request, so it names no file."""
    return {name: value for name, value in plain(finding).items() if name != "file"}


def _told(item: Any) -> Any:
    return finding_told(item) if isinstance(item, Finding) else str(item)
