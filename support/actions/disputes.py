"""Deciding a dispute, as a plan: what is in escrow is split between the two sides, and always two members of staff agree on how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.accounts.models import User
from port444.kit.errors import Invalid
from port444.kit.money import ZERO, fee, parse, usd
from port444.messaging.models import Attachment
from port444.orders.actions import ask_sides, decide_dispute, fee_back, lock_dispute
from port444.orders.models import Dispute, DisputeStatus, Evidence, Order
from port444.payments.escrow.standing import Standing
from port444.payments.models import EscrowKind
from support.kinds import Done, Figure, Kind, Preview
from support.models import ActionType, Plan, PlanKind
from support.roles import require

from .plans import About, draft_plan
from .records import note_action

PERMISSION = "decide_disputes"
LONGEST_DECISION = 2000
TWO = "Two people decide every dispute"


@dataclass(frozen=True, slots=True)
class Parts:
    """What becomes of the money of an order when `to_client` of what is in escrow goes back."""

    locked: Decimal
    to_client: Decimal
    fee_before: Decimal  # the service fee that the client paid
    fee_back: Decimal
    lent: Decimal  # what credits lent to the order and is still in it
    credit_back: Decimal  # of that, what is a credit again
    settled: Decimal  # of that, what the builder had for a call already
    builder_fee: Decimal

    @property
    def cash_back(self) -> Decimal:
        return self.to_client - self.credit_back + self.fee_back

    @property
    def to_builder(self) -> Decimal:
        return self.locked - self.to_client

    @property
    def builder_gets(self) -> Decimal:
        return self.to_builder - self.builder_fee - self.settled


def parts_of(order: Order, to_client: Decimal) -> Parts:
    """As escrow would carry it out now."""
    standing = Standing.of(order.pk)
    bps = standing.opened.fee_bps if standing.opened is not None else order.builder_fee_bps
    back = standing.share(EscrowKind.REFUND, to_client, bps) if to_client else None
    credit_back, prepaid_back = (back.prepaid + back.gift, back.prepaid) if back is not None else (ZERO, ZERO)
    rest = standing.locked - to_client
    charged = fee(rest, bps) if rest > 0 else ZERO
    settled = min(standing.prepaid - prepaid_back, rest - charged) if rest > 0 else ZERO
    returned = fee_back(order, to_client, standing.locked) if standing.locked >= to_client else ZERO
    return Parts(standing.locked, to_client, order.client_fee, returned, standing.lent, credit_back, settled, charged)


def check(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The figure and the words that both sides will read."""
    decision = str(asked.get("decision", "")).replace("\r\n", "\n").strip()
    if not decision:
        raise Invalid("Both sides read why. Write it.", code="decision_missing")
    if len(decision) > LONGEST_DECISION:
        raise Invalid(f"A decision has at most {LONGEST_DECISION} characters.", code="decision_long")
    if "\x00" in decision:
        raise Invalid("The text has a character that cannot be stored.", code="text_null")
    return {"to_client": str(parse(asked["to_client"])), "decision": decision}


def preview(plan: Plan) -> Preview:
    dispute = _dispute(plan)
    order, to_client = dispute.order, Decimal(plan.asked["to_client"])
    parts = parts_of(order, to_client)
    client, builder = order.client.name, order.builder.user.name
    return Preview(
        title=f"Decide dispute {dispute}: {usd(to_client)} of {usd(dispute.amount)} back to {client}",
        figures=_figures(order, parts),
        amount=dispute.amount,
        tells=(
            f"{client}, who gets {usd(parts.cash_back)} back{f' and {usd(parts.credit_back)} as credit' if parts.credit_back else ''}",
            f"{builder}, who gets {usd(max(parts.builder_gets, ZERO))} after the platform fee",
        ),
        always=TWO,
        blocked=tuple(_blocked(plan, dispute, parts)),
        facts={
            "dispute": dispute.status,
            "order": order.status,
            "locked": parts.locked,
            # Either may come closer while this waits; it matters when the decision is no longer between them.
            "between": _between(dispute, to_client),
        },
    )


