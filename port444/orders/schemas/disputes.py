"""What the API says about disputes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text
from port444.messaging.schemas import FileOut, files_out
from port444.orders.models import Dispute, DisputeReason, DisputeStatus, Evidence

LONGEST = 5000


class DisputeRow(Row):
    id: UUID
    number: int = Field(description="As people call it: D-<number>", examples=[12])
    order_id: UUID
    order_number: int
    opened_by: PersonOut
    mine: bool = Field(description="Whether you opened it")
    reason: DisputeReason
    status: DisputeStatus
    amount: Money = Field(description="In escrow when it was opened")
    to_client: Money = Field(description="Of that, what who opened it wants to go back to the client")
    offer: Money | None = Field(description="What the other side would let go back to the client")
    opened_at: Moment
    answer_until: Moment
    answered_at: Moment | None
    settle_until: Moment | None
    escalated_at: Moment | None
    closed_at: Moment | None
    decided_to_client: Money | None = Field(description="What went back to the client in the end; the rest went to the builder")


class EvidenceOut(Out):
    id: UUID
    author: PersonOut
    by_support: bool
    text: str
    files: list[FileOut]
    added_at: Moment


class DisputeOut(DisputeRow):
    claim: str
    answer: str
    decision: str
    you_may_take: Money | None = Field(description="The other side's figure, which you can settle for")
    evidence: list[EvidenceOut] = Field(description="Oldest first")
    time_zone: str = Field(description="The zone of who asks")


class DisputesOut(Out):
    items: list[DisputeRow]
    next: str | None


class DisputeIn(In):
    """Client: `not_delivered`, `not_as_agreed`, `late`, `no_answer`, `other`. Builder: `no_answer`, `unfair_changes`, `other`."""

    reason: DisputeReason
    claim: Text = Field(min_length=1, max_length=LONGEST, description="The other side and support read it")
    to_client: Amount = Field(description="Of what is in escrow, what should go back to the client")


class DisputeAnswerIn(In):
    answer: Text = Field(min_length=1, max_length=LONGEST, description="The other side and support read it")
    offer: Amount = Field(description="What may go back to the client")


class FigureIn(In):
    to_client: Amount


class SettleIn(In):
    seen: Amount = Field(description="The figure of the other side that you agree to")


class EvidenceIn(In):
    text: Text = Field(min_length=1, max_length=LONGEST)


class EvidenceForm(Schema):
    text: Text = Field("", max_length=LONGEST)


def _facts(dispute: Dispute, reader: Any) -> dict[str, Any]:
    own = ("order_number", "opened_by", "mine")
    told = {name: getattr(dispute, name) for name in DisputeRow.model_fields if name not in own}
    return told | {"order_number": dispute.order.number, "opened_by": person_out(dispute.opened_by), "mine": dispute.is_claimant(reader)}


def dispute_row(dispute: Dispute, reader: Any) -> DisputeRow:
    return DisputeRow(**_facts(dispute, reader))


def evidence_out(evidence: Evidence, dispute: Dispute) -> EvidenceOut:
    by_support = evidence.author_id not in (dispute.order.client_id, dispute.order.builder.user_id)
    # Whoever of support writes does so for support.
    author = PersonOut(id=evidence.author_id, name="port444") if by_support else person_out(evidence.author)
    return EvidenceOut(
        id=evidence.pk, author=author, by_support=by_support, text=evidence.text, files=files_out(evidence.files.all()), added_at=evidence.added_at
    )


def dispute_out(dispute: Dispute, reader: Any, evidence: Iterable[Evidence]) -> DisputeOut:
    return DisputeOut(
        **_facts(dispute, reader),
        claim=dispute.claim,
        answer=dispute.answer,
        decision=dispute.decision,
        you_may_take=dispute.figure_against(reader) if dispute.is_live else None,
        evidence=[evidence_out(one, dispute) for one in evidence],
        time_zone=reader.time_zone,
    )
