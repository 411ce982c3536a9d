"""Two orders go on as one, or one as two; and how that is undone. Called by plans of support: `actor` is who asked for it.

Payments stay where they were made: only what escrow holds is moved, so that what comes back later finds its way to them. What becomes
of an order is told to both sides with the figures before and after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.dateparse import parse_datetime

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.kit.ids import uuid7
from port444.kit.money import ZERO, split, usd
from port444.orders import emails, handlers, notices
from port444.orders.models import JOINABLE, CancelCause, Order, OrderStatus, Origin, Requirement
from port444.payments import escrow
from port444.payments.escrow import Lent, Position, books, place_of
from port444.payments.models import Refund, RefundStatus

from .nudges import plan_nudges
from .telling import deal, post, tell
from .terms import prolong_escrow

S = OrderStatus
LEAST = Decimal("1.00")
COMBINED = "Combined"  # in the place of a package's name
LONGEST_TITLE = 90
Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Share:
    """What of an order becomes one of its own: `deliverables` are places in its list, from 0."""

    title: str
    price: Decimal
    deliverables: tuple[int, ...] = ()
    revisions: int = 0


def lock_orders(ids: Sequence[UUID]) -> dict[UUID, Order]:
    """The builder first, then the orders in their one order, with everything that they were merged or split into."""
    builders = Order.objects.filter(pk__in=ids).values_list("builder_id", flat=True).distinct()
    for builder_id in sorted(builders):
        Builder.objects.lock(builder_id)
    return Order.objects.lock_all(ids)


# Merging


def why_not_merged(first: Order, second: Order) -> list[str]:
    """All that stands against making one order of these two, each a sentence."""
    if first.pk == second.pk:
        return ["An order is not merged with itself."]
    if (first.client_id, first.builder_id) != (second.client_id, second.builder_id):
        return ["Only orders of the same client and the same builder are merged."]
    found = [*_why_not_now(first), *_why_not_now(second)]
    if found:
        return found
    if _asks(first) != _asks(second):
        waits, works = (first, second) if _asks(first) else (second, first)
        found.append(f"Order {waits.number} waits for answers while order {works.number} is in work. Merge them when the answers are there.")
    if first.builder_fee_bps != second.builder_fee_bps:
        found.append("The two orders have different platform fees.")
    if place_of(first.pk) != place_of(second.pk):
        found.append("The money of the two orders is held in different places or for different wallets, and cannot lie in one escrow.")
    return found


def title_of(first: Order, second: Order) -> str:
    """What the merged order is called."""
    room = LONGEST_TITLE - len("Merged:  + ")
    titles = [first.title.removeprefix("Merged: "), second.title.removeprefix("Merged: ")]
    if len(titles[0]) + len(titles[1]) > room:
        titles = [one if len(one) <= room // 2 else f"{one[: room // 2 - 1].rstrip()}…" for one in titles]
    return f"Merged: {titles[0]} + {titles[1]}"


@transaction.atomic
def merge_orders(first_id: UUID, second_id: UUID, *, actor: Any) -> tuple[Order, dict[str, Any]]:
    """A new order with the work and the money of both, which end as parts of it. Gives it and what `undo_joining` has to know.

    Raises WrongState with all that stands against it.
    """
    rows = lock_orders([first_id, second_id])
    first, second = rows[first_id], rows[second_id]
    _require(why_not_merged(first, second))
    parts, moment = (first, second), now()
    for part in parts:
        handlers.ending(part, None)
        part.refresh_from_db(fields=["clock_stopped_at", "due_at"])
    made = _merged(parts, moment)
    _open_beside(made, parts, actor)
    lent = [_take_over(part, made, actor) for part in parts]
    made.credit, made.prepaid = sum((one.prepaid + one.gift for one in lent), ZERO), sum((one.prepaid for one in lent), ZERO)
    made.save(update_fields=["credit", "prepaid"])
    kept = [_kept(part) for part in parts]
    for part in parts:
        part.move_to(S.CANCELLED, cancelled_at=moment, cancel_cause=CancelCause.MERGED, merged_into=made)
    prolong_escrow(made, actor=actor)
    plan_nudges(made, moment)
    facts = {"orders": [part.number for part in parts], "price": made.price}
    record(Event.ORDERS_MERGED, actor=actor, as_a=ActorType.ADMIN, target=made, amount=made.price, number=made.number, **facts)
    post(made, notices.merged(made, parts), notices.JOINED)
    for person in (made.client, made.builder.user):
        tell(made, person, "order.merged", emails.merged_to(made, parts, person), "merged")
    return made, {"did": "merge", "made": str(made.pk), "number": made.number, "parts": kept, "after": _terms(made)}


def _merged(parts: tuple[Order, Order], moment: datetime) -> Order:
    first, second = parts
    larger = max(parts, key=lambda part: part.price)
    asks = _asks(first)
    made = Order.objects.create(
        client=first.client,
        builder=first.builder,
        service_id=larger.service_id,
        conversation=first.conversation,
        client_key=uuid7(),
        title=title_of(first, second),
        package_name=COMBINED,
        deliverables=[*first.deliverables, *second.deliverables],
        status=S.PENDING_REQUIREMENTS if asks else S.IN_PROGRESS,
        price=first.price + second.price,
        client_fee=first.client_fee + second.client_fee,
        builder_fee_bps=first.builder_fee_bps,
        delivery_days=max(first.delivery_days, second.delivery_days),
        revisions_allowed=first.revisions_allowed + second.revisions_allowed,
        revisions_used=first.revisions_used + second.revisions_used,
        placed_at=moment,
        pay_until=moment,
        paid_at=_latest(first.paid_at, second.paid_at),
        requirements_until=_latest(first.requirements_until, second.requirements_until),
        started_at=None if asks else min(filter(None, (first.started_at, second.started_at))),
        due_at=_latest(first.due_at, second.due_at),
        works_through=first.works_through if first.works_through == second.works_through else None,
        exit_until=_latest(first.exit_until, second.exit_until),
        nudges_stopped_at=_latest(first.nudges_stopped_at, second.nudges_stopped_at),
        origin=Origin.MERGE,
    )
    made.refresh_from_db(fields=["number"])
    _copy_questions(made, parts)
    return made


def _take_over(part: Order, made: Order, actor: Any) -> Lent:
    """All that escrow holds for `part` is held for `made`; what of it credits had lent."""
    operation = escrow.current().move(deal(part), deal(made), part.price, f"order:{part.pk}:into:{made.pk}", actor=actor)
    return Lent(operation.prepaid, operation.gift)


def _open_beside(made: Order, parts: Sequence[Order], actor: Any) -> None:
    expiry = _latest(*(_place(part).expiry for part in parts))
    assert expiry is not None  # of an open escrow
    escrow.current().open(deal(made), ZERO, made.builder_fee_bps, f"order:{made.pk}:open", expiry=expiry, beside=deal(parts[0]), actor=actor)


def _copy_questions(made: Order, parts: Sequence[Order]) -> None:
    position = 0
    for part in parts:
        for row in part.requirements.prefetch_related("files").order_by("position"):
            position += 1
            copy = Requirement.objects.create(
                order=made,
                position=position,
                label=row.label,
                kind=row.kind,
                options=row.options,
                help=row.help,
                is_required=row.is_required,
                answer=row.answer,
            )
            copy.files.set(row.files.all())


# Splitting


def why_not_split(order: Order, share: Share) -> list[str]:
    """All that stands against making an order of its own of a part of this one."""
    found = _why_not_now(order)
    if not share.title.strip() or len(share.title.strip()) > LONGEST_TITLE:
        found.append(f"Give the new order a name of at most {LONGEST_TITLE} characters.")
    if not LEAST <= share.price <= order.price - LEAST:
        found.append(f"Each of the two orders keeps at least {usd(LEAST)} of {usd(order.price)}.")
    places = set(share.deliverables)
    if len(places) != len(share.deliverables) or any(not 0 <= place < len(order.deliverables) for place in places):
        found.append("Choose from what the order includes.")
    elif len(order.deliverables) > 1 and not 0 < len(places) < len(order.deliverables):
        found.append("At least one thing that is delivered goes to each of the two orders.")
    if not 0 <= share.revisions <= order.revisions_left:
        found.append(f"The order has {order.revisions_left} revisions left to share.")
    return found


def share_of(order: Order, share: Share) -> tuple[Decimal, Lent]:
    """Of the service fee and of what credits lent, what goes with the new order."""
    fee = split(order.client_fee, [share.price, order.price - share.price])[0]
    return fee, books.would_go(order.pk, share.price)


@transaction.atomic
def split_order(order_id: UUID, share: Share, *, actor: Any) -> tuple[Order, dict[str, Any]]:
    """A part of an order becomes an order of its own, with its share of everything. Gives it and what `undo_joining` has to know.

    Raises WrongState with all that stands against it.
    """
    order = lock_orders([order_id])[order_id]
    _require(why_not_split(order, share))
    moment, before = now(), _terms(order)
    fee, _ = share_of(order, share)
    made = _split_off(order, share, fee, moment)
    _open_beside(made, [order], actor)
    moved = escrow.current().move(deal(order), deal(made), share.price, f"order:{order.pk}:part:{made.pk}", actor=actor)
    made.credit, made.prepaid = moved.prepaid + moved.gift, moved.prepaid
    made.save(update_fields=["credit", "prepaid"])
    order.price -= made.price
    order.client_fee -= made.client_fee
    order.credit -= made.credit
    order.prepaid -= made.prepaid
    order.revisions_allowed -= made.revisions_allowed
    order.deliverables = [one for place, one in enumerate(order.deliverables) if place not in share.deliverables]
    order.save(update_fields=TERMS)
    prolong_escrow(made, actor=actor)
    plan_nudges(made, moment)
    facts = {"from_order": order.number, "left": order.price}
    record(Event.ORDER_SPLIT, actor=actor, as_a=ActorType.ADMIN, target=made, amount=made.price, number=made.number, **facts)
    post(order, notices.split(order, made), notices.PARTED)
    post(made, notices.split(order, made), notices.PARTED)
    for person in (order.client, order.builder.user):
        tell(made, person, "order.split", emails.split_to(order, made, before["price"], person), "split")
    told = {"did": "split", "made": str(made.pk), "number": made.number, "order": str(order.pk), "from": order.number}
    return made, {**told, "before": before, "after": _terms(order), "made_after": _terms(made)}


def _split_off(order: Order, share: Share, fee: Decimal, moment: datetime) -> Order:
    title = " ".join(share.title.split())
    made = Order.objects.create(
        client=order.client,
        builder=order.builder,
        service_id=order.service_id,
        conversation=order.conversation,
        client_key=uuid7(),
        title=title,
        package_name=COMBINED if order.package_name == COMBINED else order.package_name,
        deliverables=[order.deliverables[place] for place in sorted(share.deliverables)] or [title],
        status=S.PENDING_REQUIREMENTS if _asks(order) else S.IN_PROGRESS,
        price=share.price,
        client_fee=fee,
        builder_fee_bps=order.builder_fee_bps,
        delivery_days=order.delivery_days,
        revisions_allowed=share.revisions,
        placed_at=moment,
        pay_until=moment,
        paid_at=order.paid_at,
        requirements_until=order.requirements_until,
        started_at=order.started_at,
        due_at=order.due_at,
        works_through=order.works_through,
        exit_until=order.exit_until,
        nudges_stopped_at=order.nudges_stopped_at,
        origin=Origin.SPLIT,
        split_from=order,
    )
    made.refresh_from_db(fields=["number"])
    _copy_questions(made, [order])
    return made


# Undoing


def joined_ids(manifest: Manifest) -> list[UUID]:
    """The orders that a merge or a split was about."""
    others = [part["order"] for part in manifest["parts"]] if manifest["did"] == "merge" else [manifest["order"]]
    return [UUID(one) for one in (manifest["made"], *others)]


def why_not_undone(manifest: Manifest, rows: Mapping[UUID, Order]) -> list[str]:
    """All that stands against undoing a merge or a split: something has happened since."""
    made = rows[UUID(manifest["made"])]
    found = _why_not_untouched(made, manifest["after"] if manifest["did"] == "merge" else manifest["made_after"])
    if manifest["did"] == "split":
        order = rows[UUID(manifest["order"])]
        found += _why_not_untouched(order, manifest["after"])
        found = found or list(dict.fromkeys(one for row in (order, made) for one in _why_not_now(row, whole=False)))
        both, place = order.price + made.price, _place(order).locked + _place(made).locked
        return found or ([] if place == both else [f"Escrow holds {usd(place)} of {usd(both)}; money has moved since."])
    if found:
        return found
    places = {part.pk: _place(part) for part in (rows[UUID(one["order"])] for one in manifest["parts"])}
    whole = _place(made).locked + sum((place.locked for place in places.values()), ZERO)
    if not all(place.settled for place in (_place(made), *places.values())):
        found.append("Some of the money is on its way; wait until escrow has confirmed it.")
    elif whole != made.price:
        found.append(f"Escrow holds {usd(whole)} of {usd(made.price)}; money has moved since.")
    return found


def _why_not_untouched(order: Order, after: Manifest) -> list[str]:
    if order.status not in JOINABLE:
        return [f"Order {order.number} is {order.status_words()}."]
    found = []
    if order.clock_stopped_at is not None or order.disputed_at is not None:
        found.append(f"Something about order {order.number} is still open between the two sides.")
    if order.deliveries.filter(delivered_at__gt=_moment(after["at"])).exists():
        found.append(f"Something was delivered for order {order.number} since.")
    terms = _terms(order)
    if any(terms[name] != after[name] for name in ("price", "client_fee", "credit", "prepaid", "deliverables", "revisions_allowed", "delivery_days")):
        found.append(f"Order {order.number} has other terms since.")
    if terms["status"] != after["status"]:
        found.append(f"Order {order.number} has gone on since: it is {order.status_words()}.")
    return found


@transaction.atomic
def undo_joining(manifest: Manifest, *, actor: Any) -> list[Order]:
    """Undo a merge or a split of which nothing has happened since; the orders that go on. Raises WrongState with what has happened."""
    rows = lock_orders(joined_ids(manifest))
    _require(why_not_undone(manifest, rows))
    made, moment = rows[UUID(manifest["made"])], now()
    handlers.ending(made, None)
    parts = _put_back(manifest, rows, made, actor) if manifest["did"] == "merge" else _join_again(manifest, rows, made, actor)
    made.move_to(S.CANCELLED, cancelled_at=moment, cancel_cause=CancelCause.UNDONE)
    facts = {"did": manifest["did"], "orders": [part.number for part in parts]}
    record(Event.ORDER_UNDONE, actor=actor, as_a=ActorType.ADMIN, target=made, amount=made.price, number=made.number, **facts)
    post(made, notices.undone(made, parts), notices.PARTED)
    for part in parts:
        post(part, notices.undone(made, parts), notices.PARTED)
        plan_nudges(part, moment)
    for person in (made.client, made.builder.user):
        tell(parts[0], person, "order.undone", emails.undone_to(made, parts, person), f"undone:{made.pk}")
    return parts


def _put_back(manifest: Manifest, rows: Mapping[UUID, Order], made: Order, actor: Any) -> list[Order]:
    """The parts of a merged order go on where they were; days that its date has moved by move theirs, too."""
    after = _moment(manifest["after"]["due_at"])
    later = made.due_at - after if made.due_at is not None and after is not None else None
    answers = {row.position: row for row in made.requirements.prefetch_related("files")}
    parts, position = [], 0
    for kept in manifest["parts"]:
        part = rows[UUID(kept["order"])]
        missing = part.price - _place(part).locked
        if missing:
            lent = Lent(part.prepaid, part.credit - part.prepaid) if missing == part.price else None
            escrow.current().move(deal(made), deal(part), missing, f"order:{part.pk}:out:{made.pk}", lent=lent, actor=actor)
        for row in part.requirements.order_by("position"):
            position += 1
            row.answer = answers[position].answer
            row.save(update_fields=["answer"])
            row.files.set(answers[position].files.all())
        part.goes_on = True
        due_at = part.due_at + later if part.due_at is not None and later is not None else part.due_at
        part.move_to(kept["status"], merged_into=None, cancelled_at=None, cancel_cause="", due_at=due_at)
        part.goes_on = False
        prolong_escrow(part, actor=actor)
        parts.append(part)
    return parts


def _join_again(manifest: Manifest, rows: Mapping[UUID, Order], made: Order, actor: Any) -> list[Order]:
    """What was split off comes back."""
    order, before = rows[UUID(manifest["order"])], manifest["before"]
    there = _place(made).locked  # what the chain has refused to move is with the order still
    if there:
        lent = Lent(made.prepaid, made.credit - made.prepaid) if there == made.price else None
        escrow.current().move(deal(made), deal(order), there, f"order:{made.pk}:back:{order.pk}", lent=lent, actor=actor)
    for name in ("price", "client_fee", "credit", "prepaid"):
        setattr(order, name, Decimal(before[name]))
    order.deliverables, order.revisions_allowed = before["deliverables"], before["revisions_allowed"]
    order.save(update_fields=TERMS)
    return [order]


# What all of them ask


def _why_not_now(order: Order, *, whole: bool = True) -> list[str]:
    """What stands against moving an order's money to another one just now; with `whole` it has to be there, too."""
    if order.status not in JOINABLE:
        return [f"Order {order.number} is {order.status_words()}."]
    found = []
    if order.disputed_at is not None:
        found.append(f"Order {order.number} is in dispute.")
    elif order.clock_stopped_at is not None:
        found.append(f"The clock of order {order.number} stands, because something is open between the two sides.")
    place = _place(order)
    if not place.settled:
        found.append(f"Money of order {order.number} is on its way; wait until escrow has confirmed it.")
    elif place.held:
        found.append(f"The money of order {order.number} is on hold.")
    elif whole and place.locked != order.price:
        found.append(f"Escrow holds {usd(place.locked)} for order {order.number}, whose price is {usd(order.price)}.")
    under_way = Refund.objects.filter(payment__invoice__deal_id__in=books.sources(order.pk), status=RefundStatus.REQUESTED)
    if under_way.exists():
        found.append(f"A refund of order {order.number} is on its way.")
    return found


def _require(found: Sequence[str]) -> None:
    if found:
        raise WrongState(" ".join(found), code="not_joinable")


def _asks(order: Order) -> bool:
    return bool(order.status == S.PENDING_REQUIREMENTS)


def _place(order: Order) -> Position:
    return escrow.current().position(deal(order))


def _latest(*moments: datetime | None) -> datetime | None:
    return max(filter(None, moments), default=None)


def _moment(said: str | None) -> datetime | None:
    return parse_datetime(said) if said else None


def _kept(part: Order) -> dict[str, Any]:
    return {"order": str(part.pk), "number": part.number, **_terms(part)}


TERMS = ["price", "client_fee", "credit", "prepaid", "revisions_allowed", "deliverables"]


def _terms(order: Order) -> dict[str, Any]:
    """What a manifest keeps of an order, as JSON has it."""
    return {
        "at": now().isoformat(),
        "status": str(order.status),
        **{name: str(getattr(order, name)) for name in ("price", "client_fee", "credit", "prepaid")},
        "revisions_allowed": order.revisions_allowed,
        "delivery_days": order.delivery_days,
        "deliverables": list(order.deliverables),
        "due_at": order.due_at.isoformat() if order.due_at else None,
    }