def _figures(order: Order, parts: Parts) -> tuple[Figure, ...]:
    client, builder = order.client.first_name, order.builder.user.first_name
    ends = "Completed" if parts.to_builder > 0 else "Cancelled"
    found = [
        Figure("Escrow of order " + str(order.number), _amount(ZERO), _amount(parts.locked)),
        Figure("Service fee", _amount(parts.fee_before - parts.fee_back), _amount(parts.fee_before), f"{usd(parts.fee_back)} goes back"),
        Figure("Platform fee", _amount(parts.builder_fee), _amount(ZERO)),
        Figure(f"Back to {client}", _amount(parts.cash_back), _amount(ZERO), "To where it was paid from, newest payment first"),
        Figure(f"Earned by {builder}", _amount(parts.builder_gets), _amount(ZERO)),
    ]
    if parts.lent:
        note = f"{usd(parts.credit_back)} is {client}’s credit again"
        lent = parts.lent - parts.credit_back - parts.settled
        found.append(Figure("Lent by credits", _amount(-lent), _amount(-parts.lent), note))
    whole = parts.locked + parts.fee_before - parts.lent
    found.append(Figure("Sum", _amount(whole), _amount(whole), is_sum=True))
    found.append(Figure(f"Order {order.number}", ends, order.get_status_display()))
    return tuple(found)


def _amount(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _blocked(plan: Plan, dispute: Dispute, parts: Parts) -> list[str]:
    found = []
    if dispute.status in (DisputeStatus.OPEN, DisputeStatus.ANSWERED):
        found.append("The two sides still have time to settle it themselves.")
    elif dispute.status != DisputeStatus.ESCALATED:
        found.append(f"Dispute {dispute} is {dispute.status_words()} already.")
    elif parts.locked != dispute.amount:
        found.append(f"Escrow holds {usd(parts.locked)}, and the dispute was opened about {usd(dispute.amount)}.")
    if parts.to_client > dispute.amount:
        found.append(f"No more than {usd(dispute.amount)} can go back.")
    if plan.requester_id in (dispute.order.client_id, dispute.order.builder.user_id):
        found.append("You cannot decide what is about yourself.")
    return found


def _between(dispute: Dispute, to_client: Decimal) -> bool:
    ends = [dispute.to_client, dispute.to_client if dispute.offer is None else dispute.offer]
    return bool(min(ends) <= to_client <= max(ends))


def _dispute(plan: Plan) -> Dispute:
    assert plan.dispute_id is not None
    return Dispute.objects.with_people().get(pk=plan.dispute_id)


def lock(plan: Plan) -> None:
    assert plan.dispute_id is not None
    lock_dispute(plan.dispute_id)


def execute(plan: Plan, actor: Any) -> Done:
    assert plan.dispute_id is not None
    to_client = Decimal(plan.asked["to_client"])
    dispute = decide_dispute(plan.dispute_id, actor=actor, to_client=to_client, decision=plan.asked["decision"])
    told = f"Decided dispute {dispute} of order {dispute.order.number}: {usd(to_client)} of {usd(dispute.amount)} back to the client"
    return Done(told, {"dispute": dispute.number, "to_client": str(to_client), "order_status": dispute.order.status})


KIND = Kind(PERMISSION, ActionType.DISPUTE_DECIDE, check, preview, lock, execute)


def draft_decision(dispute: Dispute, *, actor: User, to_client: Decimal, decision: str, reason: str) -> Plan:
    """What a decision would come to; nothing moves before it is submitted, approved by a second person and executed."""
    asked = {"to_client": str(to_client), "decision": decision}
    return draft_plan(PlanKind.DISPUTE, actor=actor, asked=asked, reason=reason, about=About(order=dispute.order, dispute=dispute))


@transaction.atomic
def write_to_sides(dispute: Dispute, *, actor: User, text: str) -> Evidence:
    """Ask both sides for something, on the page of their dispute."""
    require(actor, PERMISSION)
    written = ask_sides(dispute.pk, actor=actor, text=text)
    note_action(
        ActionType.DISPUTE_ASK,
        actor=actor,
        description=f"Wrote to both sides of dispute {dispute}",
        target_user=dispute.opened_by,
        order=dispute.order,
    )
    return written


@transaction.atomic
def note_file_opened(dispute: Dispute, file: Attachment, *, actor: User) -> None:
    """A member of staff opens what a side has added to their dispute, or delivered."""
    record(
        Event.DISPUTE_FILE_OPENED,
        actor=actor,
        as_a=ActorType.ADMIN,
        target=dispute,
        file=file.pk,
        owner=file.owner_id,
        order=dispute.order_id,
        number=dispute.number,
    )
    note_action(
        ActionType.DISPUTE_FILE,
        actor=actor,
        description=f"Opened a file of dispute {dispute}",
        target_user=file.owner,
        order=dispute.order,
    )
