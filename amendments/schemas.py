"""What the API says about changes of an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.money import ZERO
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text

from .models import MOST_DAYS, Amendment, AmendmentStatus, AmendmentType
from .queries import Preview
from .terms import LONGEST_DELIVERABLE, LONGEST_DESCRIPTION, LONGEST_REASON, MOST_DELIVERABLES, ONE_REVISION, Terms

LONGEST_ANSWER = 1000


class EffectOut(Out):
    """The order before and after the change. There is no due date before the builder's questions are answered: days count then."""

    price_before: Money
    price_after: Money
    fee: Money = Field(description="The service fee on top, for the client")
    total: Money = Field(description="What the client pays for it, before credits")
    due_before: Moment | None
    due_after: Moment | None
    days_before: int
    days_after: int
    revisions_before: int
    revisions_after: int
    deliverables_before: list[str]
    deliverables_after: list[str]
    reopens: bool = Field(description="It was delivered, and is worked on again")


class AmendmentRow(Row):
    id: UUID
    order_id: UUID
    order_number: int
    amendment_type: AmendmentType
    status: AmendmentStatus
    version: int
    replaces_id: UUID | None
    requested_by: PersonOut
    reason: str
    description: str
    additional_amount: Money
    client_fee: Money
    additional_days: int
    additional_revisions: int
    additional_deliverables: list[str]
    created_at: Moment
    expires_at: Moment = Field(description="Until when it waits for an answer, or approved for its payment")
    answered_at: Moment | None
    answer: str = Field(description="Why not, or what should be different")
    invoice_id: UUID | None = Field(description="What is to be paid, once it is approved")
    paid_at: Moment | None
    completed_at: Moment | None = Field(description="When it came into force")
    closed_at: Moment | None
    funding_failure: str


class AmendmentOut(AmendmentRow):
    effect: EffectOut
    waits_for: PersonOut | None = Field(description="Who has to do something now; nobody when escrow has, or when it is over")
    time_zone: str = Field(description="The zone of who asks")


class AmendmentsOut(Out):
    items: list[AmendmentRow]
    next: str | None


class QuoteOut(EffectOut):
    credit: Money = Field(description="Of the price, what the client's credits would pay; told to the client alone")


class ProposeIn(In):
    """Which fields a type takes: `top_up` an amount; `timeline_extension` days; `out_of_scope_revision` an amount and a description, and
    days; `add_deliverable` deliverables, and all of these; `scope_change` a description, and all of these."""

    amendment_type: AmendmentType
    reason: Text = Field(
        min_length=1, max_length=LONGEST_REASON, description="The first thing that the other side reads", examples=["A page was forgotten."]
    )
    description: Text = Field("", max_length=LONGEST_DESCRIPTION)
    additional_amount: Amount = ZERO
    additional_days: int = Field(0, ge=0, le=MOST_DAYS)
    additional_deliverables: list[Annotated[Text, Field(min_length=1, max_length=LONGEST_DELIVERABLE)]] = Field(
        default_factory=list, max_length=MOST_DELIVERABLES
    )


class RejectIn(In):
    reason: Text = Field(
        min_length=1, max_length=LONGEST_ANSWER, description="The other side reads it", examples=["The price is too high for one page."]
    )


class AskIn(In):
    note: Text = Field(min_length=1, max_length=LONGEST_ANSWER, description="What should be different")


def terms_in(body: ProposeIn) -> Terms:
    return Terms(
        amendment_type=body.amendment_type,
        reason=body.reason,
        description=body.description,
        amount=body.additional_amount,
        days=body.additional_days,
        revisions=ONE_REVISION if body.amendment_type == AmendmentType.OUT_OF_SCOPE_REVISION else 0,
        deliverables=tuple(body.additional_deliverables),
    )


def _facts(amendment: Amendment) -> dict[str, Any]:
    told = {name: getattr(amendment, name) for name in AmendmentRow.model_fields if name not in ("order_number", "requested_by")}
    return told | {"order_number": amendment.order.number, "requested_by": person_out(amendment.requested_by)}


def amendment_row(amendment: Amendment) -> AmendmentRow:
    """Its order and who asked must be at hand."""
    return AmendmentRow(**_facts(amendment))


def effect_out(effect: Preview) -> EffectOut:
    return EffectOut.model_validate(effect, from_attributes=True)


def quote_out(effect: Preview, credit: Decimal) -> QuoteOut:
    return QuoteOut(**effect_out(effect).model_dump(), credit=credit)


def amendment_out(amendment: Amendment, reader: object, effect: Preview) -> AmendmentOut:
    turn = {
        AmendmentStatus.PENDING: amendment.answerer,
        AmendmentStatus.CHANGES_REQUESTED: amendment.proposer,
        AmendmentStatus.APPROVED: amendment.order.client,
        AmendmentStatus.FUNDING_FAILED: amendment.order.client,
    }.get(AmendmentStatus(amendment.status))
    return AmendmentOut(
        **_facts(amendment),
        effect=effect_out(effect),
        waits_for=person_out(turn) if turn is not None else None,
        time_zone=getattr(reader, "time_zone", "UTC"),
    )
