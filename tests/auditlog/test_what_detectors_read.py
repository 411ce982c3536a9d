"""What detectors read of an event is what the application writes down with it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as site
from django.test import Client

from amendments import actions as amendments
from amendments.actions import Terms
from amendments.models import AmendmentType
from auditlog import actions as log
from auditlog.detectors.facts import KINDS, ONLY_FILES, READS, SOMETIMES
from auditlog.events import Event
from auditlog.models import AuditLog
from port444.accounts import actions as accounts
from port444.accounts.models import User
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import DisputeReason, Order, OrderStatus
from port444.payments import actions as payments
from port444.payments.actions import Grant
from port444.payments.bank import read_account
from port444.payments.models import CreditSource, Refund
from port444.payments.providers import Outcome, Report
from port444.payments.providers.sandbox import BAD_ADDRESS
from support.actions import approve_plan, draft_plan, start_viewing, submit_plan
from support.actions.plans import About
from support.models import PlanKind
from tests.conftest import PASSWORD
from tests.orders.conftest import MakeOrder, make_order, package, service
from tests.payments.chains import PAYER, SETTINGS

__all__ = ["make_order", "package", "service"]

pytestmark = pytest.mark.django_db

D, S = Decimal, OrderStatus
ADDRESS = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


class World:
    """People, and an order in whatever state is wanted."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request

    def __getattr__(self, name: str) -> Any:
        return self.request.getfixturevalue(name)

    def order(self, status: str) -> Order:
        make: MakeOrder = self.request.getfixturevalue("make_order")
        return make(status)

    def client(self, user: User | None = None) -> Client:
        if user is not None:
            EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})
        return Client(headers={"User-Agent": FIREFOX})

    def rich(self) -> User:
        """A builder who has earned something and has said where it goes."""
        self.order(S.COMPLETED)
        user: User = self.builder_user
        payments.change_payout_address(ADDRESS, actor=user)
        return user


def sign_up(world: World) -> None:
    asked = {"email": "new@example.com", "password1": "correct horse battery", "name": "New Person", "role": "both", "time_zone": "UTC"}
    world.client().post("/account/signup/", {**asked, "password2": asked["password1"]})


def sign_in(world: World) -> None:
    user = world.client_user
    world.client(user).post("/account/login/", {"login": user.email, "password": PASSWORD})


def fail_to_sign_in(world: World) -> None:
    world.client().post("/account/login/", {"login": "nobody@example.com", "password": "wrong"})


def bank_account(world: World) -> None:
    world.settings.PAYOUT_DEBTOR = {"name": "port444", "iban": "DE89370400440532013000", "bic": ""}
    payments.change_bank_account(read_account(holder="Bea Builder", iban="FR1420041010050500013M02606"), actor=world.builder_user)


def pay_by_card(world: World, outcome: Outcome = Outcome.SUCCEEDED) -> None:
    order = world.order(S.PENDING_PAYMENT)
    payment = payments.start_payment(order.invoice_id, actor=world.client_user)  # type: ignore[arg-type]
    payments.record_answer(payment.provider, "e1", payment.pk, Report(outcome, reason="Not honoured", card="card-1"))


def choose_wallet(world: World) -> None:
    for name, value in SETTINGS.items():
        setattr(world.settings, name, value)
    order = world.order(S.PENDING_PAYMENT)
    payment = payments.start_payment(order.invoice_id, actor=world.client_user, provider="wallet")  # type: ignore[arg-type]
    payments.send_from_wallet(payments.reach_provider(payment.pk).pk, actor=world.client_user, address=PAYER.address)


def withdraw(world: World) -> Any:
    return payments.request_withdrawal(actor=world.rich(), amount=D("60.00"), client_key=uuid7())


def cancel_withdrawal(world: World) -> None:
    payments.cancel_withdrawal(withdraw(world).pk, actor=world.builder_user)


def fail_withdrawal(world: World) -> None:
    payments.fail_withdrawal(withdraw(world).pk, f"The wallet does not send to {BAD_ADDRESS}.")


def amend(world: World) -> None:
    order = world.order(S.IN_PROGRESS)
    terms = Terms(AmendmentType.TOP_UP, "It was more work than we thought.", amount=D("40.00"))
    amendment = amendments.propose(order.pk, actor=world.builder_user, client_key=uuid7(), terms=terms)
    amendment = amendments.approve(amendment.pk, actor=world.client_user)
    payments.pay_with_test_wallet(amendment.invoice_id, actor=world.client_user)  # type: ignore[arg-type]


def dispute(world: World) -> None:
    order = world.order(S.DELIVERED)
    asked = {"reason": DisputeReason.NOT_AS_AGREED, "claim": "Three of five pages are still slow.", "to_client": D("90.00")}
    orders.open_dispute(order.pk, actor=world.client_user, client_key=uuid7(), **asked)  # type: ignore[arg-type]


def refund(world: World) -> None:
    world.order(S.CANCELLED)
    payments.send_refund(Refund.objects.get().pk)


def review(world: World) -> None:
    orders.leave_review(world.order(S.COMPLETED).pk, actor=world.client_user, stars=5, text="Fast now.")


