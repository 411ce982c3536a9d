"""What happened to a change, and what escrow was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from amendments.models import Amendment, AmendmentStatus
from port444.kit.money import usd
from port444.payments.models import EscrowKind, EscrowOperation, EscrowStatus

A = AmendmentStatus

OPERATIONS: dict[EscrowStatus, str | Promise] = {
    EscrowStatus.QUEUED: gettext_lazy("Waits for its turn"),
    EscrowStatus.SIGNED: gettext_lazy("Being sent to the chain"),
    EscrowStatus.SENT: gettext_lazy("Sent to the chain"),
    EscrowStatus.MINED: gettext_lazy("In a block, being confirmed"),
    EscrowStatus.BLOCKED: gettext_lazy("Held up for a moment"),
    EscrowStatus.CONFIRMED: gettext_lazy("Confirmed"),
    EscrowStatus.FAILED: gettext_lazy("Not taken"),
    EscrowStatus.CANCELLED: gettext_lazy("Called off"),
    EscrowStatus.NEEDS_REVIEW: gettext_lazy("A person of our team looks at it"),
}


@dataclass(frozen=True, slots=True)
class Try:
    """One operation with which escrow was asked to take the change, and the transactions that were sent for it."""

    title: str
    words: str
    kind: str  # tag
    at: datetime
    reason: str
    block: int | None
    hashes: list[tuple[str, str]]  # the hash and where it can be looked at

    @property
    def tx_hash(self) -> tuple[str, str] | None:
        return self.hashes[-1] if self.hashes else None


def attempt(operation: EscrowOperation) -> Try:
    """`operation` comes with its attempts prefetched."""
    status = EscrowStatus(operation.status)
    kind = {EscrowStatus.CONFIRMED: "ok", EscrowStatus.FAILED: "bad", EscrowStatus.CANCELLED: "quiet"}.get(status, "")
    sent = [row.tx_hash for row in operation.attempts.all()]
    if operation.tx_hash and operation.tx_hash not in sent:
        sent.append(operation.tx_hash)
    explorer = settings.CHAIN_EXPLORER_URL
    return Try(
        _("Time until which escrow holds it") if operation.kind == EscrowKind.EXTEND else _("Money into escrow"),
        str(OPERATIONS[status]),
        kind,
        operation.confirmed_at or operation.created_at,
        operation.reason,
        operation.block_number,
        [(tx, f"{explorer}{tx}" if explorer else "") for tx in sent],
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an amendment."""

    icon_name: str
    who: str
    text: str
    at: datetime
    quote: str = ""


def steps(amendment: Amendment, viewer: Any) -> list[Step]:
    """What happened to one version, oldest first."""

    def did(icon_name: str, person: Any, at: datetime, yours: str, theirs: str, quote: str = "") -> None:
        """The two differ where a language says "you have" and "she has"."""
        you = person.pk == viewer.pk
        found.append(Step(icon_name, _("You") if you else str(person.first_name), yours if you else theirs, at, quote))

    found: list[Step] = []
    proposer, answerer, answer = amendment.proposer, amendment.answerer, amendment.answer_words
    if amendment.version == 1:
        did("git-compare", proposer, amendment.created_at, pgettext("after You", "proposed it"), _("proposed it"))
    else:
        version = {"number": amendment.version}
        yours, theirs = pgettext("after You", "sent version %(number)s") % version, _("sent version %(number)s") % version
        did("git-compare", proposer, amendment.created_at, yours, theirs)
    answered = amendment.answered_at
    if answered is not None and amendment.status != A.WITHDRAWN:
        if amendment.status in (A.CHANGES_REQUESTED, A.SUPERSEDED):
            did("pencil", answerer, answered, pgettext("after You", "asked for changes"), _("asked for changes"), answer)
        elif amendment.status == A.REJECTED:
            did("circle-x", answerer, answered, pgettext("after You", "declined it"), _("declined it"), answer)
        elif amendment.status != A.EXPIRED:
            did("circle-check", answerer, answered, pgettext("after You", "approved it"), _("approved it"))
    if amendment.paid_at is not None:
        paid = amendment.invoice.total if amendment.invoice is not None else amendment.total
        amount, payer = {"amount": usd(paid)}, amendment.order.client
        if paid:
            yours, theirs = pgettext("after You", "paid %(amount)s") % amount, pgettext("after a name", "paid %(amount)s") % amount
            did("wallet", payer, amendment.paid_at, yours, theirs)
        else:
            did("wallet", payer, amendment.paid_at, pgettext("after You", "paid with credit alone"), _("paid with credit alone"))
    closed = amendment.closed_at
    if amendment.status == A.COMPLETED and amendment.completed_at is not None:
        found.append(Step("lock", "", _("It came into force"), amendment.completed_at))
    elif amendment.status == A.WITHDRAWN and closed is not None:
        did("undo-2", proposer, closed, pgettext("after You", "withdrew it"), _("withdrew it"))
    elif amendment.status == A.EXPIRED and closed is not None:
        found.append(Step("hourglass", "", answer or _("It lapsed, as it was not settled in time"), closed))
    elif amendment.status == A.REFUNDED and closed is not None:
        found.append(Step("undo-2", "", _("It did not come into force, and the money was sent back"), closed))
    return sorted(found, key=lambda step: step.at)
