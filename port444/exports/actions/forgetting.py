"""Making a person nameless, for whoever asks to be forgotten. The books, the orders and the proof stay whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from amendments.models import Amendment, AmendmentStatus
from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import IncidentLog
from consultations.models import Absence, AbsenceStatus, Consultation, ConsultationStatus
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.exports import erasing
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.jobs import enqueue
from port444.kit.language import within
from port444.kit.money import usd
from port444.orders.models import Dispute, Offer, OfferStatus, Order, OrderStatus
from port444.payments.models import (
    AccountKind,
    Credit,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceStatus,
    LedgerAccount,
    Payment,
    PaymentStatus,
    PayoutHold,
    Refund,
    RefundStatus,
    Withdrawal,
    WithdrawalStatus,
)
from support.models import Plan, PlanStatus, Viewing
from support.roles import require

from .taking import operator

OVER = [OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.EXPIRED]
OPEN_CHANGES = [
    AmendmentStatus.PENDING,
    AmendmentStatus.CHANGES_REQUESTED,
    AmendmentStatus.APPROVED,
    AmendmentStatus.PAID,
    AmendmentStatus.FUNDING,
    AmendmentStatus.FUNDING_FAILED,
]
DONE_ON_CHAIN = [EscrowStatus.CONFIRMED, EscrowStatus.FAILED, EscrowStatus.CANCELLED]
SHOWN = 5  # of a kind, by name


class InTheWay(Conflict):
    """Something is open that needs the person. `reasons` are sentences."""

    code = "in_the_way"

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done: rows by table and files; nothing of somebody who was nameless already."""

    rows: dict[str, int]
    files: int

    @property
    def anything(self) -> bool:
        return bool(self.rows)


@transaction.atomic
def anonymise_person(user_id: UUID, *, actor: User | None = None) -> Forgotten:
    """Replace all that names a person, delete what lets them in, and have their files removed. Raises InTheWay while anything is open.

    Doing it again does nothing. The rows of the person are locked against new rows that point to them, which the usual lock is not.
    """
    moment = now()
    list(Builder.objects.select_for_update(of=("self",)).filter(user=user_id))
    person = User.objects.select_for_update(of=("self",)).get(pk=user_id)
    if actor is not None and actor.pk != person.pk:
        require(actor, "restrict")
    if erasing.is_nameless(person):
        return Forgotten({}, 0)
    if reasons := in_the_way(person, moment):
        raise InTheWay(reasons)
    names, files = erasing.known_as(person), erasing.files_of(person)
    values = erasing.parameters(person, names, make_password(None), moment)
    rows: dict[str, int] = {}
    with connection.cursor() as cursor:
        for table, statement in erasing.statements(person):
            cursor.execute(statement, values)
            if cursor.rowcount:
                rows[table] = rows.get(table, 0) + cursor.rowcount
    person.refresh_from_db()
    record(
        Event.PERSON_ANONYMISED, actor=_named(actor, person), target=person, rows=sum(rows.values()), tables=rows, files=len(files), **operator(actor)
    )
    for name in files:
        enqueue("port444.exports.jobs.remove_file", name)
    return Forgotten(rows, len(files))


def _named(actor: User | None, person: User) -> User | None:
    """Who acts, by the name that is left of them."""
    return person if actor is not None and actor.pk == person.pk else actor


def remove_file(name: str) -> None:
    """Remove the bytes of a file, which may be gone already."""
    default_storage.delete(name)


def in_the_way(person: User, moment: datetime) -> list[str]:
    """What is open and needs the person, in sentences; nothing when they can be forgotten."""
    return [*in_sight(person, moment), *unseen(person, moment)]


def in_sight(person: User, moment: datetime) -> list[str]:
    """What the person may know of it."""
    looks: tuple[Callable[[User, datetime], list[str]], ...] = (_standing, _money, _deals, _transfers, _holds)
    return [reason for look in looks for reason in look(person, moment)]


def unseen(person: User, moment: datetime) -> list[str]:
    """That somebody looks into something, which only staff read."""
    viewing = Viewing.objects.filter(subject=person, ended_at__isnull=True, expires_at__gt=moment).exists()
    incidents = IncidentLog.objects.live().filter(Q(user_id=person.pk) | Q(related_users__contains=[person.pk]))
    plans = Plan.objects.filter(target_user=person, status__in=[PlanStatus.REQUESTED, PlanStatus.APPROVED])
    return [
        *(["Support is looking at their pages."] if viewing else []),
        *_open("Incidents are open", [str(one) for one in incidents.order_by("number")]),
        *_open("Plans of support wait", [str(one) for one in plans.order_by("number")]),
    ]


def _standing(person: User, moment: datetime) -> list[str]:
    is_staff = person.is_staff or person.is_superuser
    return [_("Staff cannot be forgotten: their rights are taken away first.")] if is_staff else []


