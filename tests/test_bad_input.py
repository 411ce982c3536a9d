"""What people and machines send wrongly, through the real addresses: a worded refusal, and not one row written or changed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from auditlog.actions import Finding, casework, open_incident, tuning
from auditlog.detectors.registry import DETECTORS
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType, Verdict
from consultations.actions import hold_slot, set_availability
from consultations.actions.availability import Terms
from consultations.models import Consultation
from consultations.queries import open_starts
from consultations.slots import DAY_MINUTES, Window
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service, ServiceStatus
from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Dispute, DisputeReason, Offer, Order
from port444.orders.terms import terms_of_package
from port444.payments import actions as payments
from port444.payments.models import CreditSource, Invoice, Payment, SandboxCharge, WalletPayment
from port444.payments.providers import sandbox
from port444.payments.providers.sandbox import Decision, Manner
from support.actions import draft_plan, submit_plan
from support.actions.plans import About
from support.models import PlanKind
from tests.payments.chains import SETTINGS

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
QUESTIONS = [
    {"label": "Which pages are slow?", "kind": "long", "required": True, "options": []},
    {"label": "Which database?", "kind": "choice", "required": True, "options": ["PostgreSQL", "MySQL"]},
    {"label": "A dump", "kind": "file", "required": False, "options": []},
]
CHANGING = {"accounts_session"}  # a refused form may be kept there as a draft


@dataclass
class World:
    """People with something in every state that a bad request could damage."""

    client_user: User
    builder: Builder
    other: Builder
    package: Package
    asking: Order
    working: Order
    delivered: Order
    call: Consultation
    payment: Payment


@pytest.fixture
def world(client_user: User, builder: Builder, stranger: User) -> World:
    other = Builder.objects.create(user=stranger, slug="sam-stranger", headline="Also open")
    windows = [Window(day, 0, DAY_MINUTES) for day in range(7)]
    for one, prices in ((builder, {30: Decimal("60.00")}), (other, {15: Decimal("20.00")})):
        terms = Terms("Asia/Kolkata", 4, 30, 0)
        set_availability(one.pk, actor=one.user, enabled=True, prices=prices, windows=windows, terms=terms)
        one.refresh_from_db()
    category = Category.objects.create(slug="web-test", name="Web for tests")
    service = Service.objects.create(
        builder=builder,
        category=category,
        title="Fast pages",
        slug="fast-pages",
        summary="Queries.",
        description="I measure.",
        questions=QUESTIONS,
        status=ServiceStatus.PUBLISHED,
        from_price=Decimal("180.00"),
        least_days=7,
        published_at=now(),
    )
    package = Package.objects.create(service=service, tier="basic", name="Five", price=Decimal("180.00"), delivery_days=7, revisions=2)

    def order(steps: int) -> Order:
        row = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
        assert row.invoice_id is not None
        payments.pay_with_test_wallet(row.invoice_id, actor=client_user)
        if steps > 0:
            orders.answer_requirements(row.pk, actor=client_user, answers={1: "All", 2: "MySQL"})
        if steps > 1:
            orders.deliver(row.pk, actor=builder.user, note="Done.")
        if steps > 2:
            orders.accept_delivery(row.pk, actor=client_user)
        return Order.objects.with_people().get(pk=row.pk)

    order(3)  # earnings to withdraw
    payments.change_payout_address("0x" + "ab" * 20, actor=builder.user)
    starts = open_starts(builder, client_id=client_user.pk, minutes=30, moment=now())
    call = hold_slot(builder.pk, actor=client_user, minutes=30, starts_at=starts[40], client_zone="UTC", client_key=uuid7())
    assert call.invoice_id is not None
    payments.pay_with_test_wallet(call.invoice_id, actor=client_user)
    unpaid = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
    assert unpaid.invoice_id is not None
    payment = payments.reach_provider(payments.start_payment(unpaid.invoice_id, actor=client_user).pk)
    call.refresh_from_db()
    return World(client_user, builder, other, package, order(0), order(1), order(2), call, payment)


def everything() -> dict[str, str]:
    """Every table with a digest of all its rows: an update shows as well as an insert."""
    tables = sorted({model._meta.db_table for model in apps.get_models() if model._meta.managed} - CHANGING)
    found = {}
    with connection.cursor() as cursor:
        for table in [*tables, "audit_log"]:
            cursor.execute(f"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM \"{table}\" t")
            found[table] = cursor.fetchone()[0]
    return found


@contextmanager
def nothing_written() -> Iterator[None]:
    before = everything()
    yield
    after = everything()
    assert {table for table in before if before[table] != after[table]} == set()


def said(response: Any) -> str:
    """The words of a page, as a person reads them."""
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def file(name: str, content: bytes = PNG) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def slot(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


Ask = Callable[[World], tuple[User, str, dict[str, Any]]]


def hold(**changes: Any) -> Ask:
    """The booking form, with something wrong in it."""

    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        free = open_starts(world.builder, client_id=world.client_user.pk, minutes=30, moment=now())[60]
        form = {"minutes": 30, "tz": "Europe/Amsterdam", "slot": slot(free), "notes": "Hello", "client_key": str(uuid7())}
        wrong = {name: value(world) if callable(value) else value for name, value in changes.items()}
        return world.client_user, f"/b/{world.builder.slug}/call/hold/", form | wrong

    return ask


def hours(**changes: Any) -> Ask:
    form = {"enabled": "on", "price_30": "60.00", "h": ["0-18", "0-19"], "notice_hours": 4, "gap_minutes": 0, "horizon_days": 60, "time_zone": "UTC"}
    return lambda world: (world.builder.user, "/calls/availability/", form | changes)


def withdraw(amount: str) -> Ask:
    return lambda world: (world.builder.user, "/earnings/withdraw/", {"amount": amount, "client_key": str(uuid7())})


def bank(**changes: str) -> Ask:
    form = {"holder": "Anaya Krishnan", "iban": "DE89370400440532013000", "number": "", "bic": "", "country": ""}
    return lambda world: (world.builder.user, "/earnings/bank/", form | changes)


def service(**changes: Any) -> Ask:
    form = {"title": "Draw a logo", "basic-is_offered": "on", "basic-name": "S", "basic-price": "25", "basic-delivery_days": "3"}
    return lambda world: (world.builder.user, "/services/new/", form | {"category": str(world.package.service.category_id)} | changes)


def settings_of(**changes: Any) -> Ask:
    form = {"name": "Jonas Vermeer", "phone": "", "time_zone": "UTC", "language": "en", "theme": "light"}
    return lambda world: (world.client_user, "/settings/", form | changes)


def on_order(which: str, step: str, **form: Any) -> Ask:
    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        who = world.builder.user if step in ("deliver", "more-time", "ask", "go-on") else world.client_user
        return who, f"/orders/{getattr(world, which).number}/{step}/", {"client_key": str(uuid7()), **form}

    return ask


def new_offer(**changes: Any) -> Ask:
    """An offer that the builder writes, with something wrong in it."""

    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        form = {"package": world.package.pk, "title": "Five", "scope": "All.", "price": "150", "days": 5, "revisions": 1, "hours": 48}
        return world.builder.user, f"/messages/{world.asking.conversation_id}/offer/", form | {"client_key": str(uuid7())} | changes

    return ask


def on_offer(step: str, **form: Any) -> Ask:
    """The client answers an offer that stands."""

    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        terms = terms_of_package(world.package, Decimal("150.00"))
        made = Offer.objects.filter(conversation=world.asking.conversation_id, status="open").first()
        if made is None:
            made = orders.send_offer(world.asking.conversation_id, actor=world.builder.user, terms=terms, client_key=uuid7())
        filled = {"client_key": str(uuid7()), "price": "140", "days": 5, "revisions": 1, "scope": "All."}
        return world.client_user, f"/offers/{made.pk}/{step}/", filled | form

    return ask


def at_call(step: str, **form: Any) -> Ask:
    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        return world.builder.user, f"/calls/{world.call.pk}/{step}/", form

    return ask


def away(**changes: Any) -> Ask:
    days = {"first_on": f"{now() + timedelta(days=2):%Y-%m-%d}", "last_on": f"{now() + timedelta(days=4):%Y-%m-%d}"}
    return lambda world: (world.builder.user, "/away/", {"on": "on", "stops_clock": "on"} | days | changes)


def webhook(**changes: Any) -> Ask:
    form = {"url": "https://hooks.example/in", "description": "", "events": "order.paid"}
    return lambda world: (world.client_user, "/settings/webhooks/new/", form | {"client_key": str(uuid7())} | changes)


def past(world: World) -> str:
    return slot((now() - timedelta(days=1)).replace(minute=0, second=0))


def report(**changes: Any) -> Ask:
    """A report of the client."""
    form = {"reason": "spam", "text": ""} | changes
    return lambda world: (world.client_user, f"/messages/{world.asking.conversation_id}/report/", form)


def report_person(**changes: Any) -> Ask:
    """The same about a builder."""
    form = {"reason": "spam", "text": ""} | changes
    return lambda world: (world.client_user, f"/b/{world.builder.slug}/report/", form)


def off_the_grid(world: World) -> str:
    return slot(open_starts(world.builder, client_id=None, minutes=30, moment=now())[60] + timedelta(minutes=7))


BAD_MONEY = ["5.001", "-20", "1e2", "1_000", "１００", "+50", "NaN", "Infinity", "9" * 19, "9" * 400, "0", "fifty", "20\x00"]
BAD_ZONES = ["Mars/Olympus", "../../etc/passwd", "", "UTC\x00", "x" * 5000, "europe/amsterdam2"]
NUL = "Hel\x00lo"

CASES: dict[str, Ask] = {
    **{f"withdraw {text[:9]!r}": withdraw(text) for text in [*BAD_MONEY, "", "9999999.99", "1.00"]},
    **{f"call price {text[:9]!r}": hours(price_30=text) for text in BAD_MONEY},
    **{f"package price {text[:9]!r}": service(**{"basic-price": text}) for text in BAD_MONEY},
    **{f"zone of a call {zone[:9]!r}": hold(tz=zone) for zone in BAD_ZONES},
    **{f"zone of hours {zone[:9]!r}": hours(time_zone=zone) for zone in BAD_ZONES},
    **{f"zone of a person {zone[:9]!r}": settings_of(time_zone=zone) for zone in BAD_ZONES},
    "slot that is no date": hold(slot="tomorrow at ten"),
    "slot that is empty": hold(slot=""),
    "slot with an impossible date": hold(slot="2026-02-30T10:00:00Z"),
    "slot in the year 9999": hold(slot="9999-12-31T23:30:00Z"),
    "slot in the year 1": hold(slot="0001-01-01T00:00:00Z"),
    "slot in the past": hold(slot=past),
    "slot off the grid": hold(slot=off_the_grid),
    "slot with NUL": hold(slot="2026-12-01T10:00:00Z\x00"),
    "slot that is taken": hold(slot=lambda world: slot(world.call.scheduled_at)),
    "length of another builder": hold(minutes=15),
    "length that is no number": hold(minutes="half an hour"),
    "length nobody offers": hold(minutes=45),
    "key that is none": hold(client_key="1"),
    "notes with NUL": hold(notes=NUL),
    "notes too long": hold(notes="x" * 601),
    "hours outside the week": hours(h=["7-18"]),
    "hours that are none": hours(h=["x"]),
    "notice nobody offers": hours(notice_hours=-4),
    "name with NUL": settings_of(name=NUL),
    "phone that is none": settings_of(phone="12\x0034"),
    "title with NUL": service(title=NUL),
    "package in no days": service(**{"basic-delivery_days": "0"}),
    "package in endless days": service(**{"basic-delivery_days": "9" * 30}),
    "withdraw in a way that is none": lambda world: (*withdraw("20.50")(world)[:2], {"amount": "20.50", "method": "x", "client_key": str(uuid7())}),
    "withdraw to a bank that nobody named": lambda world: (
        *withdraw("30.00")(world)[:2],
        {"amount": "30.00", "method": "bank", "client_key": str(uuid7())},
    ),
    "withdraw without a key": lambda world: (*withdraw("20.50")(world)[:2], {"amount": "20.50"}),
    "iban with wrong digits": bank(iban="DE88370400440532013000"),
    "iban with NUL": bank(iban="DE89370400440532013000\x00"),
    "iban in digits of another script": bank(iban="DE８9370400440532013000"),
    "iban that is endless": bank(iban="DE89" * 5000),
    "account without a bank": bank(iban="", number="12345678"),
    "account that is a formula": bank(iban="", number="=1+1", bic="CHASUS33", country="US"),
    "bank in no country": bank(iban="", number="12345678", bic="CHASQQ33", country="QQ"),
    "bank with a country of its own": bank(iban="", number="12345678", bic="CHASUS33", country="U\x00"),
    "holder with NUL": bank(holder=NUL),
    "holder in other letters": bank(holder="Анна"),
    "holder that is none": bank(holder=""),
    "payout address with a wrong checksum": lambda world: (world.builder.user, "/earnings/address/", {"address": "0xAb" + "ab" * 19}),
    "payout address that is none": lambda world: (world.builder.user, "/earnings/address/", {"address": "0x12"}),
    "payout address with NUL": lambda world: (world.builder.user, "/earnings/address/", {"address": "0x" + "ab" * 19 + "\x00"}),
    "waiting for who is here": lambda world: (world.client_user, f"/b/{world.builder.slug}/back/want/", {"next": "//elsewhere.example/"}),
    "waiting for nobody": lambda world: (world.client_user, "/b/nobody/back/want/", {}),
    "not waiting for nobody": lambda world: (world.client_user, "/b/nobody/back/forget/", {}),
    "order without a key": lambda world: (world.client_user, f"/orders/place/{world.package.pk}/", {"client_key": "again"}),
    "answer with NUL": on_order("asking", "answer", q1=NUL, q2="MySQL"),
    "answer that was not offered": on_order("asking", "answer", q1="All", q2="Oracle"),
    "answers missing": on_order("asking", "answer"),
    "note with NUL": on_order("working", "deliver", note=NUL),
    "note too long": on_order("working", "deliver", note="x" * 5001),
    "revision with NUL": on_order("delivered", "revision", note=NUL),
    "revision without words": on_order("delivered", "revision", note=" "),
    "reason too long": on_order("asking", "cancel", reason="x" * 301),
    "reason with NUL": on_order("asking", "cancel", reason=NUL),
    "review too early": on_order("working", "review", stars=5),
    "six stars": on_order("delivered", "review", stars=6),
    "six stars for the talk": on_order("delivered", "review", stars=5, communication=6),
    "review with NUL": on_order("delivered", "review", stars=5, text=NUL),
    "review too long": on_order("delivered", "review", stars=5, text="x" * 2001),
    "reply to nothing": on_order("delivered", "reply", text="Thank you."),
    "saving nothing": lambda world: (world.client_user, "/saved/services/none/", {"do": "save"}),
    "a heart that does nothing": lambda world: (world.client_user, f"/saved/builders/{world.builder.slug}/", {"do": "burn"}),
    "saving oneself": lambda world: (world.builder.user, f"/saved/builders/{world.builder.slug}/", {"do": "save"}),
    "report of no review": lambda world: (world.client_user, f"/reviews/{world.asking.pk}/report/", {"reason": "spam"}),
    "message with NUL": on_order("asking", "message", body=NUL),
    "message too long": on_order("asking", "message", body="x" * 5001),
    "message without a key": on_order("asking", "message", body="Hello", client_key="x"),
    "report with NUL": report(text=NUL),
    "report too long": report(text="x" * 1001),
    "report for no reason": report(reason="boredom"),
    "report of a person too long": report_person(text="x" * 1001),
    "report of a person for no reason": report_person(reason="boredom"),
    "report of oneself": lambda world: (world.builder.user, report_person()(world)[1], {"reason": "spam"}),
    "report by another": lambda world: (world.other.user, report()(world)[1], {"reason": "spam"}),
    "hint of nobody": lambda world: (world.builder.user, f"/suggestions/{world.asking.pk}/send/", {}),
    "hint of nobody put aside": lambda world: (world.builder.user, f"/suggestions/{world.asking.pk}/dismiss/", {}),
    "cancelled call with NUL": at_call("cancel", reason=NUL),
    "notes of a call with NUL": at_call("complete", notes=NUL),
    "call that has not begun": at_call("complete", notes="Done"),
    "webhook without https": webhook(url="http://hooks.example/"),
    "webhook inside": webhook(url="https://169.254.169.254/latest/"),
    "webhook with a password": webhook(url="https://a:b@hooks.example/"),
    "webhook with NUL": webhook(url="https://hooks.example/\x00"),
    "webhook that is endless": webhook(url="https://hooks.example/" + "x" * 5000),
    "webhook for nothing": webhook(events=""),
    "webhook for what never happens": webhook(events="order.payed"),
    "webhook with NUL in words": webhook(description=NUL),
    "webhook without a key": webhook(client_key="x"),
    "webhook of nobody": lambda world: (world.client_user, f"/settings/webhooks/{world.asking.pk}/ping/", {}),
    "delivery of nobody": lambda world: (world.client_user, f"/settings/webhooks/deliveries/{world.asking.pk}/replay/", {}),
    "wallet that answers maybe": lambda world: (world.client_user, f"/wallet/{world.payment.pk}/answer/", {"decision": "maybe"}),
    "away without a last day": away(last_on=""),
    "away on days that do not exist": away(first_on="2026-02-30"),
    "away in the year 9999": away(last_on="9999-12-31"),
    "away in the year 1": away(first_on="0001-01-01"),
    "away in the wrong order": away(last_on=f"{now():%Y-%m-%d}"),
    "away with NUL": away(message=NUL),
    "away with too many words": away(message="x" * 301),
    "away with a span of nobody": away(span="0" * 8 + "-0000-7000-8000-" + "0" * 12),
    "away with a bent span": away(span="x"),
    "away of a client": lambda world: (world.client_user, "/away/00000000-0000-7000-8000-000000000000/end/", {}),
    "order of nobody": lambda world: (world.client_user, "/orders/99999999999999999999/accept/", {}),
    "invoice of another": lambda world: (world.other.user, f"/pay/{world.payment.invoice_id}/start/", {}),
    "wallet of another": lambda world: (world.other.user, f"/wallet/{world.payment.pk}/answer/", {"decision": "approve"}),
}

FILES: dict[str, Callable[[], SimpleUploadedFile]] = {
    "program named as a picture": lambda: file("photo.png", b"MZ\x90\x00" + b"\x00" * 60),
    "picture named as a document": lambda: file("contract.pdf"),
    "drawing with a script": lambda: file("logo.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    "page": lambda: file("index.html", b"<script>alert(1)</script>"),
    "page named as a picture": lambda: file("index.html.png", b"<script>alert(1)</script>"),
    "program": lambda: file("setup.exe", b"MZ"),
    "no extension": lambda: file("png", PNG),
    "nothing in it": lambda: file("empty.png", b""),
    "too large": lambda: file("large.png", PNG + b"\x00" * 2000),
    "text with NUL": lambda: file("notes.txt", b"a\x00b"),
}
FILES_TO: dict[str, Ask] = {
    "message": on_order("asking", "message", body="See the file"),
    "delivery": on_order("working", "deliver", note="Done"),
    "answer": on_order("asking", "answer", q1="All", q2="MySQL"),
    "conversation": lambda world: (world.client_user, f"/messages/{world.asking.conversation_id}/", {"body": "Look", "client_key": str(uuid7())}),
    "photo": lambda world: (world.builder.user, "/settings/profile/photo/", {}),
}
FILE_FIELD = {"answer": "q3", "photo": "photo"}


def ready(world: World, ask: Ask, **more: Any) -> Callable[[], Any]:
    """Somebody who is signed in and about to send the form."""
    user, url, form = ask(world)
    client = Client()
    client.force_login(user)
    return lambda: client.post(url, form | more)


def fault(world: World, ask: Ask, expected: str, **more: Any) -> str:
    """What is wrong with the answer to a bad request; nothing when it was refused in words and left everything as it was."""
    send = ready(world, ask, **more)
    before = everything()
    try:
        response = send()
    except Exception as error:  # noqa: BLE001 - what would be a page of status 500
        return f"{type(error).__name__}: {error}"
    written = {table for table, digest in everything().items() if before[table] != digest}
    if written:
        return f"wrote {written}"
    if response.status_code not in (400, 403, 404, 409, 422):
        return f"answered {response.status_code}"
    return "" if re.search(expected, said(response)) else f"said {said(response)[:300]}"


def test_a_bad_form_is_refused_in_words_and_writes_nothing(world: World) -> None:
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in CASES.items()}
    assert {name: what for name, what in faults.items() if what} == {}


def test_a_bad_file_is_refused_in_words_and_writes_nothing(world: World, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1500
    words = r"cannot be sent|not what its name says|is empty|larger than|cannot be read|PNG, JPEG or WebP"
    faults = {
        (name, place): fault(world, ask, words, **{FILE_FIELD.get(place, "uploads"): make()})
        for name, make in FILES.items()
        for place, ask in FILES_TO.items()
    }
    assert {name: what for name, what in faults.items() if what} == {}


OFFERS: dict[str, Ask] = {
    **{f"offer for {text[:9]!r}": new_offer(price=text) for text in BAD_MONEY},
    **{f"other terms for {text!r}": on_offer("counter", price=text) for text in ("5.001", "-20", "NaN", "0")},
    "offer with NUL": new_offer(scope=NUL),
    "offer without a name": new_offer(title=" "),
    "offer in no days": new_offer(days=0),
    "offer in endless days": new_offer(days="9" * 30),
    "offer with endless revisions": new_offer(revisions=21),
    "offer that stands for an hour": new_offer(hours=1),
    "offer without a key": new_offer(client_key="again"),
    "offer of a package that is none": new_offer(package="x"),
    "offer of a package of nobody": new_offer(package=str(uuid7())),
    "offer of a service of nobody": new_offer(package="", service=str(uuid7())),
    "offer that answers none": new_offer(answers=str(uuid7())),
    "offer that hints at none": new_offer(suggestion="\x00"),
    "other terms with NUL": on_offer("counter", scope=NUL),
    "other terms in no days": on_offer("counter", days=0),
    "other terms that are the same": on_offer("counter", price="150", days=7, revisions=2, scope="Queries."),
    "offer accepted without a key": on_offer("accept", client_key="x"),
    "offer declined with NUL": on_offer("decline", reason=NUL),
    "offer declined at length": on_offer("decline", reason="x" * 301),
    "offer withdrawn by its reader": on_offer("withdraw"),
    "offer sent by its reader": on_offer("send"),
}


def test_a_bad_offer_is_refused_in_words_and_writes_nothing(world: World) -> None:
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in OFFERS.items()}
    assert {name: what for name, what in faults.items() if what} == {}


def dispute(**changes: Any) -> Ask:
    """The claim of a client, with something wrong in it."""
    return on_order("delivered", "dispute", **{"reason": "not_as_agreed", "claim": "Slow.", "to_client": "60"} | changes)


def in_dispute(step: str, **form: Any) -> Ask:
    """The builder meets a dispute that waits for an answer."""

    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        made = Dispute.objects.filter(order=world.working).first() or orders.open_dispute(
            world.working.pk,
            actor=world.client_user,
            client_key=uuid7(),
            reason=DisputeReason.NO_ANSWER,
            claim="No word.",
            to_client=Decimal("120.00"),
        )
        return world.builder.user, f"/disputes/{made.number}/{step}/", form

    return ask


DISPUTES: dict[str, Ask] = {
    **{f"claim of {text[:9]!r}": dispute(to_client=text) for text in [*BAD_MONEY, "", "180.01"] if text != "0"},
    **{f"figure of {text[:9]!r}": in_dispute("answer", answer="No.", offer=text) for text in [*BAD_MONEY, "", "120.01"] if text != "0"},
    "claim with NUL": dispute(claim=NUL),
    "claim too long": dispute(claim="x" * 5001),
    "claim without words": dispute(claim=" "),
    "claim for no reason": dispute(reason="boredom"),
    "claim for a reason of the other side": dispute(reason="unfair_changes"),
    "claim without a key": dispute(client_key="again"),
    "claim with a program": dispute(uploads=file("setup.exe", b"MZ")),
    "answer with NUL": in_dispute("answer", answer=NUL, offer="10"),
    "figure before an answer": in_dispute("figure", to_client="10"),
    "settled without a figure": in_dispute("settle"),
    "settled at another figure": in_dispute("settle", seen="1.00"),
    "settled at NUL": in_dispute("settle", seen="120.00\x00"),
    "withdrawn by the other side": in_dispute("withdraw"),
    "brought before support too early": in_dispute("escalate"),
    "evidence that is empty": in_dispute("evidence"),
    "evidence with NUL": in_dispute("evidence", text=NUL),
    "dispute of nobody": lambda world: (world.client_user, "/disputes/999999999/settle/", {"seen": "1"}),
    "dispute of another": lambda world: (world.other.user, in_dispute("settle")(world)[1], {"seen": "120.00"}),
}


def end(**changes: Any) -> Ask:
    """An end by agreement whose figures were on the page."""
    return on_order("delivered", "end", **{"to_client": "60", "seen": "60.00", "reason": "Other plans."} | changes)


BETWEEN_BOTH: dict[str, Ask] = {
    **{f"division of {text[:9]!r}": end(to_client=text, seen=text) for text in [*BAD_MONEY, "", "0", "180.01"]},
    "end with NUL": end(reason=NUL),
    "end too long": end(reason="x" * 1001),
    "end without words": end(reason=" "),
    "end without a key": end(client_key="again"),
    "more time of no days": on_order("working", "more-time", days="0", reason="Ill."),
    "more time of endless days": on_order("working", "more-time", days="9" * 30, reason="Ill."),
    "more time with NUL": on_order("working", "more-time", days="3", reason=NUL),
    "more time without a key": on_order("working", "more-time", days="3", reason="Ill.", client_key="again"),
    "more questions with NUL": on_order("working", "ask", questions=NUL),
    "more questions, too many": on_order("working", "ask", questions="a\nb\nc\nd\ne\nf"),
    "more questions, too long": on_order("working", "ask", questions="x" * 201),
    "went on without having asked": on_order("working", "go-on"),
}


def test_what_both_agree_on_is_not_asked_badly(world: World) -> None:
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in BETWEEN_BOTH.items()}
    assert {name: what for name, what in faults.items() if what} == {}


def test_a_bad_dispute_is_refused_in_words_and_writes_nothing(world: World) -> None:
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in DISPUTES.items()}
    assert {name: what for name, what in faults.items() if what} == {}


def test_a_conversation_stays_closed_for_a_bad_reason(world: World, staff: User, settings: Any) -> None:
    """In the console, where somebody has to say why they read what others wrote."""
    settings.STAFF_SECOND_FACTOR = False
    url = f"/console/threads/{world.asking.conversation_id}/open/"
    asks: dict[str, Ask] = {
        "without a reason": lambda world: (staff, url, {}),
        "a reason of spaces": lambda world: (staff, url, {"reason": "  "}),
        "a reason with NUL": lambda world: (staff, url, {"reason": NUL}),
        "a reason too long": lambda world: (staff, url, {"reason": "x" * 601}),
        "by a side of it": lambda world: (world.client_user, url, {"reason": "Case"}),
    }
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in asks.items()}
    assert {name: what for name, what in faults.items() if what} == {}


NOBODY = "0x" + "00" * 19 + "12"  # a wallet whose key nobody holds


def at_wallet(part: str, **form: Any) -> Ask:
    """The page of a payment from a wallet of one's own."""
    return lambda world: (world.client_user, f"/pay/{world.payment.pk}/wallet/{part}/", form)


