"""Somebody who asked to be forgotten is nowhere but where it is said, and what is proved stays proved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django_q.models import OrmQ

from auditlog.actions import verify
from auditlog.models import AuditLog, IncidentLog
from consultations.models import CalendarFeed, CalendarLink, LinkedCalendar
from port444.accounts.models import AnsweredCall, ApiToken, QueuedMail, Session, User, UserDevice
from port444.builders.models import Builder
from port444.catalog.models import Package, Service
from port444.exports import actions
from port444.exports.actions import Forgotten, InTheWay, anonymise_person, in_the_way, remove_file
from port444.exports.erasing import BLANK, GONE, KEPT, MESSAGE, NAME, WORDS, email_of
from port444.exports.holdings import HELD
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.kit.ids import uuid7
from port444.kit.sentences import say
from port444.messaging.actions import open_conversation, post_notice, send_message
from port444.messaging.models import Attachment, Message
from port444.notifications.models import Notification
from port444.orders.actions import leave_review, reply_to_review
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import Grant, fail_refund, issue_credit
from port444.payments.models import BankAccount, CreditSource, Invoice, PayoutAddress, PayoutHold, Posting, Refund
from port444.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.auditlog.sealed import seal_all
from tests.auditlog.tampering import OwnLog
from tests.orders.conftest import MakeOrder

from .test_export_user import TABLES

EMAIL, PHONE = "jonas@example.com", "+31201234567"


def everywhere(*words: str, but: Collection[str] = ()) -> set[str]:
    """The tables in whose rows one of the words stands, in any column."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for table in {name for (name,) in cursor.fetchall()}.difference(but):
            any_of = " OR ".join(["t::text ILIKE %s"] * len(words))
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}" t WHERE {any_of})', [f"%{word}%" for word in words])
            if cursor.fetchone()[0]:
                found.add(table)
    return found


def give_all(person: User) -> None:
    """Something in every place where a person leaves a trace."""
    moment = now()
    person.phone = PHONE
    person.last_login = moment
    person.save()
    UserDevice.objects.create(user=person, device_id=uuid7(), user_agent=f"Browser of {person.name}")
    Session.objects.create(session_key="k" * 32, session_data="x", expire_date=moment + timedelta(days=1), user=person)
    QueuedMail.objects.create(to=person.email.upper(), subject=f"Hello {person.name}", text="x")
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)
    EmailAddress.objects.create(user=person, email="second@elsewhere.example", verified=True)
    Authenticator.objects.create(user=person, type="totp", data={"secret": person.name})
    PayoutAddress.objects.create(user=person, address="0x" + "ab" * 20)
    BankAccount.objects.create(user=person, details={"holder": person.name}, masked=f"{person.name} 4300")
    Notification.objects.create(user=person, kind="x", title=f"{person.name}!", body="Hello", url="/", dedupe_key="own")
    CalendarFeed.objects.create(user=person)
    ApiToken.objects.create(
        user=person, name=person.name, start="p4_", digest=uuid7().hex * 2, scopes=["read"], expires_at=moment + timedelta(days=1)
    )
    AnsweredCall.objects.create(user=person, key="k", asked="x", answer=person.name)
    endpoint = WebhookEndpoint.objects.create(user=person, url="https://elsewhere.example/jonas@example.com", events=["*"], secret={"current": "x"})
    sent = WebhookDelivery.objects.create(endpoint=endpoint, event_id=uuid7(), event="order.paid", body=f'{{"name": "{person.name}"}}')
    WebhookAttempt.objects.create(delivery=sent, number=1, milliseconds=1, answer=person.name)


def uploaded(owner: User, talk: Any, name: str) -> Attachment:
    one = Attachment(pk=uuid7(), conversation=talk, owner=owner, name=name, mimetype="text/plain", size=3, sha256="1" * 64)
    one.file.save(name, ContentFile(b"abc"), save=False)
    one.save()
    return one


