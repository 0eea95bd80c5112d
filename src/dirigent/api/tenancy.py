"""Which tenant a request speaks for. It filters; it does not protect, until callers prove who they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Query

from dirigent.api.failures import TenantMismatch
from dirigent.api.services import Services
from dirigent.domain.errors import NotFound
from dirigent.ports import ApprovalRow

TENANT_LENGTH_MAX = 200
TENANT_NAMES = ("org_id", "tenant_id")


async def _asked(
    org_id: Annotated[
        str | None, Query(max_length=TENANT_LENGTH_MAX, description="The organization the request is about.")
    ] = None,
    x_org_id: Annotated[
        str | None, Header(max_length=TENANT_LENGTH_MAX, description="The same, as a header.")
    ] = None,
) -> str | None:
    return one_of(org_id, x_org_id)


Asked = Annotated[str | None, Depends(_asked)]


def one_of(org_id: str | None, x_org_id: str | None) -> str | None:
    """The tenant that the address and the header name; raises `TenantMismatch` where they name two."""
    if org_id and x_org_id and org_id != x_org_id:
        raise _mismatch(x_org_id, org_id)
    return org_id or x_org_id or None


def joined(body: Mapping[str, Any], asked: str | None) -> dict[str, Any]:
    """A body with the tenant that the request's address or header names; raises `TenantMismatch`."""
    named = [body[name] for name in TENANT_NAMES if body.get(name) is not None]
    for other in named:
        if asked is not None and other != asked:
            raise _mismatch(asked, str(other))
    return dict(body) if named or asked is None else {**body, "org_id": asked}


def spoken_for(services: Services, asked: str | None, *said: str | None) -> str:
    """The tenant that the request and its body name, else the server's own; raises `TenantMismatch`."""
    named = [one for one in (asked, *said) if one]
    for other in named:
        if other != named[0]:
            raise _mismatch(named[0], other)
    return named[0] if named else services.tenant


def require_execution(services: Services, execution_id: str, asked: str | None) -> None:
    """Raise `NotFound` unless there is such an execution and it is the tenant's."""
    row = services.engine.row(execution_id)
    if asked is not None and row.tenant != asked:
        raise NotFound(f"There is no execution {execution_id!r}.", code="execution_not_found")


def required_approval(services: Services, approval_id: str, asked: str | None) -> ApprovalRow:
    """An approval, if it is the tenant's; another tenant's is not there."""
    row = services.engine.approval(approval_id)
    if asked is not None and row.tenant != asked:
        raise NotFound(f"There is no approval {approval_id!r}.", code="approval_not_found")
    return row


def _mismatch(asked: str, other: str) -> TenantMismatch:
    return TenantMismatch(
        f"The request speaks for {asked!r} and for {other!r}.", fix="Name one organization.", field="org_id"
    )
