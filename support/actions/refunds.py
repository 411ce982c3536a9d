"""Refunds: what a member of staff gives back of an order, worked out line by line before anybody agrees to it.

Five things go by this name. The price of a running order is lowered, or of one that is over the builder gives a part back. An order that
runs is ended, and everything goes back. The platform gives something of its own. What was paid twice goes back. And what went out in part,
or never, because the chain gave up what was asked of it, is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from amendments.actions import take_money_back
from amendments.models import Amendment
from amendments.models import AmendmentStatus as A
from port444.accounts.models import User
from port444.kit.errors import DomainError, Invalid
from port444.kit.money import ZERO, fee, parse, positive, usd
from port444.orders.actions import (
    Again,
    ask_again,
    cancel_by_support,
    compensate_order,
    lock_for_refund,
    plan_again,
    plan_cancel,
    plan_compensation,
    plan_reduction,
    plan_waive_fee,
    reduce_order,
    waive_fee,
)
from port444.orders.models import LIVE, Order, OrderStatus
from port444.payments.actions import cannot_send_rest, parts_of, retry_refund, return_payment, send_rest
from port444.payments.escrow import books
from port444.payments.models import Basis, EscrowKind, EscrowOperation, Refund, RefundStatus, Withdrawal, WithdrawalStatus
from port444.payments.refunding import Back, Part, paid_beside
from support.kinds import Done, Figure, Kind, Preview
from support.models import ActionType, Plan

WHAT = {
    "scope": "Less was done than paid for",
    "cancel": "End the order, everything goes back",
    "goodwill": "Goodwill of the platform",
    "duplicate": "It was paid twice",
    "rest": "Finish what went out in part, or was given up",
}
# What the parties read, on the credit note and in their messages.
WHY = {
    "less_work": "Less was done than agreed",
    "quality": "It was not what was agreed",
    "late": "It came late",
    "mistake": "It was charged by mistake",
    "goodwill": "Goodwill of port444",
    "duplicate": "It was paid twice",
    "unfinished": "A part of it had not been sent",
}
FIXED_WHY = {"duplicate": "duplicate", "rest": "unfinished"}
NO_AMOUNT = ("cancel", *FIXED_WHY)
ON_ITS_WAY = (A.PAID, A.FUNDING, A.FUNDING_FAILED)


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _check(asked: Mapping[str, Any]) -> dict[str, Any]:
    what = asked.get("what")
    if what not in WHAT:
        raise Invalid("Say what kind of refund this is.", code="what")
    if what in FIXED_WHY:
        return {"what": what, "why": FIXED_WHY[what]}
    why = asked.get("why")
    if why not in WHY or why in FIXED_WHY.values():
        raise Invalid("Choose what the credit note says.", code="why")
    if what in NO_AMOUNT:
        return {"what": what, "why": why}
    amount = asked.get("amount")
    return {"what": what, "why": why, "amount": str(positive(parse(amount if isinstance(amount, str | Decimal) else "")))}


def _order(plan: Plan) -> Order:
    """As it is now; what was loaded with the plan may be old."""
    if plan.order_id is None:
        raise Invalid("Say which order this is about.", code="order_missing")
    return Order.objects.with_people().get(pk=plan.order_id)


def _lock(plan: Plan) -> None:
    if plan.order_id is not None:
        lock_for_refund(plan.order_id)
    elif plan.target_user_id is not None:
        User.objects.lock(plan.target_user_id)


def _preview(plan: Plan) -> Preview:
    what = plan.asked["what"]
    if what == "rest":
        return _preview_rest(plan)
    order = _order(plan)
    if what == "duplicate":
        return _preview_duplicate(order, plan)
    if what == "cancel":
        return _worked_out(order, plan, lambda: plan_cancel(order)[0], _ended)
    amount, running = Decimal(plan.asked["amount"]), order.status in LIVE
    if what == "scope" and running:
        return _worked_out(order, plan, lambda: plan_reduction(order, amount), _lowered)
    if what == "scope":
        return _worked_out(order, plan, lambda: plan_compensation(order, amount, Basis.SCOPE), _taken_back)
    if running:
        return _worked_out(order, plan, lambda: plan_waive_fee(order, amount), _waived)
    return _worked_out(order, plan, lambda: plan_compensation(order, amount, Basis.GOODWILL), _given)


@dataclass(frozen=True, slots=True)
class Lines:
    """What one way of refunding shows besides the payments that money goes back to."""

    figures: tuple[Figure, ...]
    always: str = ""
    tells: tuple[str, ...] = ()


def _worked_out(order: Order, plan: Plan, work: Callable[[], Back], lines: Callable[[Order, Back], Lines]) -> Preview:
    title = f"Refund {usd(Decimal(plan.asked['amount']))} of order {order.number}" if "amount" in plan.asked else f"End order {order.number}"
    facts: dict[str, Any] = {
        "order": [order.number, order.status, str(order.price), str(order.client_fee), str(order.credit), order.disputed_at is not None],
    }
    blocked = _in_the_way(order, plan)
    try:
        back = work()
    except DomainError as error:
        return Preview(title, (Figure("Price", _money(order.price), _money(order.price)),), blocked=(error.message, *blocked), facts=facts)
    shown = lines(order, back)
    facts["payments"] = [[str(payment.pk), str(price), str(fee)] for payment, price, fee in back.parts]
    return Preview(
        title,
        (*shown.figures, *_destinations(back)),
        back.amount + back.fee,
        tells=(*shown.tells, *_amendment_waits(order), f"On the credit note: {WHY[plan.asked['why']]}."),
        always=shown.always,
        blocked=blocked,
        facts=facts,
    )


def _own(order: Order, plan: Plan) -> tuple[str, ...]:
    own = plan.requester_id in (order.client_id, order.builder.user_id)
    return ("You are a party of this order. Somebody else of the staff has to do this.",) if own else ()


def _in_the_way(order: Order, plan: Plan) -> tuple[str, ...]:
    own = _own(order, plan)
    if own:
        return own
    on_its_way = [one for one in ON_ITS_WAY if (plan.asked["what"], one) != ("cancel", A.FUNDING_FAILED)]  # then it goes back, too
    if Amendment.objects.filter(order=order, status__in=on_its_way).exists():
        return ("A change of this order is paid and not in force yet. It has to arrive or go back first.",)
    return ()


def _amendment_waits(order: Order) -> tuple[str, ...]:
    if order.status in LIVE and Amendment.objects.filter(order=order, status=A.PENDING).exists():
        return ("A change of this order waits for an answer. When the price changes, it has to be proposed anew.",)
    return ()


def _destinations(back: Back) -> list[Figure]:
    """Where it goes, line by line."""
    found = [Figure(f"Back to {_name(part)}", _money(part[1] + part[2]), "", _of_what(part[1], part[2])) for part in back.parts]
    if back.credits.prepaid:
        found.append(Figure("Back as credit, from a call", _money(back.credits.prepaid), "", "With the day on which it ends"))
    if back.credits.gift:
        found.append(Figure("Back as credit of the platform", _money(back.credits.gift), "", "With the day on which it ends"))
    return [*found, Figure("The client gets", _money(back.amount + back.fee), is_sum=True)]


def _name(part: Part) -> str:
    payment = part[0]
    how = "own wallet" if payment.provider == "wallet" else "test wallet" if payment.provider == "sandbox" else payment.provider
    return f"invoice {payment.invoice.number}, {how}"


def _of_what(price: Decimal, of_fee: Decimal) -> str:
    words = [f"{usd(price)} of the price"] if price else []
    return " and ".join([*words, f"{usd(of_fee)} of the service fee"] if of_fee else words)


def _lowered(order: Order, back: Back) -> Lines:
    price = order.price - back.amount
    prepaid = order.prepaid - back.credits.prepaid
    figures = (
        Figure("Price", _money(price), _money(order.price)),
        Figure("Service fee", _money(order.client_fee - back.fee), _money(order.client_fee), "The same part of it as of the price"),
        Figure("In escrow", _money(price), _money(order.price)),
        Figure("The builder gets", _money(price - fee(price, order.builder_fee_bps) - prepaid), _money(order.builder_share), "When it is accepted"),
    )
    names = f"{order.client.first_name} and {order.builder.user.first_name}"
    return Lines(figures, tells=(f"{names}, in the conversation and by message: the price is {usd(price)} now.",))


def _ended(order: Order, back: Back) -> Lines:
    figures = [
        Figure("In escrow", _money(ZERO), _money(order.price)),
        Figure("Service fee", _money(ZERO), _money(order.client_fee), "All of it"),
        Figure("The builder gets", _money(ZERO), _money(order.builder_share), "Nothing for this order"),
        Figure("Order", "Ended by support", order.get_status_display()),
    ]
    failed = _not_funded(order)
    if failed is not None:
        figures.append(Figure("Of a change that escrow did not take", _money(failed.total), "", "Goes back beside this, to where it was paid from"))
    delivered = order.status in (OrderStatus.DELIVERED, OrderStatus.IN_REVISION)
    names = f"{order.client.first_name} and {order.builder.user.first_name}"
    return Lines(
        tuple(figures),
        "Something was delivered, and the builder gets nothing for it" if delivered else "",
        (f"{names}, in the conversation and by message: support ended the order.",),
    )


def _not_funded(order: Order) -> Amendment | None:
    return Amendment.objects.with_people().filter(order=order, status=A.FUNDING_FAILED).first()


def _waived(order: Order, back: Back) -> Lines:
    figures = (
        Figure("Price", _money(order.price), _money(order.price)),
        Figure("Service fee", _money(order.client_fee - back.fee), _money(order.client_fee), "The platform bears it"),
    )
    names = f"{order.client.first_name} and {order.builder.user.first_name}"
    return Lines(figures, "The platform gives up its fee", (f"{names}, in the conversation and by message.",))


def _taken_back(order: Order, back: Back) -> Lines:
    builder = order.builder.user.first_name
    figures = [
        Figure("Price", _money(order.price), _money(order.price), "The order is over and stays what it was"),
        Figure(f"From the balance of {builder}", _money(back.from_builder), "", "As far as it holds it; never below zero"),
        Figure("From the platform's fee of the builder", _money(back.builder_fee)),
    ]
    if back.fee:
        figures.append(Figure("From the service fee", _money(back.fee), "", "The same part of it as of the price"))
    if back.credits.prepaid:
        figures.append(Figure("Prepaid with a call", _money(back.credits.prepaid), "", f"{builder} has it and gives the work for it again"))
    if back.from_platform:
        figures.append(Figure("The platform bears", _money(back.from_platform), "", "What the balance does not hold"))
    tells = (f"{order.client.first_name}, in the conversation and by message.", f"{builder}, by message: what was taken from the balance, and why.")
    return Lines(tuple(figures), "The builder was paid already", tells)


def _given(order: Order, back: Back) -> Lines:
    figures = [Figure("The platform bears", _money(back.from_platform))]
    if back.fee:
        figures.append(Figure("From the service fee", _money(back.fee)))
    return Lines(tuple(figures), "The platform bears it", (f"{order.client.first_name}, in the conversation and by message.",))


def _preview_duplicate(order: Order, plan: Plan) -> Preview:
    twice = paid_beside(order.pk)
    whole = sum((payment.amount for payment in twice), ZERO)
    figures = [Figure(f"Back to {_name((payment, payment.amount, ZERO))}", _money(payment.amount)) for payment in twice]
    return Preview(
        f"Send back what was paid twice for order {order.number}",
        (*figures, Figure("The client gets", _money(whole), is_sum=True)),
        whole,
        tells=(f"{order.client.first_name}, by message.",),
        blocked=(*(() if twice else ("Nothing was paid twice for this order, or it is on its way back already.",)), *_own(order, plan)),
        facts={"payments": [str(payment.pk) for payment in twice]},
    )


# The rest of what went in part


@dataclass(frozen=True, slots=True)
class Half:
    """A refund or a withdrawal that staff can finish: `given_up` is asked for anew; a refund that was `refused` is sent again whole."""

    row: Refund | Withdrawal
    given_up: tuple[EscrowOperation, ...] = ()

    @property
    def purpose(self) -> str:
        return "refund" if isinstance(self.row, Refund) else "withdrawal"

    @property
    def left(self) -> Decimal:
        return sum((one.amount for one in self.given_up), ZERO) if self.given_up else Decimal(self.row.amount)


def halves(plan: Plan) -> list[Half]:
    """Of the order, or of the builder when no order is named."""
    rows: list[Refund | Withdrawal] = []
    if plan.order_id is not None:
        refunds = Refund.objects.filter(payment__invoice__deal_id__in=books.sources(plan.order_id)).exclude(status=RefundStatus.COMPLETED)
        rows += refunds.select_related("payment__invoice").order_by("pk")
    elif plan.target_user_id is not None:
        rows += Withdrawal.objects.filter(user=plan.target_user_id, status=WithdrawalStatus.SENDING).order_by("pk")
    found = []
    for row in rows:
        gone, given_up = parts_of("refund" if isinstance(row, Refund) else "withdrawal", row.pk)
        if isinstance(row, Refund) and row.status == RefundStatus.FAILED:
            found.append(Half(row))
        elif cannot_send_rest(row, gone, given_up) is None:
            found.append(Half(row, tuple(given_up)))
    return found


def _preview_rest(plan: Plan) -> Preview:
    person = User.objects.filter(pk=plan.target_user_id).first() if plan.target_user_id else None
    if plan.order_id is None and person is None:
        raise Invalid("Say which order or which builder this is about.", code="order_missing")
    found, figures = halves(plan), []
    for half in found:
        whole = Decimal(half.row.amount if isinstance(half.row, Refund) else half.row.arrives)
        why = half.given_up[0].reason if half.given_up else half.row.error
        figures.append(Figure(f"{half.purpose.capitalize()} of {usd(whole)}", _money(whole), _money(whole - half.left), why))
    order = _order(plan) if plan.order_id is not None else None
    again = plan_again(order) if order is not None else []
    figures += [Figure(*_of_escrow(one)) for one in again]
    whole = sum((half.left for half in found), ZERO) + sum((one.amount for one in again), ZERO)
    about = f"order {order.number}" if order is not None else str(person.name) if person is not None else ""
    return Preview(
        f"Finish what went out in part, {about}",
        (*figures, Figure("Is sent now", _money(whole), is_sum=True)),
        whole,
        tells=("Whoever gets it, when it has arrived.",),
        always="What escrow gave up is asked for again" if again else "",
        blocked=(*(() if found or again else ("Nothing went out in part here.",)), *(_own(order, plan) if order is not None else ())),
        facts={
            "parts": [[str(half.row.pk), half.row.status, [one.op_id for one in half.given_up]] for half in found],
            "again": [[one.first.op_id, str(one.source.pk), str(one.amount)] for one in again],
        },
    )


ESCROW_WORDS = {
    EscrowKind.RELEASE: "Release to the builder",
    EscrowKind.REFUND: "Back to the client",
    EscrowKind.MOVE: "Into the escrow of this order",
    EscrowKind.HOLD: "End of the hold on its money",
}


def _of_escrow(one: Again) -> tuple[str, str, str, str]:
    words, out_of = ESCROW_WORDS[EscrowKind(one.first.kind)], f"P4-{one.source.number}"
    return f"{words}, out of {out_of}", _money(one.amount), _money(ZERO), one.first.reason or "It was taken back"


# Doing it


def _execute(plan: Plan, actor: Any) -> Done:
    what, key, reason = plan.asked["what"], str(plan.pk), WHY[plan.asked["why"]]
    if what == "rest":
        return _finish(plan, actor)
    order = _order(plan)
    if what == "duplicate":
        sent = [return_payment(payment.pk, actor=actor) for payment in paid_beside(order.pk)]
        return Done(f"Sent back what was paid twice for order {order.number}", {"refunds": [str(refund.pk) for refund in sent]})
    if what == "cancel":
        return _end(order, plan, reason, actor)
    amount, running = Decimal(plan.asked["amount"]), order.status in LIVE
    result: dict[str, Any]
    if running and what == "scope":
        operation = reduce_order(order.pk, amount, key=key, reason=reason, actor=actor)
        done, result = f"Lowered the price of order {order.number} by {usd(amount)}", {"operation": operation.op_id}
    elif running:
        refunds = waive_fee(order.pk, amount, key=key, reason=reason, actor=actor)
        done = f"Gave back {usd(amount)} of the service fee of order {order.number}"
        result = {"refunds": [str(refund.pk) for refund in refunds]}
    else:
        basis = Basis.SCOPE if what == "scope" else Basis.GOODWILL
        made = compensate_order(order.pk, amount, basis, key=key, reason=reason, actor=actor)
        done = f"Gave back {usd(made.amount + made.fee)} of order {order.number}"
        borne = {"from_builder": str(made.from_builder), "from_platform": str(made.from_platform)}
        result = {"compensation": str(made.pk), **borne}
    return Done(done, result)


def _end(order: Order, plan: Plan, reason: str, actor: Any) -> Done:
    failed = _not_funded(order)
    if failed is not None:
        take_money_back(failed.pk, actor=actor)
    ended = cancel_by_support(order.pk, reason=reason, actor=actor)
    return Done(f"Ended order {order.number}, {usd(plan.amount)} goes back", {"order": f"P4-{ended.number}"})


def _finish(plan: Plan, actor: Any) -> Done:
    operations, refunds = [], []
    if plan.order_id is not None:
        operations += [one.op_id for one in ask_again(plan.order_id, actor=actor)]
    for half in halves(plan):
        if half.given_up:
            operations += [one.op_id for one in send_rest(half.purpose, half.row.pk, actor=actor)]
        else:
            refunds.append(str(retry_refund(half.row.pk, actor=actor).pk))
    return Done(f"Sent the rest, {usd(plan.amount)}", {"operations": operations, "refunds": refunds})


REFUND = Kind("refund", ActionType.REFUND_MANUAL, _check, _preview, _lock, _execute)