@pytest.fixture
def done(make_order: MakeOrder, client_user: User, builder_user: User) -> Order:
    """A deal that is over, and all of its money on the other side."""
    give_all(client_user)
    order = make_order(OrderStatus.COMPLETED)
    leave_review(order.pk, actor=client_user, stars=5, text=f"Best regards, {client_user.name}")
    of_client = leave_review(order.pk, actor=builder_user, stars=5, text=f"Thank you, {client_user.name}")
    reply_to_review(of_client.pk, actor=client_user, text=f"Yours, {client_user.name}")
    talk = order.conversation
    theirs = WebhookEndpoint.objects.create(user=builder_user, url="https://theirs.example/", events=["*"], secret={"current": "x"})
    WebhookDelivery.objects.create(endpoint=theirs, event_id=uuid7(), event="order.paid", body=f'{{"client": "{client_user.name}"}}')
    send_message(talk.pk, actor=client_user, body=f"I am {client_user.name}, {EMAIL}, call {PHONE}", client_key=uuid7())
    send_message(talk.pk, actor=builder_user, body=f"Dear {client_user.name}, or {EMAIL.upper()}; dear Jonathan Vermeers", client_key=uuid7())
    uploaded(client_user, talk, "Passport of Jonas Vermeer.txt")
    uploaded(builder_user, talk, "For Jonas Vermeer.txt")
    return order


def test_every_table_with_something_of_a_person_is_seen_to() -> None:
    """What is handed over of a person is made neutral, is kept for a reason, or names nobody by itself."""
    touched = {*GONE, *(one.table for one in BLANK), *(one.table for one in WORDS), *KEPT}
    rest = HELD.keys() - touched
    assert rest == NAMES_NOBODY.keys()


NAMES_NOBODY = dict.fromkeys(
    {
        "catalog_pricepoint",
        "catalog_pricesample",
        "catalog_serviceday",
        "consultations_attendance",
        "consultations_reminder",
        "consultations_slotclaim",
        "django_admin_log",
        "exports_closing",
        "messaging_conversation",
        "messaging_firstanswer",
        "orders_delivery_files",
        "orders_evidence_files",
        "orders_nudge",
        "orders_requirement_files",
        "orders_suggestion",
        "payments_chaintransfer",
        "payments_credituse",
        "payments_escrowoperation",
        "payments_ledgeraccount",
        "payments_payment",
        "payments_payouthold",
        "payments_posting",
        "payments_refund",
        "payments_walletpayment",
    },
    "ids, moments, states and amounts of the books and of the deals",
)


def test_the_name_is_nowhere_else(done: Order, client_user: User, builder_user: User) -> None:
    name, orders, postings = client_user.name, Order.objects.count(), Posting.objects.count()
    before = everywhere(name, EMAIL, PHONE, "second@elsewhere.example")
    assert {"accounts_user", "messaging_message", "payments_invoice", "audit_log"} <= before
    out = StringIO()
    call_command("anonymise_user", EMAIL.upper(), stdout=out)

    assert everywhere(name, EMAIL, PHONE, "second@elsewhere.example") - KEPT.keys() == set()
    person = User.objects.get(pk=client_user.pk)
    assert (person.name, person.email, person.phone, person.is_active) == (NAME, email_of(person), "", False)
    assert not person.has_usable_password()
    assert not Session.objects.filter(user=person).exists()
    assert not UserDevice.objects.filter(user=person).exists()
    assert not EmailAddress.objects.filter(user=person).exists()
    assert not Authenticator.objects.filter(user=person).exists()
    assert not BankAccount.objects.filter(user=person).exists()
    assert not PayoutAddress.objects.filter(user=person).exists()
    # The deal is whole: the other side's words are, but for the name.
    assert (Order.objects.count(), Posting.objects.count()) == (orders, postings)
    assert Invoice.objects.filter(payer=person, payer_name=name).exists()
    bodies = list(Message.objects.filter(author=builder_user).values_list("body", flat=True))
    assert bodies == [f"Dear {NAME}, or {NAME}; dear Jonathan Vermeers"]
    assert set(Message.objects.filter(author=person).values_list("body", flat=True)) == {MESSAGE}
    notices = " ".join(Message.objects.filter(kind="notice").values_list("body", flat=True))
    assert NAME in notices
    assert "Jonas" not in notices
    told = Notification.objects.filter(user=builder_user)
    assert all("Jonas" not in one.title + one.body for one in told)
    assert any(NAME in one.title + one.body for one in told)
    assert "is nameless" in out.getvalue()


