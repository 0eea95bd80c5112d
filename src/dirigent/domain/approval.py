"""Who decides about an approval, and when it is decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

APPROVE = "approved"
REJECT = "rejected"


class Deciders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may decide, and how many of them have to agree.

    `approvers` are names, `roles` are what one of has to be held; empty means anybody. So many must
    approve as `required` says, and so many rejections end it as `reject_after` says. With `not_requester`
    whoever asked for the execution has no say. `on_expiry` is what becomes of it when nobody decides in
    time: `fail`, `reject` or `approve`.
    """

    approvers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    required: int = 1
    reject_after: int = 1
    not_requester: bool = False
    on_expiry: str = "fail"

    def objection(self, actor: str, roles: Collection[str] | None, requester: str) -> str:
        """Why somebody may not decide; empty where they may. `roles` is None where nobody has roles."""
        if self.not_requester and actor == requester:
            return f"{actor} asked for this and may not decide about it."
        if self.approvers and actor not in self.approvers:
            return f"{actor} is none of those who decide: {', '.join(self.approvers)}."
        if self.roles and roles is not None and not set(self.roles) & set(roles):
            return f"{actor} has none of the roles that decide: {', '.join(self.roles)}."
        return ""

    def outcome(self, votes: Mapping[str, str], requester: str = "") -> str:
        """What the votes by name amount to: approved, rejected, or empty while it is open."""
        said = list(votes.values())
        against = said.count(REJECT)
        if said.count(APPROVE) >= self.required:
            return APPROVE
        if against >= self.reject_after:
            return REJECT
        with_a_say = [name for name in self.approvers if not (self.not_requester and name == requester)]
        beyond_reach = bool(self.approvers) and len(with_a_say) - against < self.required
        return REJECT if beyond_reach else ""


class Vote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one person said about an approval; `at` is milliseconds since the epoch."""

    actor: str
    decision: str
    at: int
    comment: str = ""


ANYBODY = Deciders()


def strictest_deciders(several: Collection[Deciders]) -> Deciders:
    """Of several demands the one for most people."""
    return max(several, key=lambda deciders: deciders.required, default=ANYBODY)
