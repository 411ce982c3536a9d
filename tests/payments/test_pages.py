"""The pages: who sees them, what they say of the money in each state, and how many queries they cost."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pypdf
import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ, Schedule

from port444.accounts.models import User
from port444.kit import clock
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.sentences import say
from port444.payments import actions, escrow, ledger
from port444.payments.bank import read_account
from port444.payments.models import BankAccount, Invoice, InvoiceStatus, Payment, PaymentStatus, PayoutAddress, SandboxCharge, Withdrawal
from port444.payments.providers import Report, Unavailable
from port444.payments.providers.protocol import Outcome
from port444.payments.providers.sandbox import Decision, Sandbox
from tests.conftest import PASSWORD

from .conftest import Bill

pytestmark = pytest.mark.django_db

D = Decimal
HTMX = {"HX-Request": "true"}
QUERIES = {"checkout": 8, "return": 5, "invoice": 8, "invoices": 5, "earnings": 15, "withdrawals": 5}


@pytest.fixture
def as_client(client: Client, client_user: User) -> Client:
    client.force_login(client_user)
    return client


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def started(invoice: Invoice, payer: User) -> Payment:
    return actions.reach_provider(actions.start_payment(invoice.pk, actor=payer).pk)


def test_checkout_says_what_and_how_much(as_client: Client, bill: Bill, django_assert_num_queries: Any) -> None:
    _, invoice = bill()
    as_client.get(f"/pay/{invoice.pk}/")
    with django_assert_num_queries(QUERIES["checkout"]):
        page = text(as_client.get(f"/pay/{invoice.pk}/"))
    for words in (
        "Five slow Django pages",
        "$100.00",
        "$5.50",
        "$105.50 USDC",
        "Anaya Krishnan",
        "Test wallet",
        "Play money",
        "Pressing twice cannot pay twice",
    ):
        assert words in page


def test_paying_in_the_browser_from_start_to_end(as_client: Client, bill: Bill) -> None:
    _, invoice = bill()
    wallet = as_client.post(f"/pay/{invoice.pk}/start/")
    payment = Payment.objects.get()
    assert (wallet.status_code, wallet["Location"]) == (302, f"/wallet/{payment.pk}/")
    assert "Play money" in text(as_client.get(wallet["Location"]))
    back = as_client.post(f"/wallet/{payment.pk}/answer/", {"decision": "approve", "manner": "at_once"})
    assert back["Location"] == f"/pay/{invoice.pk}/return/"
    assert "Waiting for your wallet" in text(as_client.get(back["Location"]))
    actions.reconcile_payment(payment.pk)
    assert "Your payment has come in" in text(as_client.get(back["Location"]))
    actions.settle_invoice(invoice.pk)
    end = as_client.get(back["Location"])
    assert (end.status_code, end["Location"]) == (302, "/bought/")
    polled = as_client.get(back["Location"], headers=HTMX)
    assert (polled.status_code, polled["HX-Redirect"]) == (200, "/bought/")


def test_pressing_pay_twice_goes_to_the_same_payment(as_client: Client, bill: Bill) -> None:
    _, invoice = bill()
    urls = {as_client.post(f"/pay/{invoice.pk}/start/")["Location"] for _ in range(2)}
    assert len(urls) == 1
    assert (Payment.objects.count(), SandboxCharge.objects.count()) == (1, 1)
    assert "A payment is waiting in your wallet" in text(as_client.get(f"/pay/{invoice.pk}/"))


def test_a_provider_that_is_down_is_worded_and_can_be_pressed_again(as_client: Client, bill: Bill, monkeypatch: pytest.MonkeyPatch) -> None:
    _, invoice = bill()

    def down(self: object, payment: Payment) -> None:
        raise Unavailable("The wallet does not answer. Nothing was taken; please try again.")

    with monkeypatch.context() as patch:
        patch.setattr(Sandbox, "create", down)
        answer = as_client.post(f"/pay/{invoice.pk}/start/")
    assert answer.status_code == 503
    assert "Nothing was taken; please try again" in text(answer)
    assert Payment.objects.get().status == PaymentStatus.CREATED
    assert as_client.post(f"/pay/{invoice.pk}/start/").status_code == 302
    assert Payment.objects.get().status == PaymentStatus.PENDING


@pytest.mark.parametrize("path", ["/pay/{i}/", "/pay/{i}/return/", "/wallet/{p}/", "/invoices/{i}/", "/invoices/{i}/pdf/"])
def test_strangers_see_nothing(client: Client, paid: Callable[..., Any], stranger: User, path: str) -> None:
    _, invoice, payment = paid()
    url = path.format(i=invoice.pk, p=payment.pk)
    assert client.get(url).status_code == 302
    client.force_login(stranger)
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("path", ["/pay/{i}/start/", "/wallet/{p}/answer/"])
def test_strangers_and_the_payee_pay_nothing(client: Client, bill: Bill, client_user: User, stranger: User, builder_user: User, path: str) -> None:
    _, invoice = bill()
    payment = started(invoice, client_user)
    OrmQ.objects.all().delete()
    for other in (stranger, builder_user):
        client.force_login(other)
        assert client.post(path.format(i=invoice.pk, p=payment.pk), {"decision": "approve"}).status_code == 404
    payment.refresh_from_db()
    assert (payment.status, OrmQ.objects.count(), SandboxCharge.objects.get().status) == (PaymentStatus.PENDING, 0, "waiting")


def test_the_payee_sees_the_invoice_only_when_it_is_paid(client: Client, bill: Bill, client_user: User, builder_user: User) -> None:
    _, invoice = bill()
    client.force_login(builder_user)
    assert client.get(f"/invoices/{invoice.pk}/").status_code == 404
    actions.pay_with_test_wallet(invoice.pk, actor=client_user)
    assert client.get(f"/invoices/{invoice.pk}/").status_code == 200
    assert client.get(f"/pay/{invoice.pk}/").status_code == 404


def test_each_state_says_whether_money_was_taken(as_client: Client, bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = started(invoice, client_user)
    back = f"/pay/{invoice.pk}/return/"
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.DECLINE)
    actions.reconcile_payment(payment.pk)
    page = text(as_client.get(back))
    assert "did not go through" in page
    assert "You declined it in the wallet. Nothing was taken" in page
    assert "Try again" in page
    assert "Nothing was taken. You can try again" in text(as_client.get(f"/pay/{invoice.pk}/"))
    with clock.at(now() + timedelta(minutes=16)):
        for url in (back, f"/pay/{invoice.pk}/"):
            page = text(as_client.get(url))
            assert "The time to pay is over" in page
            assert "Nothing was taken" in page
        assert as_client.get(f"/pay/{invoice.pk}/", headers=HTMX)["HX-Refresh"] == "true"
        assert as_client.post(f"/pay/{invoice.pk}/start/").status_code == 409
    actions.void_invoice(invoice.pk)
    actions.record_answer("sandbox", "after all", payment.pk, Report(Outcome.SUCCEEDED))
    actions.settle_invoice(invoice.pk)
    assert "came too late" in text(as_client.get(back))
    assert Payment.objects.count() == 1


def test_the_wait_costs_few_queries(as_client: Client, bill: Bill, client_user: User, django_assert_num_queries: Any) -> None:
    _, invoice = bill()
    started(invoice, client_user)
    as_client.get(f"/pay/{invoice.pk}/return/")
    with django_assert_num_queries(QUERIES["return"]):
        answer = as_client.get(f"/pay/{invoice.pk}/return/", headers=HTMX)
    assert answer.content.strip().startswith(b'<div id="waiting"')


@pytest.mark.parametrize(("manner", "calls"), [("at_once", 1), ("twice", 2), ("silent", 0), ("late", 0)])
def test_the_wallet_answers_as_it_was_told(as_client: Client, bill: Bill, client_user: User, manner: str, calls: int) -> None:
    _, invoice = bill()
    payment = started(invoice, client_user)
    as_client.post(f"/wallet/{payment.pk}/answer/", {"decision": "approve", "manner": manner})
    as_client.post(f"/wallet/{payment.pk}/answer/", {"decision": "decline", "manner": manner})
    assert OrmQ.objects.count() == calls
    assert Schedule.objects.count() == (1 if manner == "late" else 0)
    assert SandboxCharge.objects.get().status == "approved"
    if manner == "late":
        assert actions.reconcile_payment(payment.pk).status == PaymentStatus.PENDING
    with clock.at(now() + timedelta(seconds=30)):
        assert actions.reconcile_payment(payment.pk).status == PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("data", [{}, {"decision": "steal"}, {"decision": "approve", "manner": "nicely"}])
def test_the_wallet_takes_only_its_own_buttons(as_client: Client, bill: Bill, client_user: User, data: dict[str, str]) -> None:
    _, invoice = bill()
    payment = started(invoice, client_user)
    assert as_client.post(f"/wallet/{payment.pk}/answer/", data).status_code == 422
    assert SandboxCharge.objects.get().status == "waiting"
    assert not OrmQ.objects.exists()


def test_the_invoice_as_a_page_and_a_pdf(as_client: Client, paid: Callable[..., Any], django_assert_num_queries: Any) -> None:
    _, invoice, _ = paid()
    as_client.get(f"/invoices/{invoice.pk}/")
    with django_assert_num_queries(QUERIES["invoice"]):
        page = text(as_client.get(f"/invoices/{invoice.pk}/"))
    answer = as_client.get(f"/invoices/{invoice.pk}/pdf/")
    assert (answer["Content-Type"], answer["Content-Disposition"]) == ("application/pdf", f'attachment; filename="invoice-{invoice.number}.pdf"')
    document = pypdf.PdfReader(io.BytesIO(answer.content))
    words = document.pages[0].extract_text()
    assert len(document.pages) == 1
    for part in (invoice.number, "$105.50 USDC", "Jonas Vermeer", "Anaya Krishnan", "Five slow Django pages"):
        assert part in page
        assert part in words
    width, height = (round(float(side)) for side in document.pages[0].mediabox[2:])
    assert (width, height) == (595, 842)
    fonts = {str(font.get_object()["/BaseFont"]) for font in document.pages[0]["/Resources"]["/Font"].values()}  # type: ignore[index]
    assert any("Instrument" in font for font in fonts)


def test_a_credit_note_as_a_page_and_a_pdf(as_client: Client, paid: Callable[..., Any]) -> None:
    thing, invoice, payment = paid()
    escrow.current().refund(thing.deal, D("100.00"), "back")
    refund = actions.request_refund(payment, D("100.00"), reason="The order was cancelled.", dedupe_key="k", actor=None)
    assert refund.credit_note is not None
    page = text(as_client.get(f"/invoices/{refund.credit_note.pk}/"))
    words = pypdf.PdfReader(io.BytesIO(as_client.get(f"/invoices/{refund.credit_note.pk}/pdf/").content)).pages[0].extract_text()
    for part in ("Credit note", str(refund.credit_note.number), invoice.number, "$100.00 USDC", "On its way"):
        assert part in page
        assert part in words
    assert str(refund.credit_note.number) in text(as_client.get(f"/invoices/{invoice.pk}/"))


def test_a_document_speaks_the_language_of_the_payer_for_good(
    client: Client, paid: Callable[..., Any], client_user: User, builder_user: User
) -> None:
    client_user.language = "de"
    client_user.save()
    thing, invoice, payment = paid()
    escrow.current().refund(thing.deal, D("100.00"), "back")
    refund = actions.request_refund(payment, D("100.00"), reason=say("Call cancelled"), dedupe_key="r", actor=None)
    note = refund.credit_note
    assert note is not None
    assert (refund.reason, note.lines.get().description, note.language) == ("Call cancelled", "Gespräch abgesagt", "de")
    words = set()
    for person, language in ((client_user, "de"), (client_user, "en"), (builder_user, "en")):
        User.objects.filter(pk=person.pk).update(language=language)
        client.force_login(User.objects.get(pk=person.pk))
        html = text(client.get(f"/invoices/{invoice.pk}/"))
        assert "Summe" in html.split("<article")[1]
        assert ("Rechnungen" in html) is (language == "de"), "what is around the document is for the reader"
        answer = client.get(f"/invoices/{invoice.pk}/pdf/")
        assert answer["Content-Disposition"] == f'attachment; filename="rechnung-{invoice.number}.pdf"'
        words.add(pypdf.PdfReader(io.BytesIO(answer.content)).pages[0].extract_text())
    (told,) = words
    assert "105,50\xa0$" in told


def test_there_is_no_pdf_before_there_is_a_number(as_client: Client, bill: Bill) -> None:
    _, invoice = bill()
    assert as_client.get(f"/invoices/{invoice.pk}/").status_code == 200
    assert as_client.get(f"/invoices/{invoice.pk}/pdf/").status_code == 409


def test_the_list_goes_on_by_key(as_client: Client, bill: Bill, django_assert_num_queries: Any) -> None:
    for _ in range(27):
        bill()
    newest = list(Invoice.objects.order_by("-pk").values_list("pk", flat=True))
    as_client.get("/invoices/")
    with django_assert_num_queries(QUERIES["invoices"]):
        first = text(as_client.get("/invoices/"))
    assert [str(pk) in first for pk in newest] == [True] * 25 + [False] * 2
    more = f"/invoices/?before={newest[24]}"
    assert more in first
    rest = text(as_client.get(more, headers=HTMX))
    assert [str(pk) in rest for pk in newest[25:]] == [True, True]
    assert rest.startswith("<li")
    assert as_client.get("/invoices/?before=nonsense").status_code == 200


def test_builders_see_what_was_paid_for_their_work(client: Client, paid: Callable[..., Any], bill: Bill, builder_user: User) -> None:
    _, invoice, _ = paid()
    bill()
    client.force_login(builder_user)
    assert str(invoice.number) in text(client.get("/invoices/?sold=1"))
    assert text(client.get("/invoices/?sold=1")).count('class="row ') == 1
    assert "No invoices yet" in text(client.get("/invoices/"))


@pytest.fixture
def rich(client: Client, paid: Callable[..., Any], builder_user: User) -> Client:
    thing, _, _ = paid()
    escrow.current().release(thing.deal, D("60.00"), "r")
    client.force_login(builder_user)
    return client


def test_earnings_at_a_glance(rich: Client, django_assert_num_queries: Any) -> None:
    rich.get("/earnings/")
    with django_assert_num_queries(QUERIES["earnings"]):
        page = text(rich.get("/earnings/"))
    for part in ("Ready to withdraw", "$54.00", "$40.00", "Released to you", "Five slow Django pages, Jonas Vermeer", "+$54.00", "Say below where"):
        assert part in page


def test_withdrawing_from_the_page(rich: Client, builder_user: User) -> None:
    assert rich.post("/earnings/address/", {"address": "0x123"}).status_code == 422
    assert rich.post("/earnings/address/", {"address": "0x" + "ab" * 20}).status_code == 302
    key = str(uuid7())
    assert rich.post("/earnings/withdraw/", {"amount": "54.01", "client_key": key}).status_code == 409
    assert rich.post("/earnings/withdraw/", {"amount": "many", "client_key": key}).status_code == 422
    assert rich.post("/earnings/withdraw/", {"amount": "5", "client_key": key}).status_code == 422
    assert not Withdrawal.objects.exists()
    for _ in range(2):
        assert rich.post("/earnings/withdraw/", {"amount": "50", "client_key": key}).status_code == 302
    assert Withdrawal.objects.get().amount == D("50.00")
    page = text(rich.get("/earnings/"))
    assert "On its way" in page
    assert "-$50.00" in page
    assert PayoutAddress.objects.get().user == builder_user


def test_the_form_says_what_arrives(rich: Client, builder_user: User) -> None:
    assert "Say below where" in text(rich.get("/earnings/"))
    actions.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    actions.change_bank_account(read_account(holder="Anaya K", iban="DE89370400440532013000"), actor=builder_user)
    page = text(rich.get("/earnings/"))
    for part in ("$53.50", "Network fee", "-$0.50", "DE89 … 3000", "fee $2.00"):
        assert part in page
    quoted = text(rich.get("/earnings/quote/", {"method": "bank", "amount": "30"}, headers=HTMX))
    assert quoted.startswith('<div id="quote"')
    assert "$28.00" in quoted
    assert "Bank fee" in quoted
    assert "$25.00 to $54.00 can go" in text(rich.get("/earnings/quote/", {"method": "bank", "amount": "24.99"}))
    for odd in ({}, {"method": "bank"}, {"method": "x", "amount": "30"}, {"method": "bank", "amount": "30\x00"}, {"method": "bank", "amount": "1e9"}):
        assert rich.get("/earnings/quote/", odd).status_code == 200
    assert rich.post("/earnings/withdraw/", {"amount": "30", "method": "bank", "client_key": uuid7()}).status_code == 302
    assert Withdrawal.objects.get().method == "bank"


def test_withdrawals_in_every_state(rich: Client, builder_user: User, stranger: User, django_assert_num_queries: Any) -> None:
    actions.change_payout_address("0x" + "ab" * 20, actor=builder_user)

    def ask() -> Withdrawal:
        return actions.request_withdrawal(actor=builder_user, amount=D("10.00"), client_key=uuid7())

    sent, failed, cancelled, held, waiting = (ask() for _ in range(5))
    actions.send_withdrawal(sent.pk)
    actions.fail_withdrawal(failed.pk, "The wallet does not take it.")
    actions.cancel_withdrawal(cancelled.pk, actor=builder_user)
    actions.hold_withdrawal(held.pk, actor=None, reason="Two accounts share this wallet.")
    rich.get("/earnings/withdrawals/")
    with django_assert_num_queries(QUERIES["withdrawals"]):
        page = text(rich.get("/earnings/withdrawals/"))
    for part in (
        "Two accounts share this wallet.",
        "The wallet does not take it.",
        "Try again",
        "You cancelled it",
        "Waits for its turn",
        "$9.50 after the fee",
    ):
        assert part in page
    for show, found in (("under_way", waiting), ("held", held), ("sent", sent)):
        shown = text(rich.get("/earnings/withdrawals/", {"show": show}))
        assert [row.pk for row in (sent, failed, cancelled, held, waiting) if f"w-{row.pk}" in shown] == [found.pk]
    assert rich.get("/earnings/withdrawals/?show=%00&before=x").status_code == 200
    assert "$10.00 held" in text(rich.get("/earnings/"))
    cancel = f"/earnings/withdrawals/{waiting.pk}/cancel/"
    rich.force_login(stranger)
    assert rich.post(cancel).status_code == 404
    assert "w-" + str(sent.pk) not in text(rich.get("/earnings/withdrawals/"))
    rich.force_login(builder_user)
    assert rich.post(f"/earnings/withdrawals/{held.pk}/cancel/").status_code == 409
    assert rich.post(cancel).status_code == 302
    assert rich.post(cancel).status_code == 409
    assert ledger.balance("earnings", owner=builder_user.pk) == D("34.00")


def test_the_list_of_withdrawals_goes_on(rich: Client, builder_user: User) -> None:
    actions.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    for _ in range(27):
        actions.cancel_withdrawal(actions.request_withdrawal(actor=builder_user, amount=D("10.00"), client_key=uuid7()).pk, actor=builder_user)
    first = rich.get("/earnings/withdrawals/?show=back").content.decode()
    assert first.count('id="w-') == 25
    following = re.search(r'href="([^"]*before=[^"]*)"', first)
    assert following is not None
    rest = rich.get(html.unescape(following[1]), headers=HTMX).content.decode()
    assert rest.count('id="w-') == 2
    assert "<html" not in rest


BANK = {"holder": "Anaya Krishnan", "iban": "DE89 3704 0044 0532 0130 00"}


def test_the_bank_account_on_its_page(rich: Client, builder_user: User) -> None:
    assert rich.get("/earnings/bank/").status_code == 200
    answer = rich.post("/earnings/bank/", BANK | {"iban": "DE88370400440532013000"})
    assert answer.status_code == 422
    assert "check digits" in text(answer)
    assert not BankAccount.objects.exists()
    assert rich.post("/earnings/bank/", BANK).status_code == 302
    page = text(rich.get("/earnings/bank/"))
    assert "DE89 … 3000" in page
    assert "0532" not in page
    assert rich.post("/earnings/bank/remove/").status_code == 302
    assert not BankAccount.objects.exists()


def test_payout_details_ask_for_the_password_again(client: Client, builder_user: User, settings: Any) -> None:
    settings.REAUTHENTICATE = True
    client.force_login(builder_user)
    for path, form in (("/earnings/address/", {"address": "0x" + "ab" * 20}), ("/earnings/bank/", BANK)):
        asked = client.get(path)
        assert (asked.status_code, asked["Location"]) == (302, f"/account/reauthenticate/?next={quote(path, safe='')}")
        late = client.post(path, form)
        assert (late.status_code, late["Location"]) == (302, path)
    assert client.post("/earnings/bank/remove/")["Location"] == "/earnings/bank/"
    assert not BankAccount.objects.exists()
    assert not PayoutAddress.objects.exists()
    assert "DE89" not in str(dict(client.session))
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert client.post("/earnings/bank/", BANK).status_code == 302
    assert BankAccount.objects.get().user == builder_user


def test_what_clears_is_on_the_page(rich: Client, settings: Any) -> None:
    settings.CLEARING_DAYS = 3
    page = text(rich.get("/earnings/"))
    assert "It clears for 3 days" in page
    assert "<dt>Clearing</dt><dd>$54.00</dd>" in page
    assert "<dt>Yours now</dt><dd>$0.00</dd>" in page


def test_earnings_are_private(client: Client, paid: Callable[..., Any], stranger: User) -> None:
    thing, _, _ = paid()
    escrow.current().release(thing.deal, D("60.00"), "r")
    client.force_login(stranger)
    page = text(client.get("/earnings/"))
    assert "Nothing earned yet" in page
    assert "Jonas" not in page
    assert client.get(reverse("payments:invoices")).status_code == 200
    assert Invoice.objects.get().status == InvoiceStatus.PAID


def test_earnings_are_for_builders(as_client: Client, client_user: User) -> None:
    assert as_client.get("/earnings/").status_code == 404
    assert as_client.post("/earnings/address/", {"address": "0x" + "ab" * 20}).status_code == 404
    assert as_client.post("/earnings/withdraw/", {"amount": "50", "client_key": uuid7()}).status_code == 404
    assert not PayoutAddress.objects.filter(user=client_user).exists()