def test_it_is_recorded_without_the_name(done: Order, client_user: User) -> None:
    newest = AuditLog.objects.latest("id").pk
    done_ = anonymise_person(client_user.pk)
    entry = AuditLog.objects.get(event_type="user.anonymised")
    assert (entry.target_id, entry.metadata["rows"], entry.metadata["files"]) == (client_user.pk, sum(done_.rows.values()), 1)
    since = AuditLog.objects.filter(pk__gt=newest)
    said = " ".join(f"{row.actor_email} {row.description} {row.before_state} {row.after_state} {row.metadata}" for row in since)
    assert client_user.name not in said
    assert EMAIL not in said


def test_again_does_nothing(done: Order, client_user: User) -> None:
    anonymise_person(client_user.pk)
    rows, tasks = AuditLog.objects.count(), OrmQ.objects.count()
    assert anonymise_person(client_user.pk) == Forgotten({}, 0)
    out = StringIO()
    call_command("anonymise_user", str(client_user.pk), stdout=out)
    assert "already" in out.getvalue()
    assert (AuditLog.objects.count(), OrmQ.objects.count()) == (rows, tasks)


def test_files_go_by_the_queue_and_those_of_the_deal_stay(done: Order, client_user: User) -> None:
    mine = Attachment.objects.get(owner=client_user)
    kept = uploaded(client_user, done.conversation, "kept.txt")
    done.deliveries.get().files.add(kept)
    assert anonymise_person(client_user.pk).files == 1
    assert default_storage.exists(str(mine.file))  # until the commit, and the job
    (task,) = [task for task in OrmQ.objects.all() if task.func() == "port444.exports.jobs.remove_file"]
    assert task.args() == (str(mine.file),)
    remove_file(*task.args())
    remove_file(*task.args())  # once more does no harm
    assert not default_storage.exists(str(mine.file))
    assert default_storage.exists(str(kept.file))
    mine.refresh_from_db()
    kept.refresh_from_db()
    assert (mine.name, mine.sha256, kept.name) == ("removed", "0" * 64, "kept.txt")


def test_a_builder_without_deals(builder: Builder, package: Package, client_user: User, client: Client) -> None:
    person = builder.user
    give_all(person)
    builder.about, builder.city, builder.skills, builder.meeting_url = "I am Anaya", "Pune", ["Django"], "https://meet.example/anaya-krishnan"
    builder.photo.save("me.jpg", ContentFile(b"jpg"))
    link = CalendarLink.objects.create(builder=builder, provider="caldav", account=person.email, credentials={"password": "x"}, hook_secret="h")
    LinkedCalendar.objects.create(link=link, external_id=person.email, name="Anaya Krishnan", time_zone="UTC")
    talk = open_conversation(client_user, person, actor=client_user)
    send_message(talk.pk, actor=client_user, body="See /b/anaya-krishnan/", client_key=uuid7())
    before = dict.fromkeys(everywhere("Anaya", "krishnan"))
    assert {"builders_builder", "consultations_calendarlink", "messaging_message"} <= before.keys()
    anonymise_person(person.pk)
    assert everywhere("Anaya Krishnan", "anaya-krishnan", person.email, "Pune") - KEPT.keys() == set()
    service = Service.objects.get(builder=builder)
    assert (service.title, service.status, service.description, service.tags) == ("Removed service", "draft", "", [])
    assert client.get("/b/anaya-krishnan/").status_code == 404
    assert client.get(service.get_absolute_url()).status_code == 404
    assert Message.objects.get(author=client_user).body == f"See {NAME}/"


