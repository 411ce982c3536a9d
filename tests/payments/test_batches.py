"""Bank transfers in batches: each line once, sums that fit, and every end of a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import actions, ledger
from port444.payments.bank import read_account
from port444.payments.bank.files import NAMESPACE
from port444.payments.models import BatchStatus, PayoutBatch, PayoutHold, Withdrawal, WithdrawalStatus

from .conftest import IBAN, earn
from .test_bank import check

pytestmark = pytest.mark.django_db

D = Decimal
W = WithdrawalStatus


@pytest.fixture
def three(make_user: Callable[..., User]) -> list[Withdrawal]:
    """Three people ask for 50.00, 60.00 and 70.00 by bank; 2.00 of each is the fee."""
    found = []
    for n, name in enumerate(["Ben Fisk", "Cleo Park", "Dana Wu"]):
        user = make_user(name, is_builder=True)
        earn(user, "100.00")
        actions.change_bank_account(read_account(holder=name, iban=IBAN), actor=user)
        found.append(actions.request_withdrawal(actor=user, amount=D(50 + 10 * n), client_key=uuid7(), method="bank"))
    return found


def status(withdrawal: Withdrawal) -> str:
    return str(Withdrawal.objects.get(pk=withdrawal.pk).status)


def test_from_request_to_the_bank(three: list[Withdrawal], staff: User) -> None:
    assert actions.send_withdrawal(three[0].pk).status == W.REQUESTED  # a wallet's way is not its way
    batch = actions.make_batch(actor=staff)
    assert (batch.lines, batch.total) == (3, D("174.00"))
    assert {status(row) for row in three} == {W.SENDING}
    with pytest.raises(Conflict) as refusal:
        actions.make_batch(actor=staff)
    assert refusal.value.code == "nothing_due"
    with pytest.raises(WrongState):
        actions.mark_line_sent(three[0].pk, actor=staff)
    batch = actions.export_batch(batch.pk, actor=staff, kind="xml")
    actions.mark_line_sent(three[0].pk, actor=staff)
    actions.mark_line_sent(three[0].pk, actor=staff)
    actions.mark_line_failed(three[1].pk, actor=staff, reason="The account is closed.")
    assert PayoutBatch.objects.get().status == BatchStatus.EXPORTED
    assert actions.settle_batch(batch.pk, actor=staff) == 1
    assert [status(row) for row in three] == [W.COMPLETED, W.FAILED, W.COMPLETED]
    assert PayoutBatch.objects.get().status == BatchStatus.CLOSED
    assert [ledger.balance("earnings", owner=row.user_id) for row in three] == [D("50.00"), D("100.00"), D("30.00")]
    assert (ledger.balance("payouts"), ledger.balance("fees")) == (D(0), D("4.00"))
    assert Notification.objects.filter(user=three[1].user, kind="withdrawal.failed").count() == 1
    assert list(AuditLog.objects.filter(event_type__startswith="payout_batch").order_by("pk").values_list("event_type", "actor_id")) == [
        ("payout_batch.made", staff.pk),
        ("payout_batch.exported", staff.pk),
        ("payout_batch.closed", staff.pk),
    ]


def test_the_bank_sends_back_what_it_had_taken(three: list[Withdrawal], staff: User) -> None:
    batch = actions.make_batch(actor=staff)
    actions.export_batch(batch.pk, actor=staff, kind="xml")
    actions.settle_batch(batch.pk, actor=staff)
    outside = ledger.balance("external")
    actions.give_back_withdrawal(three[0].pk, actor=staff, reason="No such account.")
    assert status(three[0]) == W.FAILED
    assert ledger.balance("earnings", owner=three[0].user_id) == D("100.00")
    assert (ledger.balance("fees"), ledger.balance("external")) == (D("4.00"), outside - D("48.00"))


def test_all_refused(three: list[Withdrawal], staff: User) -> None:
    batch = actions.make_batch(actor=staff)
    actions.export_batch(batch.pk, actor=staff, kind="xml")
    assert actions.settle_batch(batch.pk, actor=staff, reason="The bank refused the file.") == 3
    assert [ledger.balance("earnings", owner=row.user_id) for row in three] == [D("100.00")] * 3
    assert PayoutBatch.objects.get().status == BatchStatus.CLOSED
    assert ledger.balance("payouts") == 0


def test_a_hold_takes_a_line_out_until_the_file_is_made(three: list[Withdrawal], staff: User) -> None:
    batch = actions.make_batch(actor=staff)
    actions.hold_withdrawals_of(three[0].user_id, reason="We look at it.", incident=uuid7())
    User.objects.filter(pk=three[1].user_id).update(suspended_at=now(), suspension_reason="Looked at")
    batch = actions.export_batch(batch.pk, actor=staff, kind="csv")
    assert (batch.lines, batch.total) == (1, D("68.00"))
    assert [status(row) for row in three] == [W.HELD, W.HELD, W.SENDING]
    assert PayoutHold.objects.get(withdrawal=three[1]).reason == "The account is suspended."
    with pytest.raises(WrongState) as refusal:
        actions.hold_withdrawal(three[2].pk, actor=staff, reason="Too late for this")
    assert refusal.value.code == "already_sent"
    again = actions.export_batch(batch.pk, actor=staff, kind="csv")
    assert (again.lines, again.total, again.exported_at) == (batch.lines, batch.total, batch.exported_at)


def test_a_batch_of_which_nothing_is_left_is_closed(three: list[Withdrawal], staff: User) -> None:
    batch = actions.make_batch(actor=staff)
    with pytest.raises(WrongState):
        actions.close_batch(batch.pk, actor=staff)
    for row in three[1:]:
        actions.hold_withdrawal(row.pk, actor=staff, reason="We look at it.")
    actions.give_back_withdrawal(three[0].pk, actor=staff, reason="Not your account.")
    assert not Withdrawal.objects.filter(batch=batch).exists()
    with pytest.raises(WrongState) as refusal:
        actions.export_batch(batch.pk, actor=staff, kind="xml")
    assert refusal.value.code == "batch_empty"
    assert actions.close_batch(batch.pk, actor=staff).status == BatchStatus.CLOSED


def test_numbers_lie_encrypted_and_are_kept_as_they_were(three: list[Withdrawal], staff: User) -> None:
    owner = three[0].user
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(details, ' ') FROM payments_bankaccount")
        stored = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(w::text, ' ') FROM payments_withdrawal w")
        stored += cursor.fetchone()[0]
    assert IBAN[8:16] not in stored
    assert "Fisk" not in stored
    actions.change_bank_account(read_account(holder="Ben Fisk", iban="GB29NWBK60161331926819"), actor=owner)
    assert Withdrawal.objects.get(pk=three[0].pk).bank == {"holder": "Ben Fisk", "iban": IBAN}
    changed = AuditLog.objects.filter(event_type="bank_account.added", actor_id=owner.pk).order_by("pk").last()
    assert changed is not None
    assert (changed.before_state, changed.after_state) == ({"account": "DE89 … 3000"}, {"account": "GB29 … 6819"})
    assert IBAN not in str(changed.metadata)
    actions.remove_bank_account(actor=owner)
    actions.remove_bank_account(actor=owner)
    with pytest.raises(Invalid) as refusal:
        actions.request_withdrawal(actor=owner, amount=D("30.00"), client_key=uuid7(), method="bank")
    assert refusal.value.code == "no_bank"


def test_without_an_account_of_our_own_there_are_no_transfers(rich: User, settings: Any) -> None:
    settings.PAYOUT_DEBTOR = {"name": "", "iban": "", "bic": ""}
    with pytest.raises(Conflict) as refusal:
        actions.request_withdrawal(actor=rich, amount=D("30.00"), client_key=uuid7(), method="bank")
    assert refusal.value.code == "bank_closed"
    assert not Withdrawal.objects.exists()


@pytest.fixture
def console(client: Client, make_user: Callable[..., User], settings: Any) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(make_user("Rut Root", is_staff=True, is_superuser=True))
    return client


def test_a_batch_through_the_console(console: Client, three: list[Withdrawal]) -> None:
    batches = reverse("admin:payments_payoutbatch_changelist")
    assert "3 due, $174.00" in console.get(batches).content.decode()
    make = reverse("admin:payments_payoutbatch_make")
    assert "$174.00 together" in console.get(make).content.decode()
    assert not PayoutBatch.objects.exists()
    assert console.post(make, {"sure": "on"}).status_code == 302
    batch = PayoutBatch.objects.get()
    page = reverse("admin:payments_payoutbatch_change", args=[batch.pk])
    assert "3 on their way" in console.get(page).content.decode()

    def export(kind: str) -> Any:
        return console.post(reverse("admin:payments_payoutbatch_export", args=[batch.pk, kind]))

    assert console.get(reverse("admin:payments_payoutbatch_export", args=[batch.pk, "xml"])).status_code == 405
    assert export("exe").status_code == 404
    assert PayoutBatch.objects.get().exported_at is None
    answer = export("xml")
    assert (answer.status_code, answer.streaming, answer["Content-Disposition"]) == (200, True, f'attachment; filename="{batch.reference}.xml"')
    first = answer.getvalue()
    document = ET.fromstring(first)
    check(document)
    assert [row.text for row in document.iter(f"{{{NAMESPACE}}}InstdAmt")] == ["48.00", "58.00", "68.00"]
    assert [row.text for row in document.iter(f"{{{NAMESPACE}}}CtrlSum")] == ["174.00", "174.00"]
    rows = list(csv.DictReader(io.StringIO(export("csv").getvalue().decode())))
    assert (rows[0]["holder"], rows[0]["iban"], rows[0]["amount"]) == ("Ben Fisk", IBAN, "48.00")
    refuse = reverse("admin:payments_withdrawal_give_back", args=[three[1].pk])
    assert console.post(refuse, {"reason": "short"}).status_code == 422
    assert console.post(refuse, {"reason": "The account is closed."}).status_code == 302
    assert console.post(reverse("admin:payments_withdrawal_sent", args=[three[0].pk]), {"sure": "on"}).status_code == 302
    assert export("xml").getvalue() == first  # whatever became of the lines
    assert console.post(reverse("admin:payments_payoutbatch_sent", args=[batch.pk]), {"sure": "on"}).status_code == 302
    assert PayoutBatch.objects.get().status == BatchStatus.CLOSED
    assert AuditLog.objects.filter(event_type="payout_batch.exported").count() == 3
    assert IBAN not in console.get(reverse("admin:payments_withdrawal_change", args=[three[0].pk])).content.decode()


def test_holds_through_the_console(console: Client, rich: User) -> None:
    withdrawal = actions.request_withdrawal(actor=rich, amount=D("30.00"), client_key=uuid7())

    def press(name: str, pk: Any, reason: str = "Because we look first.") -> Any:
        url = reverse(f"admin:payments_{name}", args=[pk])
        assert console.get(url).status_code == 200
        return console.post(url, {"reason": reason})

    assert press("withdrawal_hold", withdrawal.pk, "").status_code == 422
    assert status(withdrawal) == W.REQUESTED
    assert press("withdrawal_hold", withdrawal.pk).status_code == 302
    assert status(withdrawal) == W.HELD
    assert press("withdrawal_release", withdrawal.pk).status_code == 302
    assert status(withdrawal) == W.REQUESTED
    assert press("withdrawal_hold_all", withdrawal.pk).status_code == 302
    hold = PayoutHold.objects.standing().get()
    assert console.get(reverse("admin:payments_payouthold_change", args=[hold.pk])).status_code == 200
    assert press("payouthold_end", hold.pk).status_code == 302
    assert status(withdrawal) == W.REQUESTED
    assert console.get(reverse("admin:payments_withdrawal_change", args=[withdrawal.pk])).status_code == 200