WALLET: dict[str, Ask] = {
    "signature of nobody": at_wallet("sign", address=NOBODY, signature="0x" + "11" * 65),
    "signature too short": at_wallet("sign", address=NOBODY, signature="0x" + "11" * 64),
    "signature that is none": at_wallet("sign", address=NOBODY, signature="signed"),
    "signature with NUL": at_wallet("sign", address=NOBODY, signature=NUL),
    "signature without end": at_wallet("sign", address=NOBODY, signature="0x" + "1" * 5000),
    "no signature": at_wallet("sign"),
    "address that is none": at_wallet("send", address="0x12"),
    "address with NUL": at_wallet("send", address="0x" + "ab" * 19 + "\x00"),
    "address of nobody": at_wallet("send", address="0x" + "0" * 40),
    "address with a wrong letter": at_wallet("send", address="0x5d5c99EdF529335160FF180fA141Dd4967fc00D1"),
    "address of the platform": at_wallet("send", address=str(SETTINGS["CHAIN_TREASURY_ADDRESS"])),
    "hash that is none": at_wallet("sent", tx_hash="0x12"),
    "hash with NUL": at_wallet("sent", tx_hash="0x" + "a" * 63 + "\x00"),
    "hash before a wallet": at_wallet("sent", tx_hash="0x" + "ab" * 32),
    "payment of another": lambda world: (world.other.user, f"/pay/{world.payment.pk}/wallet/send/", {"address": NOBODY}),
    "no such payment": lambda world: (world.client_user, f"/pay/{uuid7()}/wallet/send/", {"address": NOBODY}),
}


