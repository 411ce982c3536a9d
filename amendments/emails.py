"""What one person is told about an amendment, in the app and by e-mail: what happened, what comes next, until when."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from port444.kit.money import fee, usd
from port444.orders.emails import Words
from port444.orders.helm import both_words

from .models import Amendment
from .notices import gist


def link(amendment: Amendment) -> str:
    """Where a person reads and answers it."""
    return reverse("orders:detail", args=[amendment.order.number])


def facts_for(amendment: Amendment, reader: Any) -> list[tuple[str, str]]:
    """What every mail about an amendment names."""
    order = amendment.order
    facts = [("Order", f"{order.number}, {order.title}"), ("With", order.other(reader).name), ("Change", gist(amendment))]
    if amendment.additional_amount:
        facts.append(("Price then", usd(amendment.price_after)))
        if order.is_builder(reader):
            more = amendment.additional_amount - fee(amendment.additional_amount, order.builder_fee_bps)
            facts.append(("You get more", f"{usd(more)} after the platform fee"))
        else:
            facts.append(("You pay", f"{usd(amendment.total)} with the service fee"))
    return facts


def _until(amendment: Amendment, reader: Any) -> str:
    return both_words(amendment.expires_at, reader, amendment.order.other(reader))


def proposed(amendment: Amendment, reader: Any) -> Words:
    name = amendment.proposer.first_name
    if amendment.asks_for_time:
        return Words(
            f"{name} asks for {gist(amendment)}",
            f"“{amendment.reason}” {_date_then(amendment, reader)}Answer by {_until(amendment, reader)}, one press says yes or no. "
            "Until then the order does not count as late, and without an answer the date stays where it is.",
        )
    again = "a new version of a change" if amendment.version > 1 else "a change"
    return Words(
        f"{name} proposes {again}: {gist(amendment)}",
        f"“{amendment.reason}” Answer by {_until(amendment, reader)}: approve it, ask for changes, or decline. "
        "The clock of the order stands until then, and without an answer the order stays as it is.",
    )


def _date_then(amendment: Amendment, reader: Any) -> str:
    after = amendment.order.due_after(amendment.additional_days, amendment.created_at, reopens=True)
    return f"With it the delivery is due {both_words(after, reader, amendment.order.other(reader))}. " if after else ""


def changes_asked(amendment: Amendment, reader: Any) -> Words:
    name = amendment.answerer.first_name
    return Words(
        f"{name} asks for another version of your change", f"“{amendment.answer}” Send a new version by {_until(amendment, reader)}, or withdraw it."
    )


def approved(amendment: Amendment, reader: Any) -> Words:
    name, order = amendment.answerer.first_name, amendment.order
    if amendment.invoice is None:
        return Words(f"{name} approved your change", f"{gist(amendment)[:1].upper()}{gist(amendment)[1:]} on order {order.number}.")
    if order.is_builder(reader):
        return Words(f"{name} approved your change", f"It is in force when {name} has paid {usd(amendment.additional_amount)} into escrow.")
    return Words(
        f"{name} approved your change: pay {usd(amendment.invoice.total)}",
        f"Pay by {_until(amendment, reader)}. The change is in force when escrow has the money; without payment the order stays as it is.",
    )


def declined(amendment: Amendment, reader: Any) -> Words:
    name = amendment.answerer.first_name
    return Words(f"{name} declined your change", f"“{amendment.answer}” Order {amendment.order.number} stays as it is.")


def withdrawn(amendment: Amendment, reader: Any) -> Words:
    name = amendment.proposer.first_name
    return Words(f"{name} withdrew the proposed change", f"Order {amendment.order.number} stays as it is. There is nothing to do for you.")


def expired(amendment: Amendment, reader: Any) -> Words:
    why = "paid" if amendment.invoice_id else "answered"
    return Words(
        f"The change of order {amendment.order.number} expired", f"It was not {why} in time. The order stays as it is; propose it again any time."
    )


def completed(amendment: Amendment, reader: Any) -> Words:
    order = amendment.order
    due = f" Delivery is due by {both_words(order.due_at, reader, order.other(reader))}." if amendment.due_after else ""
    return Words(
        f"The change of order {order.number} is in force",
        f"{gist(amendment)[:1].upper()}{gist(amendment)[1:]}. The price is {usd(order.price)}.{due}",
    )


def failed(amendment: Amendment, reader: Any) -> Words:
    title = f"The change of order {amendment.order.number} is not in force yet"
    if not amendment.paid_at:
        return Words(title, f"Escrow did not take the new date: {amendment.funding_failure} Try again, or give the change up.")
    if amendment.order.is_builder(reader):
        name = amendment.order.client.first_name
        return Words(
            title,
            f"Escrow did not take the money: {amendment.funding_failure} {name} can try again or take the money back. Wait with the extra work.",
        )
    return Words(title, f"Escrow did not take the money: {amendment.funding_failure} It is safe with us. Try again, or take it back.")


def refunded(amendment: Amendment, reader: Any) -> Words:
    order = amendment.order
    if not amendment.paid_at or order.is_builder(reader):
        return Words(f"The change of order {order.number} was given up", "The order stays as it was before the change.")
    return Words(
        f"The change of order {order.number} was given up", "What you paid for it goes back to you, service fee included. The order stays as it was."
    )