def view(world: World) -> None:
    start_viewing(world.client_user.pk, actor=world.agent, reason="An invoice is missing", reference="P4-1", session_key="x")


def credit(world: World) -> None:
    payments.issue_credit(world.client_user, Grant(D("10.00"), CreditSource.ADMIN, "Sorry"), actor=world.agent)


def approve(world: World) -> None:
    asked = {"amount": "80.00", "label": "Sorry for the late delivery", "scope": "all"}
    plan = draft_plan(PlanKind.CREDIT, actor=world.agent, reason="Ticket 5531", asked=asked, about=About(target_user=world.client_user))
    plan = submit_plan(plan.pk, actor=world.agent, seen=plan.figures_sha256)
    approve_plan(plan.pk, actor=world.senior, seen=plan.figures_sha256)


def close(world: World) -> None:
    finding = log.Finding("x:1", "suspicious_activity", "medium", 60, "Something.", user_id=world.client_user.pk, detector="self_dealing")  # type: ignore[arg-type]
    incident = log.open_incident(finding)
    log.mark_false_positive(incident.pk, actor=world.security, reason="They are two brothers with two businesses.")


SCENES: dict[str, Callable[[World], Any]] = {
    "user.signed_up": sign_up,
    "auth.login": sign_in,
    "auth.login_failed": fail_to_sign_in,
    "auth.password_changed": lambda world: accounts.change_password(world.client_user.pk, "another horse battery", actor=world.client_user),
    "auth.email_changed": lambda world: accounts.note_email_change(
        world.client_user, change="made first", email="b@example.com", before="a@example.com"
    ),
    "auth.second_factor_changed": lambda world: accounts.note_second_factor(world.client_user, change="added", kind="totp"),
    "payout_address.added": lambda world: payments.change_payout_address(ADDRESS, actor=world.builder_user),
    "bank_account.added": bank_account,
    "payment_method.added": pay_by_card,
    "payment.wallet_chosen": choose_wallet,
    "payment.failed": lambda world: pay_by_card(world, Outcome.FAILED),
    "order.paid": lambda world: world.order(S.PENDING_REQUIREMENTS),
    "order.completed": lambda world: world.order(S.COMPLETED),
    "order.cancelled": lambda world: world.order(S.CANCELLED),
    "earning.credited": lambda world: world.order(S.COMPLETED),
    "withdrawal.requested": withdraw,
    "withdrawal.cancelled": cancel_withdrawal,
    "withdrawal.failed": fail_withdrawal,
    "amendment.completed": amend,
    "dispute.opened": dispute,
    "refund.completed": refund,
    "order.reviewed": review,
    "viewing.started": view,
    "credit.issued": credit,
    "plan.approved": approve,
    "incident.closed": close,
    "user.suspended": lambda world: accounts.suspend(world.client_user.pk, actor=world.staff, reason="Somebody else uses this account."),
    "user.reinstated": lambda world: (
        accounts.suspend(world.client_user.pk, actor=world.staff, reason="Somebody else uses this account."),
        accounts.reinstate(world.client_user.pk, actor=world.staff),
    ),
}


@pytest.mark.parametrize("event", [event for event in KINDS if event in {one.key for one in Event}])
def test_the_application_writes_down_what_is_read(event: str, request: pytest.FixtureRequest) -> None:
    SCENES[event](World(request))
    row = AuditLog.objects.filter(event_type=event).latest("pk")
    missing = [names for names in READS.get(KINDS[event], ()) if not any(name in row.metadata for name in names)]
    assert missing == [], f"{event} says {sorted(row.metadata)}"
    empty = [name for names in READS.get(KINDS[event], ()) for name in names if row.metadata.get(name) in ("", None) and name in row.metadata]
    assert empty == []


def test_a_card_was_used_by_its_owner_and_not_from_the_providers_address(request: pytest.FixtureRequest) -> None:
    world = World(request)
    pay_by_card(world)
    row = AuditLog.objects.get(event_type="payment_method.added")
    assert (row.actor_id, row.ip_address, row.device_id) == (world.client_user.pk, None, None)
    assert "card-1" not in json.dumps(row.metadata)


def reads() -> Iterator[tuple[str, set[str]]]:
    """Where detectors look into metadata, and under which names."""
    for path in sorted((Path(site.BASE_DIR) / "auditlog" / "detectors").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            words = {one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)}
            asked = ast.unparse(node.func)
            if asked == "said" or asked.endswith("meta.get"):
                yield f"{path.name}:{node.lineno}", words


def test_nothing_else_is_read() -> None:
    """Each look at metadata names at least one thing that the application writes, so none of them is forgotten above."""
    written = {name for groups in READS.values() for names in groups for name in names} | SOMETIMES | ONLY_FILES
    places = [(place, words) for place, words in reads() if words]
    assert len(places) > 20
    assert [(place, sorted(words)) for place, words in places if written.isdisjoint(words)] == []


def test_the_documentation_names_all_of_it() -> None:
    text = (Path(site.BASE_DIR) / "docs" / "incidents.md").read_text()
    part = text[text.index("## What detectors read") :]
    names = {name for groups in READS.values() for group in groups for name in group} | set(KINDS)
    assert [name for name in sorted(names) if f"`{name}`" not in part] == []