def test_the_other_side_can_still_read(done: Order, client_user: User, builder_user: User, client: Client) -> None:
    anonymise_person(client_user.pk)
    client.force_login(builder_user)
    for page in (f"/messages/{done.conversation_id}/", f"/orders/{done.number}/", "/messages/", "/orders/"):
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert b"Jonas Vermeer" not in answer.content
    assert NAME.encode() in client.get(f"/messages/{done.conversation_id}/").content


@pytest.fixture
def untouched(client_user: User) -> Iterator[None]:
    """Nothing of the person is changed, and nothing is recorded or queued."""
    rows, tasks = AuditLog.objects.count(), OrmQ.objects.count()
    yield
    person = User.objects.get(pk=client_user.pk)
    assert (person.name, person.email, person.is_active) == ("Jonas Vermeer", EMAIL, True)
    assert not AuditLog.objects.filter(event_type="user.anonymised").exists()
    assert OrmQ.objects.count() >= tasks
    assert AuditLog.objects.count() >= rows


OPEN = [OrderStatus.PENDING_PAYMENT, OrderStatus.PENDING_REQUIREMENTS, OrderStatus.IN_PROGRESS, OrderStatus.DELIVERED, OrderStatus.IN_REVISION]


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.usefixtures("untouched")
def test_an_order_is_in_the_way_of_both_sides(make_order: MakeOrder, client_user: User, builder_user: User, status: OrderStatus) -> None:
    order = make_order(status)
    for person in (client_user, builder_user):
        with pytest.raises(InTheWay, match=f"Orders are not over: P4-{order.number}"):
            anonymise_person(person.pk)


@pytest.mark.usefixtures("untouched")
def test_money_is_in_the_way(make_order: MakeOrder, client_user: User, builder_user: User) -> None:
    make_order(OrderStatus.COMPLETED)
    with pytest.raises(InTheWay, match=r"There is \$[0-9.]+ in the account: builder's earnings"):
        anonymise_person(builder_user.pk)
    assert in_the_way(client_user, now()) == []


def test_a_refund_that_has_not_arrived_is_in_the_way(make_order: MakeOrder, client_user: User) -> None:
    make_order(OrderStatus.CANCELLED)
    refund = Refund.objects.get()
    for status, others in (("requested", 0), ("failed", 1)):
        assert refund.status == status
        waits, *incidents = in_the_way(client_user, now())
        assert (waits[:24], len(incidents)) == ("Refunds have not arrived", others)
        refund = fail_refund(refund.pk, "no")


def test_a_sentence_with_the_name_goes_and_another_stays(make_user: Callable[..., User], client_user: User) -> None:
    person = make_user("Will")
    talk = open_conversation(client_user, person, actor=client_user)
    for who in ("Will", "Anne"):
        post_notice(talk.pk, body=say("%(name)s wrote", name=who), icon="info", subject=None)
    anonymise_person(person.pk)
    rows = Message.objects.order_by("created_at").values_list("body", "said__facts__name")
    assert list(rows) == [(f"{NAME} wrote", None), ("Anne wrote", "Anne")]


def test_a_name_that_is_a_word(make_user: Callable[..., User], client_user: User) -> None:
    person = make_user("Will")
    talk = open_conversation(client_user, person, actor=client_user)
    send_message(talk.pk, actor=client_user, body="Will, will you? WILL@example.com (or .+*) goodwill", client_key=uuid7())
    anonymise_person(person.pk)
    assert Message.objects.get(author=client_user).body == f"{NAME}, will you? {NAME} (or .+*) goodwill"