def _money(person: User, moment: datetime) -> list[str]:
    reasons = [
        _("There is %(amount)s in the account: %(account)s.") % {"amount": usd(account.balance), "account": within(account.get_kind_display())}
        for account in LedgerAccount.objects.filter(owner_id=person.pk).exclude(balance=0).order_by("kind")
    ]
    sides = Q(client=person) | Q(builder__user=person)
    deals = [*Order.objects.filter(sides).values_list("pk", flat=True), *Consultation.objects.filter(sides).values_list("pk", flat=True)]
    held = LedgerAccount.objects.filter(kind=AccountKind.ESCROW, subject_id__in=deals).aggregate(all=Sum("balance"))["all"] or Decimal(0)
    if held:
        reasons.append(_("There is %(amount)s in escrow.") % {"amount": usd(held)})
    usable = Q(expires_at__isnull=True) | Q(expires_at__gt=moment)
    credit = Credit.objects.filter(usable, user=person, remaining__gt=0).aggregate(all=Sum("remaining"))["all"] or Decimal(0)
    if credit:
        reasons.append(_("There is %(amount)s of credits: they are used first, or voided.") % {"amount": usd(credit)})
    return reasons


def _deals(person: User, moment: datetime) -> list[str]:
    sides = Q(client=person) | Q(builder__user=person)
    of_order = Q(order__client=person) | Q(order__builder__user=person)
    calls = Consultation.objects.filter(sides, status__in=[ConsultationStatus.HELD, ConsultationStatus.SCHEDULED])
    absences = Absence.objects.filter(
        Q(consultation__client=person) | Q(consultation__builder__user=person), status__in=[AbsenceStatus.REPORTED, AbsenceStatus.DISPUTED]
    )
    return [
        *_open(_("Orders are not over"), [f"P4-{one.number}" for one in Order.objects.filter(sides).exclude(status__in=OVER).order_by("number")]),
        *_open(_("Disputes are open"), [str(one) for one in Dispute.objects.filter(of_order, closed_at__isnull=True).order_by("number")]),
        *_open(_("Calls are to come"), [f"{one.scheduled_at:%Y-%m-%d %H:%M} UTC" for one in calls.order_by("scheduled_at")]),
        *_open(_("Missed calls are not settled"), [f"{one.created_at:%Y-%m-%d}" for one in absences.order_by("created_at")]),
        *_open(
            _("Changes of orders are open"),
            [f"P4-{one.order.number}" for one in Amendment.objects.filter(of_order, status__in=OPEN_CHANGES).select_related("order").order_by("pk")],
        ),
        *_open(_("Offers are open"), [one.title for one in Offer.objects.filter(sides, status=OfferStatus.OPEN).order_by("pk")]),
    ]


def _transfers(person: User, moment: datetime) -> list[str]:
    invoices = Invoice.objects.filter(Q(payer=person) | Q(payee=person), status=InvoiceStatus.OPEN)
    payments = Payment.objects.filter(invoice__payer=person, status__in=[PaymentStatus.CREATED, PaymentStatus.PENDING])
    refunds = Refund.objects.filter(payment__invoice__payer=person).exclude(status=RefundStatus.COMPLETED)  # what was refused is still theirs
    waiting = [WithdrawalStatus.REQUESTED, WithdrawalStatus.HELD, WithdrawalStatus.SENDING]
    withdrawals = Withdrawal.objects.filter(user=person, status__in=waiting)
    of_deals = Q(client_id=person.pk) | Q(builder_id=person.pk)
    operations = EscrowOperation.objects.filter(of_deals).exclude(status__in=DONE_ON_CHAIN)
    return [
        *_open(_("Invoices are open"), [usd(one.total) for one in invoices.order_by("pk")]),
        *_open(_("Payments are on their way"), [usd(one.amount) for one in payments.order_by("pk")]),
        *_open(_("Refunds have not arrived"), [usd(one.amount) for one in refunds.order_by("pk")]),
        *_open(_("Withdrawals are on their way"), [usd(one.amount) for one in withdrawals.order_by("pk")]),
        *_open(
            _("Escrow is at work"),
            [
                _("%(what)s of %(amount)s") % {"what": within(one.get_kind_display()), "amount": usd(one.amount)}
                for one in operations.order_by("number")
            ],
        ),
    ]


def _holds(person: User, moment: datetime) -> list[str]:
    holds = PayoutHold.objects.filter(Q(until__isnull=True) | Q(until__gt=moment), user=person, ended_at__isnull=True)
    return _open(_("Withdrawals are held"), [_("since %(day)s") % {"day": f"{one.made_at:%Y-%m-%d}"} for one in holds.order_by("made_at")])


def _open(words: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = len(names) - SHOWN
    if more > 0:
        return [_("%(what)s: %(names)s and %(count)s more.") % {"what": words, "names": ", ".join(names[:SHOWN]), "count": more}]
    return [f"{words}: {', '.join(names)}."]