def test_a_wallet_s_page_takes_nothing_that_is_wrong(world: World, settings: Any) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    invoice_id = world.payment.invoice_id
    payments.change_provider(invoice_id, actor=world.client_user, provider="wallet")
    world.payment = payments.reach_provider(payments.start_payment(invoice_id, actor=world.client_user, provider="wallet").pk)
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in WALLET.items()}
    assert {name: what for name, what in faults.items() if what} == {}
    assert ready(world, at_wallet("send", address=NOBODY))().status_code == 302
    assert WalletPayment.objects.get().address == NOBODY


REASON = {"reason": "Cannot find the order.", "reference": "P4-1061"}


def test_a_viewing_is_not_begun_by_a_bad_form(world: World, agent: User, finance: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False

    def view(person: Any = None, by: User = agent, **form: str) -> Ask:
        return lambda world: (by, f"/console/people/{person or world.client_user.pk}/view/", {**REASON, **form})

    asks = {
        "no reason": view(reason=" "),
        "reason with NUL": view(reason=NUL),
        "reason too long": view(reason="x" * 601),
        "no reference": view(reference=""),
        "reference without a number": view(reference="the order"),
        "reference with NUL": view(reference="P4-1\x00"),
        "reference too long": view(reference="1" * 41),
        "reference with a line": view(reference="P4-1\nP4-2"),
        "of nobody": view(uuid7()),
        "of oneself": view(agent.pk),
        "of staff": view(finance.pk),
        "without the permission": view(by=finance),
        "end of nobody's": lambda world: (agent, f"/console/viewings/{uuid7()}/end/", {}),
    }
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in asks.items()}
    assert {name: what for name, what in faults.items() if what} == {}
    assert ready(world, view())().status_code == 302


