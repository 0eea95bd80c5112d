"""Money by reservation: a call's bound is set aside before it runs, so a budget cannot be exceeded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Account:
    """One execution tree's budget, in the tenant's currency; `limit` None means no bound."""

    limit: float | None
    spent: float = 0.0
    reserved: float = 0.0

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

    def restore(self, root: str, spent: float) -> None:
        """Book what the journal says was spent before this process began."""
        self._accounts[root].spent += spent

    def reserve(self, root: str, cost: float) -> bool:
        """Set a cost aside; False when it does not fit."""
        account = self._accounts[root]
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
