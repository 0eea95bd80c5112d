"""What is said of a dormant lead, by ids and numbers only: names and addresses stay in the records."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dirigent.domain.shape import Shape

Strategy = Literal["value", "trigger", "breakup", "referral"]
Segment = Literal["enterprise", "standard"]


class DormantLead(Shape):
    """A contact of a dormant customer, worth writing to.

    `lead_id` is the contact's id, so that whoever holds the lead finds consent and opt-out. `orders`
    counts days with an order; `rhythm_days` is one order in so many days; `spend_year` is net of
    cancellations and returns, in the currency of the books; `probability` is the chance to buy again
    within the horizon of the model, 0 to 1; `rank` is 1 for the likeliest.
    """

    lead_id: str
    customer_id: str
    contact_id: str
    contactable: bool = True
    country: str | None = None
    segment: Segment
    strategy: Strategy
    rank: Annotated[int, Field(ge=1)]
    probability: Annotated[float, Field(ge=0, le=1)]
    days_silent: Annotated[int, Field(ge=0)]
    rhythm_days: Annotated[float, Field(gt=0)]
    orders: Annotated[int, Field(ge=1)]
    spend_year: float
    why: list[str]