def test_what_else_is_in_the_way(client_user: User, builder_user: User, capsys: pytest.CaptureFixture[str]) -> None:
    hold = PayoutHold.objects.create(user=client_user, reason="Look at this")
    moment = now()
    IncidentLog.objects.create(
        fingerprint="x",
        incident_type="fraud_attempt",
        severity="low",
        detection_method="manual",
        related_users=[client_user.pk],
        description="x",
        pattern="x",
        confidence=50,
    )
    client_user.is_staff = True
    client_user.save()
    reasons = in_the_way(client_user, moment)
    assert [reason.split(":")[0] for reason in reasons] == ["Staff cannot be forgotten", "Withdrawals are held", "Incidents are open"]
    with pytest.raises(CommandError, match="Nothing was changed") as refused:
        call_command("anonymise_user", EMAIL)
    assert all(reason in str(refused.value) for reason in reasons)
    PayoutHold.objects.filter(pk=hold.pk).update(until=moment - timedelta(days=1))
    assert len(in_the_way(client_user, moment)) == 2


@pytest.mark.usefixtures("untouched")
def test_a_credit_is_in_the_way_until_it_ends(client_user: User) -> None:
    grant = Grant(Decimal("10.00"), CreditSource.PROMO, "Welcome", expires_at=now() + timedelta(days=9))
    credit = issue_credit(client_user, grant, actor=None)
    with pytest.raises(InTheWay, match=r"There is \$10.00 of credits"):
        anonymise_person(client_user.pk)
    assert credit.expires_at is not None
    assert in_the_way(client_user, credit.expires_at) == []


@pytest.mark.usefixtures("untouched")
def test_who_may(client_user: User, agent: User, stranger: User) -> None:
    for actor in (agent, stranger):
        with pytest.raises(NotAllowed):
            anonymise_person(client_user.pk, actor=actor)


def test_they_themselves_and_staff_who_restrict_may(client_user: User, stranger: User, security: User) -> None:
    assert anonymise_person(client_user.pk, actor=client_user).anything
    assert AuditLog.objects.get(event_type="user.anonymised").actor_email == email_of(client_user)
    assert anonymise_person(stranger.pk, actor=security).anything


def test_a_failure_changes_nothing(done: Order, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **facts: Any) -> None:
        raise RuntimeError("no log")

    monkeypatch.setattr(actions.forgetting, "record", broken)
    with pytest.raises(RuntimeError, match="no log"):
        anonymise_person(client_user.pk)
    assert "accounts_user" in everywhere(EMAIL)
    assert not OrmQ.objects.filter(payload__contains="remove_file").exists()


@pytest.mark.django_db(transaction=True)
def test_the_log_verifies_afterwards(own_log: OwnLog, make_user: Callable[..., User], tmp_path: Path, settings: Any) -> None:
    """No row of the log is touched, and every change is told by an event."""
    person, other = make_user("Jonas Vermeer"), make_user("Anaya Krishnan", is_builder=True)
    Group.objects.get_or_create(name="x")
    Builder.objects.create(user=other, slug="anaya-krishnan", headline="Django")
    talk = open_conversation(person, other, actor=person)
    send_message(talk.pk, actor=person, body="Hello", client_key=uuid7())
    give_all(person)
    own_log.seal()
    rows = AuditLog.objects.count()
    done_ = anonymise_person(person.pk)
    anonymise_person(other.pk)
    seal_all()
    report = verify(files=True)
    assert [problem.words for problem in report.problems] == []
    assert report.seals == report.valid_seals > 1
    assert report.rows == report.valid_rows == AuditLog.objects.count() > rows
    assert done_.anything
    (event,) = AuditLog.objects.filter(event_type="user.anonymised", target_id=person.pk)
    changed = AuditLog.objects.filter(pk__gt=rows, event_type__startswith="row.", target_id=person.pk)
    assert {row.xid for row in changed} == {event.xid}


@pytest.mark.usefixtures("demo")
def test_whoever_of_the_demo_can_be_forgotten_is() -> None:
    """There is some of everything in the demo, written by the actions."""
    people = [person for person in User.objects.filter(is_staff=False).order_by("pk") if not in_the_way(person, now())]
    assert people
    for person in people:
        anonymise_person(person.pk)
    assert everywhere(*(word for person in people for word in (person.name, person.email)), but=KEPT) == set()
