"""The field at the top: what each way of writing finds, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from auditlog.models import IncidentLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.payments.models import EscrowAttempt, EscrowOperation, Invoice, Payment, PayoutAddress, WalletPayment
from support.models import Plan, PlanKind, Viewing
from support.search import find, marked

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]
HASH, WALLET = "0x" + "ab" * 32, "0x" + "Ab" * 20


@pytest.fixture
def paid(client_user: User, builder_user: User) -> Payment:
    moment = now()
    invoice = Invoice.objects.create(
        purpose="order", subject_id=uuid.uuid4(), payer=client_user, payee=builder_user, subtotal=Decimal(100), total=Decimal(100), status="paid",
        payer_name="Jonas", return_url="/", opened_at=moment, paid_at=moment, number="P4-2026-000017",
    )  # fmt: skip
    payment = Payment.objects.create(invoice=invoice, provider="wallet", amount=Decimal(100), expires_at=moment)
    WalletPayment.objects.create(payment=payment, chain_id=1, token="t", treasury="t", address=WALLET, method="transfer", tx_hash=HASH)
    return payment


def names(asked: str, *, by: User | None = None, incidents: bool = True) -> list[str]:
    return [group.name for group in find(asked, by=by or User(), limit=5, incidents=incidents)]


def titles(asked: str) -> list[str]:
    return [hit.title for group in find(asked, by=User(), limit=5, incidents=True) for hit in group.hits]


def test_people_are_found_by_address_and_name(client_user: User, builder_user: User, make_user: Callable[..., User]) -> None:
    other = make_user("Jonathan Wright", is_builder=True)
    assert titles(client_user.email) == titles(client_user.email.upper()) == ["Jonas Vermeer"]
    assert titles("vermeer") == ["Jonas Vermeer"]
    assert titles("jo") == ["Jonas Vermeer", "Jonathan Wright"]
    assert titles("ermee") == ["Jonas Vermeer"]
    assert titles("er") == []  # a part of a name takes three letters, its beginning two
    assert titles(str(other.pk)) == ["Jonathan Wright"]
    assert titles("%") == titles("j") == titles("jo%") == titles("") == []


def test_money_is_found_by_its_references(paid: Payment, builder_user: User, settings: Any) -> None:
    PayoutAddress.objects.create(user=builder_user, address=WALLET)
    operation = EscrowOperation.objects.create(
        op_id="order:1:open", kind="open", purpose="order", subject_id=uuid.uuid4(), client_id=paid.invoice.payer_id, builder_id=builder_user.pk,
        amount=Decimal(100), backend="web3",
    )  # fmt: skip
    EscrowAttempt.objects.create(tx_hash="0x" + "cd" * 32, operation=operation, chain_id=1, signer="s", nonce=1, raw=b"", gas=1, max_fee=1, tip=1)
    assert names("p4-2026-000017") == ["Invoices"]
    assert names(str(paid.pk)) == ["Payments"]
    assert names(str(paid.invoice_id)) == ["Invoices"]
    assert names(HASH.upper().replace("0X", "0x")) == ["Payments"]
    assert names("0x" + "cd" * 32) == ["Escrow"]
    assert names(WALLET.lower()) == ["Gets its earnings there", "Paid from it"]
    assert names(f"X-{operation.number}") == ["Escrow"]
    assert names("0x" + "ef" * 32) == names("0x" + "ef" * 20) == names(str(uuid.uuid4())) == []


def test_cases_are_found_by_their_numbers(agent: User, senior: User, client_user: User) -> None:
    moment = now()
    plan = Plan.objects.create(kind=PlanKind.CREDIT, requester=agent, target_user=client_user, reason="Late")
    viewing = Viewing.objects.create(
        agent=agent, subject=client_user, reason="Cannot pay", reference="P4-1", agent_session="x", agent_auth="x", started_at=moment,
        expires_at=moment + timedelta(hours=1),
    )  # fmt: skip
    assert names(str(plan), by=agent) == ["Plans"]
    assert names(str(plan), by=senior) == [], "a draft is its author's alone"
    assert names(f"v-{viewing.number}") == ["Viewings"]
    assert "Plans" in names(str(plan.number), by=agent)
    assert names("D-1") == names("P4-999999999") == []


def test_incidents_are_found_by_who_may_see_them(browse: Browse, agent: User, finance: User) -> None:
    row = IncidentLog.objects.create(
        fingerprint="f", incident_type="fast_withdrawal", severity="low", detection_method="automated", description="At once", confidence=80
    )
    page = reverse("support:search")
    assert "Fast withdrawal" in browse(agent).get(page, {"q": str(row.pk)}).content.decode()
    assert "Fast withdrawal" not in browse(finance).get(page, {"q": str(row.pk)}).content.decode()


def test_what_is_found_is_marked_and_escaped() -> None:
    assert marked("Jonas <b>", "JONAS") == "<mark>Jonas</mark> &lt;b&gt;"
    assert marked("<script>", "x") == "&lt;script&gt;"
    assert marked("abc", "") == "abc"


def test_the_list_under_the_field_is_a_part_of_the_page(browse: Browse, agent: User, client_user: User) -> None:
    client = browse(agent)
    part = client.get(reverse("support:search"), {"q": "vermeer", "part": "results"}, headers={"HX-Request": "true"}).content.decode()
    page = client.get(reverse("support:search"), {"q": "vermeer"}).content.decode()
    assert part.strip().startswith('<div class="res">')
    assert "<mark>Vermeer</mark>" in part
    assert "<mark>Vermeer</mark>" in page
    for wrong in ("\x00", "'", '"><img>', "\\", "%", "x" * 5000, "0x", "P4-99999999999"):
        answer = client.get(reverse("support:search"), {"q": wrong})
        assert answer.status_code == 200
        assert b"<img>" not in answer.content


def test_searching_asks_the_same_number_of_questions_whatever_it_finds(
    browse: Browse, agent: User, make_user: Callable[..., User], django_assert_num_queries: Any
) -> None:
    client = browse(agent)
    url = reverse("support:search")
    make_user("Ann First")
    client.get(url, {"q": "first", "part": "results"})
    with django_assert_num_queries(8):  # session, user, what they may (two), people, their orders (two), an invoice
        client.get(url, {"q": "first", "part": "results"})
    for n in range(6):
        make_user(f"Bea{n} First")
    with django_assert_num_queries(8):
        client.get(url, {"q": "first", "part": "results"})
