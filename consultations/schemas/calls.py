"""Calls, what is proposed for them, and who came."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema

from consultations import queries
from consultations.models import (
    AbsenceStatus,
    ClaimStatus,
    Consultation,
    ConsultationStatus,
    MeetingProvider,
    Party,
    Proposal,
    ProposalKind,
    ProposalStatus,
    RefundPolicy,
)
from port444.accounts.models import zone_names
from port444.accounts.schemas import PersonOut, person_out
from port444.builders.models import LENGTHS
from port444.kit.clock import now
from port444.kit.money import ZERO, fee
from port444.kit.rest import In, Moment, Money, Out, Row, Text

C = ConsultationStatus


def _offered(minutes: int) -> int:
    if minutes not in LENGTHS:
        raise ValueError("a call lasts 15, 30 or 60 minutes")
    return minutes


def _known(zone: str) -> str:
    if zone not in zone_names():
        raise ValueError("this is no zone of the IANA database, for example Europe/Amsterdam")
    return zone


Minutes = Annotated[int, AfterValidator(_offered), WithJsonSchema({"type": "integer", "enum": list(LENGTHS)})]
Zone = Annotated[Text, AfterValidator(_known), Field(max_length=64, examples=["Europe/Amsterdam"])]

# In


class BookIn(In):
    builder_id: UUID
    minutes: Minutes
    starts_at: Moment = Field(description="One of the free times")
    time_zone: Zone | None = Field(None, description="The clock on which you agree to it; without it the one of your account")
    notes: Text = Field("", max_length=600, description="What it is about. The builder reads it")


class CompleteIn(In):
    notes: Text = Field("", max_length=3000, description="What you found and what to do next. The client reads it")


class CallCancelIn(In):
    reason: Text = Field("", max_length=300, description="The other side reads it")


class ConvertIn(In):
    package_id: UUID = Field(description="One of the builder's packages")


class MoveIn(In):
    starts_at: Moment = Field(description="One of the free times for moving this call")


class CallProposeIn(In):
    starts_at: Moment = Field(description="On a full minute; the builder's hours do not matter, since both agree")
    note: Text = Field("", max_length=300, description="The other side reads it")


class ReportIn(In):
    note: Text = Field("", max_length=600, description="What happened. The other side reads it and can answer")


class AbsenceDisputeIn(In):
    note: Text = Field(min_length=1, max_length=600, description="When and where you were. The other side and who decides read it")


class JoinIn(In):
    host: bool = Field(False, description="The builder starts the room as its host, where the provider knows such a thing")


# Out


class CallRow(Row):
    id: UUID
    status: ConsultationStatus = Field(description="`rescheduled`: it was moved, and another one follows it")
    minutes: Minutes
    starts_at: Moment
    ends_at: Moment
    time_zone: str = Field(description="The clock on which you agreed to it", examples=["Europe/Amsterdam"])
    you_are: Party
    client: PersonOut
    builder: PersonOut
    builder_id: UUID = Field(description="As free times are asked for")
    conversation_id: UUID
    invoice_id: UUID | None
    price: Money
    client_fee: Money
    total: Money = Field(description="What the client pays")
    pay_until: Moment | None = Field(description="Until when it is held, while it is")
    meeting_provider: MeetingProvider
    created_at: Moment
    paid_at: Moment | None
    completed_at: Moment | None
    cancelled_at: Moment | None
    expired_at: Moment | None
    rescheduled_at: Moment | None
    no_show_at: Moment | None
    no_show_party: Party | None = Field(description="Who did not come")


class CallsOut(Out):
    items: list[CallRow]
    next: str | None


class ProposalRow(Row):
    id: UUID
    consultation_id: UUID
    kind: ProposalKind = Field(description="`cancel`: it vanished from the builder's calendar, who says whether it takes place")
    made_by: Party
    from_calendar: bool
    starts_at: Moment | None
    note: str
    status: ProposalStatus
    is_yours_to_answer: bool
    answer_by: Moment
    answered_at: Moment | None
    created_at: Moment


class ProposalsOut(Out):
    items: list[ProposalRow]
    next: str | None


class AbsenceOut(Out):
    """Who did not come, as it is said, and what you can do about it."""

    party: Party | None = Field(description="Of whom it is said; null before anything is")
    status: AbsenceStatus | None
    note: str
    dispute_note: str
    decision_note: str
    reported_at: Moment | None
    answer_by: Moment | None = Field(description="Silence until then confirms it")
    can_report: bool
    can_answer: bool
    can_dismiss: bool
    comes_back: Money = Field(description="To the client, if it is so")
    builder_earns: Money = Field(description="Then")


class CallOut(CallRow):
    chain_id: UUID = Field(description="The same for a call wherever it is moved to")
    moved_from_id: UUID | None
    moved_to_id: UUID | None = Field(description="The call as it stands now, of one that was moved")
    client_time_zone: str
    builder_time_zone: str
    client_notes: str
    builder_notes: str
    builder_earns: Money = Field(description="If it takes place")
    refund_policy: RefundPolicy = Field(description="What a client gets back who cancels late; `none`: nothing, whenever")
    free_until: Moment | None = Field(description="Until when the client gets everything back for cancelling")
    moves_left: int = Field(description="How often the client can still move it without asking")
    move_until: Moment = Field(description="Until when they can")
    join_from: Moment
    join_until: Moment
    cancelled_by: Party | None
    cancellation_reason: str
    paid_back: Money = Field(description="Of what was paid, once it is cancelled or a no-show")
    converted_order_id: UUID | None
    proposal: ProposalRow | None = Field(description="What waits for an answer")
    absence: AbsenceOut | None
    you_can: list[str] = Field(
        description="Of: pay, join, cancel, complete, move, propose, answer_proposal, report_absence, answer_absence, dismiss_absence, convert",
        examples=[["cancel", "propose"]],
    )


class CallCancelQuoteOut(Out):
    comes_back: Money = Field(description="To the client, of price and service fee")
    of_price: Money
    of_fee: Money
    builder_earns: Money
    free_until: Moment | None


class RoomOut(Out):
    state: str = Field(
        description="early, open, waiting (open, and no room yet), over, moved, cancelled or unpaid",
        json_schema_extra={"enum": ["early", "open", "waiting", "over", "moved", "cancelled", "unpaid"]},
    )
    opens_at: Moment
    closes_at: Moment
    meeting_provider: MeetingProvider
    moved_to_id: UUID | None


class DoorOut(Out):
    url: str = Field(description="Where the call takes place. Keep it to yourself")


class HappenedOut(Out):
    at: Moment
    who: str = Field(description="You, the other's first name, or nobody")
    text: str
    waits: bool = Field(description="For somebody still")


class TimelineOut(Out):
    items: list[HappenedOut]


class CallOfferOut(Out):
    package_id: UUID
    service: str
    package: str
    price: Money
    credit: Money = Field(description="Of the price, what credits pay")
    left: Money


class ConversionOut(Out):
    credit: Money = Field(description="What the call has given")
    remaining: Money
    expires_at: Moment | None
    is_usable: bool
    order_id: UUID | None = Field(description="What it has become")
    offers: list[CallOfferOut] = Field(description="For its client alone")


def _party(call: Consultation, user_id: UUID | None) -> Party | None:
    return None if user_id is None else Party.CLIENT if user_id == call.client_id else Party.BUILDER


def _held_until(call: Consultation) -> datetime | None:
    claim = getattr(call, "claim", None)
    return claim.hold_expires_at if call.status == C.HELD and claim is not None and claim.status == ClaimStatus.HELD else None


def _facts(call: Consultation, reader: Any) -> dict[str, Any]:
    return {
        "minutes": call.duration,
        "starts_at": call.scheduled_at,
        "time_zone": call.zone_of(reader),
        "you_are": call.party_of(reader),
        "client": person_out(call.client),
        "builder": person_out(call.builder.user),
        "pay_until": _held_until(call),
        "no_show_party": call.no_show_party or None,
    }


def call_row(call: Consultation, *, reader: Any) -> CallRow:
    """People, builder and claim must be at hand."""
    return CallRow(**_told(CallRow, call, _facts(call, reader)))


def _told(schema: type[Row], row: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts, and of the row what it calls by the same name. Nothing else is touched, since a relation would be fetched."""
    return {name: getattr(row, name) for name in schema.model_fields if name not in facts} | facts


