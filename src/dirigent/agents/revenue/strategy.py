"""Which way to write to a dormant lead. House rules, first match wins; no model is asked.

* `referral`: the contact has no name, so the message asks who is in charge.
* `trigger`: the customer ordered in the coming weeks of last year, so the season is the occasion.
* `breakup`: the silence is so long that an active customer would show it with a chance of at most the
  square of the dormancy threshold (one in a hundred by default), so the message offers to stop.
* `value`: else; the message recalls what the customer used to order.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from dirigent.agents.revenue.dormancy import DormancyRule, Standing
from dirigent.agents.revenue.leads import Strategy
from dirigent.agents.revenue.order_book import History

YEAR_DAYS = 365
SEASON_DAYS = 70


def season_of_last_year(day: date) -> tuple[date, date]:
    """The same weeks a year before the ones that come: first and last day."""
    first = day - timedelta(days=YEAR_DAYS - 1)
    return first, first + timedelta(days=SEASON_DAYS - 1)


def choose_strategy(
    contact: dict[str, Any], history: History, standing: Standing, day: date, rule: DormancyRule
) -> Strategy:
    """The strategy for one lead, by the rules of this module."""
    if not (contact.get("name") or "").strip():
        return "referral"
    if history.bought_between(*season_of_last_year(day)):
        return "trigger"
    if standing.silence_chance <= rule.silence_chance_max**2:
        return "breakup"
    return "value"