GOOD: dict[str, Ask] = {
    "hold": hold(),
    "hours": hours(),
    "withdraw": withdraw("20.50"),
    "service": service(),
    "settings": settings_of(name="Jonas V"),
    "answer": on_order("asking", "answer", q1="All", q2="MySQL"),
    "deliver": on_order("working", "deliver", note="Done"),
    "revision": on_order("delivered", "revision", note="Faster"),
    "cancel a call": at_call("cancel", reason="Ill"),
    "wallet": lambda world: (world.client_user, f"/wallet/{world.payment.pk}/answer/", {"decision": "approve"}),
    "message": FILES_TO["message"],
    "conversation": FILES_TO["conversation"],
    "address": lambda world: (world.builder.user, "/earnings/address/", {"address": "0x" + "cd" * 20}),
    "bank": bank(),
    "away": away(),
    "dispute": dispute(),
    "answer of a dispute": in_dispute("answer", answer="No.", offer="10"),
    "settled dispute": in_dispute("settle", seen="120.00"),
    "end by agreement": end(),
    "more time": on_order("working", "more-time", days="3", reason="Ill."),
    "more questions": on_order("working", "ask", questions="Which server?"),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_same_form_without_a_fault_is_taken(world: World, name: str) -> None:
    """Else the refusals above would prove nothing."""
    send = ready(world, GOOD[name])
    before = everything()
    response = send()
    assert response.status_code == 302, said(response)
    assert everything() != before


@pytest.mark.parametrize("place", ["message", "delivery", "answer", "conversation"])
def test_a_good_file_is_taken(world: World, place: str, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1500
    send = ready(world, FILES_TO[place], **{FILE_FIELD.get(place, "uploads"): file("a.png")})
    before = everything()
    assert send().status_code == 302
    assert everything()["messaging_attachment"] != before["messaging_attachment"]


def callback(body: bytes, header: str) -> Any:
    return Client(enforce_csrf_checks=True).post(
        "/payments/callback/sandbox/", body, content_type="application/json", headers={sandbox.HEADER: header}
    )


@pytest.fixture
def approved(world: World) -> bytes:
    """The body of the wallet's answer about a payment that was approved and is not reported yet."""
    payments.answer_wallet(world.payment.pk, actor=world.client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    return sandbox.message(SandboxCharge.objects.get(key=world.payment.pk))


FORGED: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    "no signature": lambda body: (body, ""),
    "zeros": lambda body: (body, f"t={int(now().timestamp())},v1={'0' * 64}"),
    "another body": lambda body: (json.dumps({**json.loads(body), "amount": "0.01"}).encode(), sandbox.sign(body, now())),
    "too old": lambda body: (body, sandbox.sign(body, now() - timedelta(minutes=5, seconds=2))),
    "from the future": lambda body: (body, sandbox.sign(body, now() + timedelta(minutes=6))),
    "a new moment on an old signature": lambda body: (body, re.sub(r"t=\d+", "t=1", sandbox.sign(body, now()))),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_or_stale_callback_is_refused(approved: bytes, name: str) -> None:
    with nothing_written():
        response = callback(*FORGED[name](approved))
    assert (response.status_code, response.json()) == (403, {"error": "signature"})


def test_a_replayed_callback_changes_nothing(approved: bytes) -> None:
    """Soon it is the provider asking again, which is told that all is known; later it is somebody who listened."""
    header = sandbox.sign(approved, now())
    assert callback(approved, header).status_code == 200
    with nothing_written():
        assert callback(approved, header).status_code == 200
    invoice = Invoice.objects.get(payments=Payment.objects.get(events__isnull=False, settled_at__isnull=True))
    payments.settle_invoice(invoice.pk)
    with nothing_written():
        assert callback(approved, header).status_code == 200
        payments.settle_invoice(invoice.pk)
        with at(now() + timedelta(minutes=6)):
            assert callback(approved, header).status_code == 403


URLS = [
    "/?q=%00&lowest=1e9&highest=-1&days=999999999999&category=%00&sort=x&language=%00&after=%00",
    "/?after=eyJ4Ijo5fQ",
    "/orders/?as=builder&after=%00",
    "/orders/?after=9999-12-31T23:59:59.999999%2B00:00,1",
    "/calls/?show=past&after=9999-99-99",
    "/calls/?after=%00",
    "/invoices/?before=%00&sold=1",
    "/earnings/?before=x",
    "/earnings/file/?since=%00&until=9999-12-31",
    "/spending/file/?since=0001-01-01&until=9999-12-31",
    "/insights/?days=%00",
    "/earnings/withdrawals/?before=%00&show=%00",
    "/earnings/quote/?amount=1e9&method=%00",
    "/messages/?older=%00&show=unread",
    "/notifications/?before=%00",
    "/b/anaya-krishnan/call/?minutes=1e2&tz=%00&week=9999-12-31&slot=9999-12-31T23:59:59Z",
    "/b/anaya-krishnan/call/?week=0001-01-01&slot=0001-01-01T00:00:00Z&minutes=-1",
    "/b/anaya-krishnan/call/?week=2026-13-45&tz=../../etc/passwd",
    "/s/fast-pages/?package=%00",
]


def test_a_bent_address_shows_a_page_and_writes_nothing(world: World) -> None:
    faults: dict[tuple[str, str], int] = {}
    for user in (world.client_user, world.builder.user):
        client = Client(raise_request_exception=False)
        client.force_login(user)
        with nothing_written():
            faults |= {(user.email, url): status for url in URLS if (status := client.get(url).status_code) not in (200, 302, 400, 404, 422)}
    assert faults == {}


def test_a_plan_is_not_begun_or_decided_badly(world: World, senior: User, security: User, agent: User, settings: Any) -> None:
    """In the console: what plans ask for, and every step of one that waits."""
    settings.STAFF_SECOND_FACTOR = False
    person = world.client_user
    held = draft_plan(PlanKind.HOLD, actor=senior, asked={"told": "Held for a while."}, reason="Case 1", about=About(target_user=person))
    submit_plan(held.pk, actor=senior, seen=held.figures_sha256)
    plan = draft_plan(PlanKind.HOLD, actor=senior, asked={"do": "end"}, reason="Case 1", about=About(target_user=person))
    submit_plan(plan.pk, actor=senior, seen=plan.figures_sha256)

    def begin(kind: str = "user_suspend", by: User = security, **form: Any) -> Ask:
        filled = {"person": person.pk, "told": "You sent spam to many.", "reason": "Case 1", **form}
        return lambda world: (by, f"/console/plans/new/{kind}/", filled)

    def step(name: str, by: User = security, **form: Any) -> Ask:
        return lambda world: (by, f"/console/plans/{plan.number}/{name}/", {"seen": plan.figures_sha256, **form})

    asks = {
        "for nobody": begin(person="nobody@example.com"),
        "for NUL": begin(person=NUL),
        "for oneself": begin(person=security.pk),
        "told too little": begin(told="Spam"),
        "told NUL": begin(told=NUL),
        "no reason": begin(reason=" "),
        "endless reason": begin(reason="x" * 601),
        "without the permission": begin(by=agent),
        "of a kind that is none": begin("user_praise"),
        "held for a day nobody offers": begin("payouts_hold", do="hold", days="x"),
        "held and not said why": begin("payouts_hold", do="hold", told=""),
        "neither held nor ended": begin("payouts_hold", do="x"),
        "a macro that is none": begin("macro", macro="x"),
        "a macro of NUL": begin("macro", macro=NUL),
        "approved by who asked": step("approve", senior),
        "approved without the permission": step("approve", agent),
        "approved with other figures": step("approve", seen="x" * 64),
        "approved with NUL": step("approve", seen=NUL),
        "approved with a note of NUL": step("approve", note=NUL),
        "rejected with NUL": step("reject", note=NUL),
        "rejected at length": step("reject", note="x" * 601),
        "rejected without a reason": step("reject", note=" "),
        "rejected by who asked": step("reject", senior, note="No."),
        "withdrawn by another": step("withdraw"),
        "submitted again": step("submit", senior),
        "no such plan": lambda world: (security, "/console/plans/999999999999999999999/approve/", {}),
        "the list taken by who may not": lambda world: (senior, "/console/actions/export/", {}),
        "the list of nobody": lambda world: (security, "/console/actions/export/", {"agent": "nobody@example.com"}),
    }
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in asks.items()}
    assert {name: what for name, what in faults.items() if what} == {}


def test_an_incident_is_not_worked_on_badly(world: World, senior: User, security: User, agent: User, settings: Any) -> None:
    """In the console: one of a colleague's, one that is closed, and other numbers for a detector."""
    settings.STAFF_SECOND_FACTOR = False
    known = DETECTORS[0]

    def incident(name: str) -> IncidentLog:
        finding = Finding(
            fingerprint=name,
            incident_type=IncidentType.MULTI_ACCOUNTING,
            severity=IncidentSeverity.HIGH,
            confidence=70,
            description="Two builders, one payout address.",
            user_id=world.client_user.pk,
            related_users=[world.builder.user_id],
            detector=known.name,
        )
        return IncidentLog.objects.get(pk=open_incident(finding).pk)

    free, theirs, closed = incident("free"), incident("theirs"), incident("closed")
    casework.take(theirs.pk, actor=senior)
    casework.resolve(closed.pk, actor=senior, verdict=Verdict.CONFIRMED, reason="Seen.")
    version = tuning.draft_version(known.name, known.parameters, {}, actor=security, reason="The same.")
    usual = {"reason": "Looked into it.", "verdict": "confirmed", "told": "We found one payout address.", "people": str(world.client_user.pk)}
    numbers = {one.name: f"{one.value:g}" for one in known.parameters}

    def on(row: IncidentLog, step: str, by: User = security, **form: Any) -> Ask:
        return lambda world: (by, f"/console/incidents/{row.number}/{step}/", form)

    def decide(row: IncidentLog = free, by: User = security, **form: Any) -> Ask:
        return on(row, "decide", by, **{**usual, "do": "warn", **form})

    def draft(form: dict[str, str], by: User = security) -> Ask:
        return lambda world: (by, f"/console/detectors/{known.name}/draft/", {**numbers, "reason": "Fewer.", **form})

    asks = {
        "taken from a colleague": on(theirs, "take"),
        "taken when closed": on(closed, "take"),
        "taken without the permission": on(free, "take", agent),
        "handed to nobody": on(free, "hand-over", to="x"),
        "handed to a client": on(free, "hand-over", to=str(world.client_user.pk)),
        "handed to who may not": on(free, "hand-over", to=str(agent.pk)),
        "put back by nobody": on(free, "put-back"),
        "an empty note": on(free, "note", text=" "),
        "a note of NUL": on(free, "note", text=NUL),
        "an endless note": on(free, "note", text="x" * 2001),
        "a question that is none": on(free, "check", item="x", done="1"),
        "decided as nothing": decide(do="x"),
        "decided of a colleague's": decide(theirs),
        "decided when closed": decide(closed),
        "decided without the permission": decide(by=agent),
        "decided about a stranger": decide(people=str(world.other.user_id)),
        "decided about NUL": decide(people=NUL),
        "decided with words of NUL": decide(told=NUL),
        "decided for a reason of NUL": decide(reason=NUL),
        "decided with a loss of nothing": decide(actual_loss="NaN"),
        "held for ever": decide(do="hold", hours="1000"),
        "kept quiet for ever": decide(do="fp", verdict="team", days="1000"),
        "harmless and confirmed": decide(do="fp"),
        "agreed to what nobody asks": on(free, "agree"),
        "agreed when closed": on(closed, "agree"),
        "agreed without the permission": on(free, "agree", agent),
        "declined for no reason": on(free, "decline", reason=" "),
        "declined for a reason of NUL": on(free, "decline", reason=NUL),
        "declined when nobody asks": on(free, "decline", reason="No."),
        "opened when open": on(free, "reopen", reason="Again."),
        "opened again for nothing": on(closed, "reopen", reason=" "),
        "merged into itself": on(free, "merge", into=str(free), reason="The same."),
        "merged into nothing": on(free, "merge", into="x", reason="The same."),
        "merged into a closed one": on(free, "merge", into=str(closed), reason="The same."),
        "many of none closed": lambda world: (security, "/console/incidents/close/", {"verdict": "harmless", "reason": "Café."}),
        "many closed for NUL": lambda world: (security, "/console/incidents/close/", {"pick": free.number, "verdict": "harmless", "reason": NUL}),
        "many closed as nothing": lambda world: (security, "/console/incidents/close/", {"pick": free.number, "verdict": "x", "reason": "Café."}),
        "quiet ended without the permission": lambda world: (agent, f"/console/suppressions/{free.pk}/end/", {}),
        "a number beyond its bounds": draft({known.parameters[0].name: "1e99"}),
        "a number that is none": draft({known.parameters[0].name: "NaN"}),
        "numbers for no reason": draft({"reason": " "}),
        "numbers without the permission": draft({}, agent),
        "put into force by who drafted it": lambda world: (security, f"/console/detectors/versions/{version.pk}/activate/", {}),
        "put into force untried": lambda world: (senior, f"/console/detectors/versions/{version.pk}/activate/", {}),
    }
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in asks.items()}
    assert {name: what for name, what in faults.items() if what} == {}


def test_a_credit_is_not_given_or_taken_back_badly(world: World, agent: User, auditor: User, settings: Any) -> None:
    """In the console."""
    settings.STAFF_SECOND_FACTOR = False
    person = world.client_user
    credit = payments.issue_credit(person, payments.Grant(Decimal("5.00"), CreditSource.ADMIN, "sorry"), actor=None)

    def give(by: User = agent, **form: Any) -> Ask:
        day = f"{now() + timedelta(days=30):%Y-%m-%d}"
        filled = {"person": person.pk, "amount": "10.00", "label": "Sorry", "scope": "all", "last_day": day, "reason": "Case 1"}
        return lambda world: (by, "/console/plans/new/credit_issue/", filled | form)

    def take(by: User = agent, **form: Any) -> Ask:
        filled = {"credit": str(credit.pk), "told": "It was given twice.", "reason": "Case 1"}
        return lambda world: (by, "/console/plans/new/credit_void/", filled | form)

    asks = {
        **{f"of {text[:9]!r}": give(amount=text) for text in [*BAD_MONEY, "", "5000.01"]},
        "to nobody": give(person="nobody@example.com"),
        "to NUL": give(person=NUL),
        "to oneself": give(person=agent.pk),
        "without the permission": give(auditor),
        "for NUL": give(label=NUL),
        "for nothing": give(label=" "),
        "for too many words": give(label="x" * 121),
        "for what is no scope": give(scope="x"),
        "for a builder that nobody named": give(scope="builder"),
        "for a builder that is none": give(scope="builder", builder="nobody"),
        "for a builder with NUL": give(scope="builder", builder=NUL),
        "for a category that is none": give(scope="category", category="x"),
        "until yesterday": give(last_day=f"{now() - timedelta(days=1):%Y-%m-%d}"),
        "until a day that does not exist": give(last_day="2027-02-30"),
        "until the year 9999": give(last_day="9999-12-31"),
        "until NUL": give(last_day="2027-01-01\x00"),
        "without a reason": give(reason=" "),
        "with an endless reason": give(reason="x" * 601),
        "with a reason of NUL": give(reason=NUL),
        "taken back of nobody": take(credit=str(uuid7())),
        "taken back of NUL": take(credit=NUL),
        "taken back of what is no credit": take(credit=str(person.pk)),
        "taken back and told too little": take(told="Twice"),
        "taken back and told NUL": take(told=NUL + " " * 20),
        "taken back and told at length": take(told="x" * 301),
        "taken back without a reason": take(reason=""),
        "taken back without the permission": take(auditor),
    }
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in asks.items()}
    assert {name: what for name, what in faults.items() if what} == {}
    for good in (give(), take()):
        assert ready(world, good)().status_code == 302