def rows_for(reader: Any) -> Any:
    return partial(call_row, reader=reader)


def proposal_row(proposal: Proposal, *, reader: Any) -> ProposalRow:
    call = proposal.consultation
    answers = proposal.status == ProposalStatus.OPEN and proposal.answerer_id == reader.pk
    return ProposalRow(**_told(ProposalRow, proposal, {"made_by": _party(call, proposal.made_by_id), "is_yours_to_answer": answers}))


def absence_out(panel: queries.AbsencePanel) -> AbsenceOut:
    said = panel.absence
    return AbsenceOut(
        party=Party(said.party) if said else None,
        status=AbsenceStatus(said.status) if said else None,
        note=said.note if said else "",
        dispute_note=said.dispute_note if said else "",
        decision_note=said.decision_note if said else "",
        reported_at=said.reported_at if said else None,
        answer_by=said.answer_by if said else None,
        can_report=panel.can_report,
        can_answer=panel.can_answer,
        can_dismiss=panel.can_dismiss,
        comes_back=panel.back.total,
        builder_earns=panel.share,
    )


def call_out(call: Consultation, reader: Any) -> CallOut:
    """Everything that the page of the call shows, for one of its two people."""
    moment = now()
    absence = queries.absence_of(call, reader, moment)
    proposal = queries.open_proposal(call) if call.status == C.SCHEDULED else None
    if proposal is not None and proposal.kind == ProposalKind.CANCEL and reader.pk == call.client_id:
        proposal = None
    follower = queries.live_call(call.chain) if call.status == C.RESCHEDULED else None
    ended_early = call.status in (C.CANCELLED, C.NO_SHOW)
    row = proposal_row(proposal, reader=reader) if proposal else None
    facts = {
        "chain_id": call.chain,
        "moved_from_id": call.rescheduled_from_id,
        "moved_to_id": follower.pk if follower else None,
        "client_time_zone": call.client_zone,
        "builder_time_zone": call.builder_zone,
        "builder_earns": _share(call, call.price),
        "join_from": call.opens_at,
        "join_until": queries.joinable_until(call),
        "cancelled_by": _party(call, call.cancelled_by_id),
        "paid_back": queries.paid_back(call).total if ended_early else ZERO,
        "proposal": row,
        "absence": absence_out(absence) if absence else None,
        "you_can": _you_can(call, reader, moment, absence, row),
    }
    return CallOut(**_told(CallOut, call, _facts(call, reader) | facts))


