"""Money by reservation: a call's bound is set aside before it runs, so a budget cannot be exceeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Account:
    """One execution tree's budget, in the tenant's currency; `limit` None means no bound.

    `claims` are the reservations, among those counted in `reserved`, of calls that an earlier process let
    through and nobody has settled yet.
    """

    limit: float | None
    spent: float = 0.0
    reserved: float = 0.0
    claims: dict[str, float] = field(default_factory=dict)

    @property
    def left(self) -> float | None:
        """What can still be reserved."""
        return None if self.limit is None else self.limit - self.spent - self.reserved


class Budgets:
    """Accounts by root execution."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def open(self, root: str, limit: float | None) -> Account:
        """The account of a root; made when it is not there."""
        account = self._accounts.setdefault(root, Account(limit))
        if account.limit is None:
            account.limit = limit
        return account

    def restore(self, root: str, spent: float, claims: Mapping[str, float] | None = None) -> None:
        """Book what the journal says was spent before this process began, and what may have been."""
        account = self._accounts[root]
        account.spent += spent
        if claims:
            account.claims.update(claims)
            account.reserved += sum(claims.values())

    def reserve(self, root: str, cost: float, claim: str = "") -> bool:
        """Set a cost aside; False when it does not fit. A call that has a claim has it set aside already."""
        account = self._accounts[root]
        claimed = account.claims.pop(claim, None)
        if claimed is not None:
            account.reserved += cost - claimed
            return True
        if account.left is not None and cost > account.left + 1e-9:
            return False
        account.reserved += cost
        return True

    def settle(self, root: str, reserved: float, spent: float) -> None:
        """Turn a reservation into what was really spent; a root that has ended meanwhile has no account."""
        account = self._accounts.get(root)
        if account is not None:
            account.reserved -= reserved
            account.spent += spent

    def has_claims(self, root: str) -> bool:
        """Whether calls that an earlier process let through are still to be settled."""
        account = self._accounts.get(root)
        return account is not None and bool(account.claims)

    def give_up(self, root: str, claim: str) -> None:
        """The call of a claim is not made again; what it may have cost counts as spent."""
        account = self._accounts.get(root)
        if account is not None and account.claims:
            claimed = account.claims.pop(claim, 0.0)
            account.reserved -= claimed
            account.spent += claimed

    def account(self, root: str) -> Account:
        """The account of a root."""
        return self._accounts[root]

    def let_go(self, root: str) -> None:
        """Forget an account without a bound on which nothing is reserved; it can be opened again."""
        account = self._accounts.get(root)
        if account is not None and account.limit is None and not account.reserved:
            self.close(root)

    def close(self, root: str) -> None:
        """Forget the account of a root that has ended."""
        self._accounts.pop(root, None)