def test_a_dispute_is_not_decided_badly(world: World, senior: User, agent: User, settings: Any) -> None:
    """In the console: what support decides, asks for and writes."""
    settings.STAFF_SECOND_FACTOR = False
    builder, number = in_dispute("x")(world)[0], int(in_dispute("x")(world)[1].split("/")[2])
    found = Dispute.objects.get(number=number)
    early = {"to_client": "60", "decision": "Half was done.", "reason": "Case 1"}

    def step(name: str, by: User = senior, **form: Any) -> Ask:
        return lambda world: (by, f"/console/disputes/{number}/{name}/", form)

    def decide(by: User = senior, **form: Any) -> Ask:
        return step("decide", by, **(early | form))

    orders.answer_dispute(found.pk, actor=builder, answer="No.", offer=Decimal("10.00"))
    orders.escalate_dispute(found.pk, actor=world.client_user)
    asks = {
        **{f"of {text[:9]!r}": decide(to_client=text) for text in [*BAD_MONEY, "", "180.01"] if text != "0"},
        "without words": decide(decision=" "),
        "with NUL": decide(decision=NUL),
        "at length": decide(decision="x" * 5001),
        "without a reason": decide(reason=""),
        "with a reason of NUL": decide(reason=NUL),
        "without the permission": decide(agent),
        "submitted before it was worked out": step("submit", seen="x" * 64, do="submit"),
        "dropped before it was worked out": step("submit", seen="x" * 64, do="drop"),
        "submitted without the permission": step("submit", agent, do="submit"),
        "asked nothing": step("ask", text=" "),
        "asked NUL": step("ask", text=NUL),
        "asked at length": step("ask", text="x" * 5001),
        "asked without the permission": step("ask", agent, text="Which pages?"),
        "no such dispute": lambda world: (senior, "/console/disputes/999999999/decide/", early),
    }
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in asks.items()}
    assert {name: what for name, what in faults.items() if what} == {}
    assert ready(world, decide())().status_code == 302
    drafted = {
        "submitted with other figures": step("submit", seen="x" * 64, do="submit"),
        "submitted with NUL": step("submit", seen=NUL, do="submit"),
        "neither submitted nor dropped": step("submit", seen="x" * 64, do="x"),
    }
    faults = {name: fault(world, ask, r"[A-Z][a-z’' ,]+") for name, ask in drafted.items()}
    assert {name: what for name, what in faults.items() if what} == {}