def _you_can(call: Consultation, reader: Any, moment: datetime, absence: queries.AbsencePanel | None, proposal: ProposalRow | None) -> list[str]:
    able = queries.abilities(call, reader, moment, absence)
    conversion = queries.conversion_of(call, reader, moment)
    return [
        name
        for name, possible in {
            "pay": able.can_pay,
            "join": able.can_join,
            "cancel": able.can_cancel,
            "complete": able.can_complete,
            "move": able.moves_directly,
            "propose": able.can_move,
            "answer_proposal": proposal is not None and proposal.is_yours_to_answer,
            "report_absence": absence is not None and absence.can_report,
            "answer_absence": absence is not None and absence.can_answer,
            "dismiss_absence": absence is not None and absence.can_dismiss,
            "convert": conversion is not None and bool(conversion.offers),
        }.items()
        if possible
    ]


def _share(call: Consultation, kept: Decimal) -> Decimal:
    """What the builder earns of a part of the price."""
    return kept - fee(kept, call.builder_fee_bps)


def cancel_quote_out(call: Consultation, reader: Any) -> CallCancelQuoteOut:
    back = call.back_if_cancelled_by(reader, now())
    return CallCancelQuoteOut(
        comes_back=back.total,
        of_price=back.price,
        of_fee=back.fee,
        builder_earns=_share(call, call.price - back.price),
        free_until=call.free_until,
    )


def conversion_out(found: queries.Conversion) -> ConversionOut:
    credit = found.credit
    return ConversionOut(
        credit=credit.amount,
        remaining=credit.remaining,
        expires_at=credit.expires_at,
        is_usable=found.usable,
        order_id=found.order.pk if found.order else None,
        offers=[
            CallOfferOut(
                package_id=offer.package.pk,
                service=offer.package.service.title,
                package=offer.package.name,
                price=offer.package.price,
                credit=offer.credit,
                left=offer.left,
            )
            for offer in found.offers
        ],
    )
