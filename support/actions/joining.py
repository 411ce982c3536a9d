"""Plans that make one order of two, or two of one, and those that undo it. Money in escrow moves, so two people always decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q

from amendments.models import Amendment
from port444.away.models import DueMove
from port444.kit.errors import Invalid
from port444.kit.money import ZERO, parse
from port444.orders import actions as orders
from port444.orders.actions import Share
from port444.orders.actions.joining import joined_ids, lock_orders, share_of, title_of, why_not_merged, why_not_split, why_not_undone
from port444.orders.helm import days_words, moment_words
from port444.orders.models import Order
from port444.payments.models import InvoiceStatus, Payment
from support.kinds import Done, Figure, Kind, Preview
from support.models import LIVE, ActionType, Plan, PlanKind, PlanStatus

TWO_DECIDE = "Money that was paid changes its order"
MOST_DELIVERABLES = 100


def _order(pk: UUID | None) -> Order:
    if pk is None:
        raise Invalid("Say which order.", code="order_missing")
    return Order.objects.with_people().get(pk=pk)


def _lock(plan: Plan) -> None:
    lock_orders(_ids(plan))


def _ids(plan: Plan) -> list[UUID]:
    found = joined_ids(_manifest(plan)) if plan.undoes_id is not None else [plan.order_id, plan.other_order_id]
    return [pk for pk in found if pk is not None]


def _why_not(plan: Plan, rows: Sequence[Order]) -> list[str]:
    """What stands against it beside what the orders themselves say."""
    found = []
    if any(plan.requester_id in (row.client_id, row.builder.user_id) for row in rows):
        found.append("You are one of the two sides.")
    ids = [row.pk for row in rows]
    others = Plan.objects.filter(Q(order__in=ids) | Q(other_order__in=ids), status__in=LIVE).exclude(pk=plan.pk).order_by("number")
    found += [f"Plan {other} about one of these orders waits." for other in others[:3]]
    if Amendment.objects.filter(order__in=ids).open().exists():
        found.append("A change of one of these orders is open; it is decided first.")
    if DueMove.objects.objected().filter(order__in=ids).exists():
        found.append("The client has objected to a date that was moved; that is answered first.")
    return found


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _things(row: Order) -> str:
    return ", ".join(row.deliverables) or row.title


def _facts(row: Order) -> dict[str, Any]:
    names = ("number", "status", "price", "client_fee", "credit", "prepaid", "revisions_allowed", "revisions_used", "deliverables", "due_at")
    return {name: getattr(row, name) for name in names}


def _until(row: Order, plan: Plan) -> str:
    return moment_words(row.due_at, plan.requester.time_zone) if row.due_at else f"{days_words(row.delivery_days)} from the answers"


def _payments(rows: Sequence[Order]) -> str:
    invoices = [row.invoice_id for row in rows if row.invoice_id]
    count = Payment.objects.filter(invoice__in=invoices, invoice__status=InvoiceStatus.PAID).count()
    return f"{count} payment{'' if count == 1 else 's'} and their invoices"


def _check_nothing(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {}


# Merge


def _preview_merge(plan: Plan) -> Preview:
    if plan.order_id == plan.other_order_id or plan.other_order_id is None:
        raise Invalid("Choose two orders.", code="same_order")
    first, second = _order(plan.order_id), _order(plan.other_order_id)
    both = (first, second)
    price, fees = first.price + second.price, first.client_fee + second.client_fee
    credit = first.credit + second.credit
    later = max(both, key=lambda row: (row.due_at.timestamp() if row.due_at else 0, row.delivery_days))
    figures = [
        *(Figure(f"Escrow of P4-{row.number}", _money(ZERO), _money(row.price), row.title) for row in both),
        Figure("Escrow of the new order", _money(price), _money(ZERO)),
        Figure("In escrow", _money(price), _money(price), is_sum=True),
        Figure("Service fee paid", _money(fees), _money(fees), "Goes with the new order; nothing is charged anew", is_sum=True),
        *([Figure("Paid with credits", _money(credit), _money(credit), "The same credits, with the same end", is_sum=True)] if credit else []),
        Figure("Orders", f"One: {title_of(first, second)}", f"P4-{first.number} and P4-{second.number}"),
        Figure("Due", _until(later, plan), " and ".join(dict.fromkeys(_until(row, plan) for row in both)), "The later of the two"),
        Figure("To deliver", ", ".join(_things(row) for row in both), " and ".join(_things(row) for row in both)),
        Figure(
            "Revisions left",
            str(first.revisions_left + second.revisions_left),
            " and ".join(str(row.revisions_left) for row in both),
        ),
    ]
    goes = (
        "What is to be delivered, and the questions with their answers",
        "The money in escrow, by one move each; on the chain, too",
        "What was said: both feeds are read on the new order",
        "Reminders, dates, the way to a dispute",
    )
    stays = (
        _payments(both),
        "What was delivered before, and amendments that are in force",
        f"The numbers P4-{first.number} and P4-{second.number}: cancelled, and their addresses lead to the new order",
    )
    blocked = [*why_not_merged(first, second), *_why_not(plan, both)]
    return Preview(
        f"Merge P4-{first.number} and P4-{second.number}",
        tuple(figures),
        price,
        tells=_tells(first),
        always=TWO_DECIDE,
        blocked=tuple(dict.fromkeys(blocked)),
        facts={"orders": [_facts(row) for row in both], "goes": goes, "stays": stays},
    )


def _tells(row: Order) -> tuple[str, ...]:
    return (
        f"{row.client.name}, in the app and by e-mail, with the figures before and after",
        f"{row.builder.user.name}, likewise; the conversation of the two gets a line",
    )


def _merge(plan: Plan, actor: Any) -> Done:
    assert plan.order_id is not None
    assert plan.other_order_id is not None
    made, manifest = orders.merge_orders(plan.order_id, plan.other_order_id, actor=actor)
    numbers = [part["number"] for part in manifest["parts"]]
    return Done(f"Merged P4-{numbers[0]} and P4-{numbers[1]} into P4-{made.number}", {"order": f"P4-{made.number}", "manifest": manifest})


MERGE = Kind("merge_orders", ActionType.ORDER_MERGE, _check_nothing, _preview_merge, _lock, _merge)


# Split


def _check_split(asked: Mapping[str, Any]) -> dict[str, Any]:
    title = " ".join(str(asked.get("title") or "").split())
    if not title:
        raise Invalid("Give the new order a name.", code="title")
    places = asked.get("deliverables") or []
    try:
        chosen = sorted({int(place) for place in places})
    except (TypeError, ValueError):
        raise Invalid("Choose from what the order includes.", code="deliverables") from None
    if len(chosen) > MOST_DELIVERABLES or any(place < 0 for place in chosen):
        raise Invalid("Choose from what the order includes.", code="deliverables")
    revisions = asked.get("revisions") or 0
    if not isinstance(revisions, int) or not 0 <= revisions <= 1000:
        raise Invalid("Say how many revisions go along.", code="revisions")
    return {"title": title[:200], "price": str(parse(asked.get("price") or "")), "deliverables": chosen, "revisions": revisions}


def _share(plan: Plan) -> Share:
    asked = plan.asked
    return Share(asked["title"], Decimal(asked["price"]), tuple(asked["deliverables"]), asked["revisions"])


def _preview_split(plan: Plan) -> Preview:
    row, share = _order(plan.order_id), _share(plan)
    blocked = [*why_not_split(row, share), *_why_not(plan, [row])]
    if blocked:
        return Preview(f"Split P4-{row.number}", (), share.price, always=TWO_DECIDE, blocked=tuple(blocked), facts={"order": _facts(row)})
    fee, lent = share_of(row, share)
    credit = lent.prepaid + lent.gift
    part = [row.deliverables[place] for place in share.deliverables] or [share.title]
    left = [one for place, one in enumerate(row.deliverables) if place not in share.deliverables]
    figures = [
        Figure(f"Escrow of P4-{row.number}", _money(row.price - share.price), _money(row.price), row.title),
        Figure("Escrow of the new order", _money(share.price), _money(ZERO), share.title),
        Figure("In escrow", _money(row.price), _money(row.price), is_sum=True),
        Figure(f"Service fee of P4-{row.number}", _money(row.client_fee - fee), _money(row.client_fee)),
        Figure("Service fee of the new order", _money(fee), _money(ZERO), "In the same proportion, to the cent"),
    ]
    if row.credit:
        figures += [
            Figure(f"Credits in P4-{row.number}", _money(row.credit - credit), _money(row.credit)),
            Figure("Credits in the new order", _money(credit), _money(ZERO)),
        ]
    figures += [
        Figure(f"P4-{row.number} delivers", ", ".join(left) or "As it says", _things(row)),
        Figure("The new order delivers", ", ".join(part), ""),
        Figure("Revisions left", f"{row.revisions_left - share.revisions} and {share.revisions}", str(row.revisions_left)),
        Figure("Due", f"Both {_until(row, plan)}", _until(row, plan), "Neither date moves"),
    ]
    goes = ("The deliverables that were chosen", "Its share of escrow, fee and credits", "The questions with their answers, as a copy")
    stays = (_payments([row]), "What was said and delivered so far", "Amendments that are in force")
    return Preview(
        f"Split {share.title} off P4-{row.number}",
        tuple(figures),
        share.price,
        tells=_tells(row),
        always=TWO_DECIDE,
        facts={"order": _facts(row), "fee": fee, "prepaid": lent.prepaid, "gift": lent.gift, "goes": goes, "stays": stays},
    )


def _split(plan: Plan, actor: Any) -> Done:
    assert plan.order_id is not None
    made, manifest = orders.split_order(plan.order_id, _share(plan), actor=actor)
    return Done(f"Split P4-{made.number} off P4-{manifest['from']}", {"order": f"P4-{made.number}", "manifest": manifest})


SPLIT = Kind("merge_orders", ActionType.ORDER_SPLIT, _check_split, _preview_split, _lock, _split)


# Undo


def _manifest(plan: Plan) -> Mapping[str, Any]:
    done = plan.undoes
    if done is None or done.status != PlanStatus.EXECUTED or done.kind not in (PlanKind.MERGE, PlanKind.SPLIT):
        raise Invalid("Say which merge or split is to be undone: the number of its plan, once it was executed.", code="undoes")
    made: Mapping[str, Any] = done.result["manifest"]
    return made


def _preview_undo(plan: Plan) -> Preview:
    manifest = _manifest(plan)
    rows = {row.pk: row for row in Order.objects.with_people().filter(pk__in=joined_ids(manifest))}
    made = rows[UUID(manifest["made"])]
    others = [row for pk, row in rows.items() if pk != made.pk]
    others.sort(key=lambda row: row.number)
    blocked = [*why_not_undone(manifest, rows), *_why_not(plan, list(rows.values()))]
    back = {row.pk: row.price if manifest["did"] == "merge" else row.price + made.price for row in others}
    total = sum(back.values(), ZERO)
    figures = [
        Figure(f"Escrow of P4-{made.number}", _money(ZERO), _money(made.price), made.title),
        *(Figure(f"Escrow of P4-{row.number}", _money(back[row.pk]), _money(back[row.pk] - _gets(row, made, manifest)), row.title) for row in others),
        Figure("In escrow", _money(total), _money(total), is_sum=True),
        *_words_of_undo(made, others, manifest, plan),
    ]
    goes = ("The money, to where it came from, with the same credits", "Answers that were saved meanwhile")
    stays = (f"P4-{made.number}, cancelled, with what was said there",)
    return Preview(
        f"Undo {plan.undoes}: P4-{made.number} goes back",
        tuple(figures),
        made.price,
        tells=_tells(made),
        always=TWO_DECIDE,
        blocked=tuple(dict.fromkeys(blocked)),
        facts={"orders": [_facts(row) for row in (made, *others)], "goes": goes, "stays": stays},
    )


def _words_of_undo(made: Order, others: Sequence[Order], manifest: Mapping[str, Any], plan: Plan) -> list[Figure]:
    """What the orders are called, promise and when, before and after."""
    numbers = " and ".join(f"P4-{row.number}" for row in others)
    if manifest["did"] == "split":
        (order,), whole = others, manifest["before"]["deliverables"]
        return [
            Figure("Orders", numbers, f"{numbers} and P4-{made.number}"),
            Figure("To deliver", ", ".join(whole) or order.title, f"{_things(order)} and {_things(made)}"),
            Figure("Due", _until(order, plan), _until(order, plan), "It does not move"),
        ]
    dates = " and ".join(dict.fromkeys(_until(row, plan) for row in others))
    return [
        Figure("Orders", numbers, f"P4-{made.number}"),
        Figure("To deliver", " and ".join(_things(row) for row in others), _things(made)),
        Figure("Due", dates, _until(made, plan), "And the days by which the date has moved meanwhile"),
    ]


def _gets(row: Order, made: Order, manifest: Mapping[str, Any]) -> Decimal:
    moved = row if manifest["did"] == "merge" else made
    return parse(moved.price)


def _undo(plan: Plan, actor: Any) -> Done:
    manifest = _manifest(plan)
    parts = orders.undo_joining(manifest, actor=actor)
    numbers = " and ".join(f"P4-{row.number}" for row in parts)
    return Done(f"Took P4-{manifest['number']} back; {numbers} as before", {"order": numbers})


UNDO = Kind("merge_orders", ActionType.ORDER_UNDO, _check_nothing, _preview_undo, _lock, _undo)
