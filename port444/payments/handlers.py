"""What the apps above do when money has moved: they register here, from their `apps.py`, and payments calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.functional import Promise as Lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from .models import Credit, EscrowKind, EscrowOperation, Invoice, Payment


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens after payment, for the checkout."""

    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """One line below the pay button; `icon` is a name of the sprite."""

    icon: str
    text: str


HEADING, HELD, THING = gettext_lazy("Pay into escrow"), gettext_lazy("This price is held"), pgettext_lazy("what is paid for", "order")


@dataclass(frozen=True, slots=True)
class Description:
    """How the checkout speaks of what is paid for."""

    title: str  # "Five slow Django pages"
    kind: str = ""  # "Standard package"
    icon: str = "package"
    heading: str | Lazy = HEADING
    lede: str = ""  # one sentence under the heading
    thing: str | Lazy = THING  # what the person calls it: order, call
    held: str | Lazy = HELD  # continued by "until 15:12"
    paid_note: str = ""  # where the money goes, under the total
    back_url: str = ""  # what the crumb links to
    back_text: str = ""
    steps: Sequence[Step] = field(default_factory=tuple)
    promises: Sequence[Promise] = field(default_factory=tuple)


Lock = Callable[[UUID], Any]
Settled = Callable[[Any, Invoice, Payment | None], None]
Unpaid = Callable[[Any, Invoice], None]
Begun = Callable[[Any, Invoice, datetime], datetime | None]
Describe = Callable[[Invoice], Description]
OnEscrow = Callable[[EscrowOperation], object]
OnCredit = Callable[[Credit, Invoice], None]


@dataclass(frozen=True, slots=True)
class Handler:
    """What one purpose does around its invoice, each inside one transaction with `lock` before it."""

    lock: Lock
    settled: Settled
    unpaid: Unpaid
    describe: Describe
    begun: Begun | None = None


@dataclass(frozen=True, slots=True)
class CreditHandler:
    """What a source of credits does around their use. `lock` comes before the credit's own lock, the other two after it."""

    lock: Callable[[UUID], object]
    used: OnCredit
    returned: OnCredit


_handlers: dict[str, Handler] = {}
_on_credit: dict[str, CreditHandler] = {}
_on_escrow: dict[tuple[str, str], OnEscrow] = {}
_on_escrow_failed: dict[tuple[str, str], OnEscrow] = {}
_deal_locks: dict[str, Callable[[UUID], object]] = {}


def describe_plainly(invoice: Invoice) -> Description:
    """What can be said of an invoice whose purpose says nothing itself: its first line."""
    first = invoice.lines.first()
    return Description(title=first.description if first else _("Invoice"), kind=invoice.payee_name)


def register(
    purpose: str, *, lock: Lock, settled: Settled, unpaid: Unpaid, describe: Describe = describe_plainly, begun: Begun | None = None
) -> None:
    """Say what happens around invoices of `purpose`.

    `lock(subject_id)` locks and gives the domain row, before the invoice is locked. `settled(row, invoice, payment)` runs in
    the transaction in which the invoice becomes paid; the price is then in the payer's client account and the fee in the fees
    account. `payment` is None when credits have paid all of it. `unpaid(row, invoice)` runs when the time to pay has passed.
    None of them may talk to a network.
    """
    _handlers[purpose] = Handler(lock, settled, unpaid, describe, begun)


def on_escrow(purpose: str, kind: EscrowKind, call: OnEscrow) -> None:
    """Call `call(operation)` when an escrow operation of this purpose and kind is confirmed, in the same transaction."""
    _on_escrow[purpose, kind] = call


def of(purpose: str) -> Handler:
    """The handler of a purpose. Raises LookupError when nobody registered."""
    try:
        return _handlers[purpose]
    except KeyError:
        raise LookupError(f"nobody handles invoices for {purpose!r}") from None


def purposes() -> list[str]:
    """What invoices are opened for."""
    return sorted(_handlers)


def escrow_confirmed(operation: EscrowOperation) -> None:
    """Tell whoever registered for this kind of operation."""
    call = _on_escrow.get((operation.purpose, operation.kind))
    if call is not None:
        call(operation)


def on_escrow_failed(purpose: str, kind: EscrowKind, call: OnEscrow) -> None:
    """Call `call(operation)` when an escrow operation of this purpose and kind is given up for good: nothing moved and nothing will.

    In the transaction that says so, with the deal's own row locked (see `register_deal`).
    """
    _on_escrow_failed[purpose, kind] = call


def escrow_failed(operation: EscrowOperation) -> bool:
    """Tell whoever registered for this kind of operation; whether anybody did."""
    call = _on_escrow_failed.get((operation.purpose, operation.kind))
    if call is not None:
        call(operation)
    return call is not None


def register_deal(purpose: str, lock: Callable[[UUID], object]) -> None:
    """Say how the row behind the escrow operations of `purpose` is locked, before an operation is. `lock(subject_id)`"""
    _deal_locks[purpose] = lock


def lock_deal(purpose: str, subject_id: UUID) -> None:
    """Lock the row that an escrow operation is about; nothing for a purpose of which nobody said how."""
    lock = _deal_locks.get(purpose)
    if lock is not None:
        lock(subject_id)


def register_credit(source: str, *, lock: Callable[[UUID], object], used: OnCredit, returned: OnCredit) -> None:
    """Say what happens around credits of `source`: `lock(source_id)` locks the row that a credit came from, before the credit is
    locked; `used(credit, invoice)` and `returned(credit, invoice)` run in the transaction that takes or wholly gives back."""
    _on_credit[source] = CreditHandler(lock, used, returned)


def lock_credit_source(source: str, source_id: UUID) -> None:
    handler = _on_credit.get(source)
    if handler is not None:
        handler.lock(source_id)


def credit_used(credit: Credit, invoice: Invoice) -> None:
    handler = _on_credit.get(credit.source)
    if handler is not None:
        handler.used(credit, invoice)


def credit_returned(credit: Credit, invoice: Invoice) -> None:
    handler = _on_credit.get(credit.source)
    if handler is not None:
        handler.returned(credit, invoice)
