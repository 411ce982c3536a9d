"""What the API says about ends by agreement."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text
from port444.orders.models import Parting, PartingStatus
from port444.orders.queries.partings import Shares


class PartingSharesOut(Out):
    """What a division comes to, to the cent. Of the other side's fees and credits nothing is said."""

    amount: Money = Field(description="In escrow")
    to_client: Money = Field(description="Of that, what goes back")
    to_builder: Money = Field(description="The rest, before the platform's fee")
    you_get: Money = Field(description="As money: with the part of the service fee, or after the platform's fee")
    you_get_as_credit: Money


class PartingRow(Row):
    id: UUID
    order_id: UUID
    order_number: int
    proposed_by: PersonOut
    mine: bool = Field(description="Whether you proposed it")
    status: PartingStatus
    amount: Money = Field(description="In escrow when it was proposed")
    to_client: Money
    to_builder: Money
    reason: str
    answer: str = Field(description="Why not")
    replaces_id: UUID | None = Field(description="The proposal that it answers")
    created_at: Moment
    expires_at: Moment
    closed_at: Moment | None


class PartingOut(PartingRow):
    time_zone: str = Field(description="The zone of who asks")


class PartingsOut(Out):
    items: list[PartingRow]
    next: str | None


class DivisionIn(In):
    to_client: Amount = Field(description="Of what is in escrow, what goes back to the client; more than zero")


class PartingIn(DivisionIn):
    reason: Text = Field(min_length=1, max_length=1000, description="The other side reads it first")


class PartingDeclineIn(In):
    answer: Text = Field("", max_length=1000, description="The other side reads it")


def shares_out(shares: Shares, *, builder: bool) -> PartingSharesOut:
    return PartingSharesOut(
        amount=shares.amount,
        to_client=shares.to_client,
        to_builder=shares.to_builder,
        you_get=shares.builder_gets if builder else shares.client_gets,
        you_get_as_credit=shares.credit_back * (not builder),
    )


def _facts(parting: Parting, reader: Any) -> dict[str, Any]:
    own = ("order_number", "proposed_by", "mine")
    told = {name: getattr(parting, name) for name in PartingRow.model_fields if name not in own}
    mine = parting.proposed_by_id == reader.pk
    return told | {"order_number": parting.order.number, "proposed_by": person_out(parting.proposed_by), "mine": mine}


def parting_row(parting: Parting, reader: Any) -> PartingRow:
    return PartingRow(**_facts(parting, reader))


def parting_out(parting: Parting, reader: Any) -> PartingOut:
    return PartingOut(**_facts(parting, reader), time_zone=reader.time_zone)
