"""Bank transfers in batches: each line once, sums that fit, and every end of a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from allauth.account.internal.flows.login import user_id_to_str
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.urls import reverse

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import actions, ledger
from port444.payments.bank import read_account
from port444.payments.bank.files import NAMESPACE
from port444.payments.models import BatchStatus, PayoutBatch, PayoutHold, Withdrawal, WithdrawalStatus
from support.models import SupportAction

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
    assert console.post(make).status_code == 422
    assert not PayoutBatch.objects.exists()
    assert console.post(make, {"sure": "on"}).status_code == 302
    batch = PayoutBatch.objects.get()
    page = reverse("admin:payments_payoutbatch_change", args=[batch.pk])
    assert "3 on their way" in console.get(page).content.decode()

    def export(kind: str) -> Any:
        return console.post(reverse("admin:payments_payoutbatch_export", args=[batch.pk, kind]), {"sure": "on"})

    assert console.get(reverse("admin:payments_payoutbatch_export", args=[batch.pk, "xml"])).status_code == 405
    assert export("exe").status_code == 404
    assert console.post(reverse("admin:payments_payoutbatch_export", args=[batch.pk, "xml"])).status_code == 422
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
    assert list(SupportAction.objects.order_by("number").values_list("action_type", flat=True)) == [
        *("payout", "export", "export", "payout", "payout", "export", "payout")  # made, taken away, refused, sent, taken away, all sent
    ]
    assert SupportAction.objects.get(reason="The account is closed.").target_user == three[1].user
    assert IBAN not in console.get(reverse("admin:payments_withdrawal_change", args=[three[0].pk])).content.decode()


def proved(client: Client, moment: datetime) -> None:
    """A code of the authenticator app was given then."""
    session = client.session
    user = User.objects.get(pk=session["_auth_user_id"])
    session["account_authentication_methods"] = [{"method": "mfa", "at": moment.timestamp()}]
    session["account_authentication_methods_user"] = user_id_to_str(user)
    session.save()


def test_what_cannot_be_undone_asks_for_a_code(console: Client, three: list[Withdrawal], staff: User, settings: Any) -> None:
    """Of the last ten minutes; and files with numbers of accounts are for who takes data away."""
    batch = actions.make_batch(actor=staff)
    export, close = (reverse(f"admin:payments_payoutbatch_{name}", args=[batch.pk, *more]) for name, more in (("export", ["xml"]), ("close", [])))
    user = User.objects.get(name="Rut Root")
    settings.STAFF_SECOND_FACTOR = True
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    proved(console, now() - timedelta(hours=1))
    page = reverse("admin:payments_payoutbatch_change", args=[batch.pk])
    for answer in (console.get(close), console.post(close, {"sure": "on"}), console.post(export, {"sure": "on"}, headers={"Referer": page})):
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, reverse("mfa_reauthenticate"))
    assert not SupportAction.objects.exists()
    assert PayoutBatch.objects.get().status == BatchStatus.MADE
    proved(console, now())
    assert console.post(export, {"sure": "on"}).status_code == 200
    assert SupportAction.objects.get().action_type == "export"


def test_files_for_the_bank_are_for_who_takes_data_away(client: Client, three: list[Withdrawal], staff: User, senior: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    batch = actions.make_batch(actor=staff)
    client.force_login(senior)  # who may approve, and no more
    assert client.post(reverse("admin:payments_payoutbatch_export", args=[batch.pk, "csv"]), {"sure": "on"}).status_code == 403
    assert "Download for the bank" not in client.get(reverse("admin:payments_payoutbatch_change", args=[batch.pk])).content.decode()
    assert PayoutBatch.objects.get().exported_at is None


def test_nobody_handles_a_batch_that_pays_them(three: list[Withdrawal], staff: User) -> None:
    paid = three[0].user
    paid.is_staff = True
    paid.save()
    batch = actions.make_batch(actor=staff)
    asks: list[Callable[[], Any]] = [
        lambda: actions.export_batch(batch.pk, actor=paid, kind="csv"),
        lambda: actions.close_batch(batch.pk, actor=paid),
        lambda: actions.settle_batch(batch.pk, actor=paid),
        lambda: actions.mark_line_sent(three[0].pk, actor=paid),
        lambda: actions.mark_line_failed(three[0].pk, actor=paid, reason="Not mine any more."),
    ]
    for ask in asks:
        with pytest.raises(NotAllowed) as refusal:
            ask()
        assert refusal.value.code == "own_case"
    assert status(three[0]) == W.SENDING
    for row in three:
        actions.give_back_withdrawal(row.pk, actor=staff, reason="Another way is taken.")
    actions.request_withdrawal(actor=paid, amount=D("30.00"), client_key=uuid7(), method="bank")
    with pytest.raises(NotAllowed):
        actions.make_batch(actor=paid)
    assert PayoutBatch.objects.count() == 1


def test_holding_and_letting_go_are_plans(console: Client, rich: User, staff: User) -> None:
    """Whoever lets money go on is not alone; what the records offer is where to ask for it."""
    withdrawal = actions.request_withdrawal(actor=rich, amount=D("30.00"), client_key=uuid7())
    record_of = reverse("admin:payments_withdrawal_change", args=[withdrawal.pk])
    plan = f"{reverse('support:draft', args=['payouts_hold'])}?person={rich.pk}&amp;withdrawal={withdrawal.pk}"
    assert plan in console.get(record_of).content.decode()
    hold = actions.hold_withdrawal(withdrawal.pk, actor=staff, reason="Because we look first.")
    assert f"{plan}&amp;do=end" in console.get(record_of).content.decode()
    held = console.get(reverse("admin:payments_payouthold_change", args=[hold.pk])).content.decode()
    assert f"?person={rich.pk}&amp;hold={hold.pk}&amp;do=end" in held
    for address in (
        *(f"payments/withdrawal/{withdrawal.pk}/{verb}/" for verb in ("hold", "hold-all", "release")),
        f"payments/payouthold/{hold.pk}/end/",
    ):
        assert console.post(f"/console/{address}", {"reason": "Because we look first."}).status_code in (302, 404)
    assert status(withdrawal) == W.HELD
    assert PayoutHold.objects.standing().count() == 1


def test_nobody_lets_their_own_money_go(rich: User, staff: User) -> None:
    withdrawal = actions.request_withdrawal(actor=rich, amount=D("30.00"), client_key=uuid7())
    hold = actions.hold_withdrawal(withdrawal.pk, actor=staff, reason="Because we look first.")
    rich.is_staff = True
    rich.save()
    asks: list[Callable[[], Any]] = [
        lambda: actions.release_withdrawal(withdrawal.pk, actor=rich, reason="It is good."),
        lambda: actions.end_hold(hold.pk, actor=rich, reason="It is good."),
        lambda: actions.give_back_withdrawal(withdrawal.pk, actor=rich, reason="It is mine."),
    ]
    for ask in asks:
        with pytest.raises(NotAllowed) as refusal:
            ask()
        assert refusal.value.code == "own_case"
    assert status(withdrawal) == W.HELD
