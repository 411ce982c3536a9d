"""What the API says of disputes as support meets them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import Field

from port444.accounts.models import User
from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text, same
from port444.messaging.models import Attachment
from port444.orders.models import Dispute, DisputeStatus

from .plans import PlanRow
from .shared import PREVIEW, REASON


class SupportDisputeRow(Row):
    id: UUID
    number: int = Field(description="As people call it: D-<number>")
    order_id: UUID
    order_number: int
    client: PersonOut
    builder: PersonOut
    status: DisputeStatus
    reason: str
    opened_by: PersonOut
    amount: Money = Field(description="In escrow, of which it is about")
    to_client: Money = Field(description="What who opened it wants to go back to the client")
    offer: Money | None = Field(description="What the other side would give back")
    opened_at: Moment
    answered_at: Moment | None
    escalated_at: Moment | None
    closed_at: Moment | None


class DisputeFile(Out):
    id: UUID
    name: str
    mimetype: str
    size: int


class DisputePiece(Out):
    by: PersonOut
    at: Moment
    text: str
    files: list[DisputeFile] = Field(description="Their bytes are under `files` of the dispute")


class SupportDisputeOut(SupportDisputeRow):
    claim: str | None = Field(description="Null where your group does not read what is between the two")
    answer: str | None
    pieces: list[DisputePiece] | None = Field(description="What was added to the dispute")
    deliveries: list[DisputePiece] | None = Field(description="What was delivered of the order")
    decision: str
    plans: list[PlanRow]


class SupportDisputesOut(Out):
    items: list[SupportDisputeRow]
    next: str | None


class QuestionIn(In):
    text: Text = Field(min_length=1, max_length=2000, description="Both sides read it on the page of the dispute and are told")


class DecideIn(In):
    to_client: Amount = Field(description="What goes back to the client; the rest is the builder's. Nothing is 0.00")
    decision: Text = Field(min_length=1, max_length=2000, description="Both sides read it")
    reason: Text = REASON
    preview: bool = PREVIEW


def piece(by: User, at: datetime, text: str, files: Iterable[Attachment]) -> DisputePiece:
    return DisputePiece(by=person_out(by), at=at, text=text, files=[DisputeFile(**same(file, DisputeFile)) for file in files])


def dispute_row(found: Dispute) -> SupportDisputeRow:
    return SupportDisputeRow(**dispute_facts(found))


def dispute_facts(found: Dispute) -> dict[str, Any]:
    return same(found, SupportDisputeRow) | {
        "order_number": found.order.number,
        "client": person_out(found.order.client),
        "builder": person_out(found.order.builder.user),
        "opened_by": person_out(found.opened_by),
        "to_client": found.to_client or Decimal(0),
    }
