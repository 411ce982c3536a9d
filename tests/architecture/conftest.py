"""A small world that belongs to the client and the builder of the cast, so that a stranger has something to reach for."""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from amendments import actions as amendments
from amendments.terms import Terms as Change
from auditlog.actions import Finding, casework, take_finding, tuning
from auditlog.detectors.registry import DETECTORS
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType
from consultations import actions as calls
from consultations.actions.availability import Terms
from consultations.calendars import Calendar, Connection
from consultations.models import CalendarEvent, PushChannel
from consultations.queries import token_of
from consultations.slots import Window
from port444.accounts.actions import create_token
from port444.accounts.models import User
from port444.away.actions import plan_away
from port444.away.terms import Plan
from port444.builders.actions import add_picture, add_piece
from port444.builders.models import Builder
from port444.catalog.actions import add_synonym, create_service, publish_service, save_search
from port444.catalog.models import Category, Package
from port444.exports.actions import ask_for_copy
from port444.kit import jobs
from port444.kit.clock import now
from port444.messaging.actions import open_conversation, send_message
from port444.messaging.models import Attachment
from port444.notifications.emails import token
from port444.notifications.kinds import Group
from port444.notifications.models import Notification
from port444.orders.actions import accept_delivery, deliver, leave_review, open_dispute, place_order, propose_parting, send_offer
from port444.orders.models import DisputeReason, Suggestion
from port444.orders.terms import terms_of_package
from port444.payments import actions as payments
from port444.payments import handlers, ledger
from port444.payments.models import CreditSource, Payment
from port444.webhooks import actions as webhooks
from support.actions import draft_plan, start_viewing, submit_plan
from support.actions.plans import About
from support.models import PlanKind


@dataclass
class World:
    """`objects` maps an argument of the URL table, as "namespace:view:arg", "namespace:arg" or "arg", to somebody's object."""

    client: User
    builder: User
    stranger: User
    staff: User  # who may do anything in the console, with a second factor
    objects: dict[str, Any] = field(default_factory=dict)

    def find(self, namespace: str, view: str, arg: str) -> Any | None:
        return next((self.objects[key] for key in (f"{namespace}:{view}:{arg}", f"{namespace}:{arg}", arg) if key in self.objects), None)


@pytest.fixture
def world(client_user: User, builder: Builder, stranger: User, staff: User, settings: Any, request: pytest.FixtureRequest) -> World:
    settings.STAFF_SECOND_FACTOR = False
    world = World(client_user, builder.user, stranger, staff)
    jobs.heartbeat()
    world.objects |= sold(builder) | said(client_user, builder) | owed(client_user, builder.user, request)
    world.objects |= withdrawn(builder.user)
    world.objects |= offered(builder.user, world.objects["conversation_id"], world.objects["orders:package_id"])
    world.objects |= ordered(client_user, world.objects["orders:package_id"]) | booked(client_user, builder) | linked(builder)
    world.objects |= heard(client_user) | shown(builder) | kept(client_user)
    world.objects |= {"accounts:token_id": create_token(client_user.pk, actor=client_user, name="Nightly", scopes=["read"], days=7)[0].pk}
    world.objects |= {"exports:copy_id": ask_for_copy(client_user.pk, actor=client_user).pk}
    world.objects |= absent(builder) | disputed(client_user, world.objects["orders:package_id"])
    world.objects |= {"support:queue:key": "late"} | reviewed(client_user, world.objects["orders:package_id"])
    world.objects |= looked_at(client_user, staff) | planned(staff, stranger) | credited(client_user)
    world.objects |= suspected(client_user, staff) | {
        "support:user_id": client_user.pk,
        "support:panel": "threads",
        "support:order:number": world.objects["orders:number"],
    }
    return world


def shown(builder: Builder) -> dict[str, Any]:
    """A piece of a portfolio with a picture, and a pair of words of the search."""
    content = io.BytesIO()
    Image.new("RGB", (9, 5), "#336699").save(content, "PNG")
    piece = add_piece(builder.pk, actor=builder.user, title="A ferry")
    picture = add_picture(piece.pk, actor=builder.user, upload=SimpleUploadedFile("ferry.png", content.getvalue()))
    found = {f"builders:{view}:pk": picture.pk for view in ("picture", "remove_picture")}
    return found | {
        "builders:pk": piece.pk,
        "support:synonym_id": add_synonym("ferry", "passage boat", actor=builder.user).pk,
        "pages:section": "categories",
        "pages:slug": "escrow",
        "catalog:category:slug": Category.objects.all()[0].slug,
    }


def kept(person: User) -> dict[str, Any]:
    """A search that somebody comes back to."""
    row = save_search({"q": "logo"}, actor=person, name="Logo", frequency="daily")
    return {f"catalog:{view}:pk": row.pk for view in ("change_search", "look_at_search", "remove_search")}


def looked_at(person: User, agent: User) -> dict[str, Any]:
    """Somebody whom staff view as."""
    viewing = start_viewing(person.pk, actor=agent, reason="To see what they see.", reference="P4-1", session_key="")
    return {"support:person_id": person.pk, "support:viewing_id": viewing.pk}


def heard(person: User) -> dict[str, Any]:
    """A webhook, and an event for it."""
    terms = webhooks.Terms("https://hooks.example/in", ["*"])
    endpoint, _ = webhooks.add_endpoint(person.pk, actor=person, terms=terms, client_key=uuid.uuid4())
    return {"webhooks:endpoint_id": endpoint.pk, "webhooks:delivery_id": webhooks.ping_endpoint(endpoint.pk, actor=person).pk}


def credited(person: User) -> dict[str, Any]:
    """Somebody who may pay with a credit."""
    return {"credit_id": payments.issue_credit(person, payments.Grant(Decimal("5.00"), CreditSource.PROMO, "welcome"), actor=None).pk}


PLANNED = PlanKind.SUSPEND


def planned(staff: User, person: User) -> dict[str, Any]:
    """What one of the staff has drafted, and what waits for a second person."""
    asked = {"told": "Your account was used for spam."}
    draft = draft_plan(PLANNED, actor=staff, asked=asked, reason="Ticket 5531", about=About(target_user=person))
    gift = {"amount": "500.00", "label": "For the lost days"}
    waiting = draft_plan(PlanKind.CREDIT, actor=staff, asked=gift, reason="Ticket 5532", about=About(target_user=person))
    submit_plan(waiting.pk, actor=staff, seen=waiting.figures_sha256)
    numbers = dict.fromkeys(("plan", "approve_plan", "reject_plan"), waiting.number)
    numbers |= dict.fromkeys(("submit_plan", "withdraw_plan"), draft.number)
    return {"support:draft:kind": PLANNED} | {f"support:{part}:number": number for part, number in numbers.items()}


def suspected(person: User, staff: User) -> dict[str, Any]:
    """An incident that nobody has, one that was found harmless, and other parameters of a detector."""
    waiting, harmless = (
        take_finding(
            Finding(
                fingerprint=f"multi_account:{n}",
                incident_type=IncidentType.MULTI_ACCOUNTING,
                severity=IncidentSeverity.HIGH,
                confidence=70,
                description="Two builders, one payout address.",
                user_id=person.pk,
                detector=DETECTORS[0].name,
            )
        ).incident
        for n in range(2)
    )
    assert waiting is not None
    assert harmless is not None
    quiet = casework.mark_false_positive(harmless.pk, actor=staff, reason="One household.")
    assert quiet is not None
    version = tuning.draft_version(DETECTORS[0].name, DETECTORS[0].parameters, {}, actor=staff, reason="The same.")
    number = IncidentLog.objects.get(pk=waiting.pk).number
    return {
        "support:incident_number": number,
        "support:suppression_id": quiet.pk,
        "support:detector": DETECTORS[0].name,
        "support:version_id": version.pk,
    }


def sold(builder: Builder) -> dict[str, Any]:
    category, _ = Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development", "icon": "globe"})
    service = create_service(
        builder.pk,
        actor=builder.user,
        category_id=category.pk,
        title="Make slow Django pages fast",
        summary="Profile, patch with tests, timings before and after.",
        description="I measure first.",
        packages=[
            {
                "tier": "basic",
                "name": "One slow page",
                "price": Decimal("60.00"),
                "delivery_days": 2,
                "revisions": 1,
                "deliverables": ["Patch as a branch"],
            }
        ],
    )
    publish_service(service.pk, actor=builder.user)
    found = {"orders:package_id": service.packages.get().pk}
    return found | {
        "api:get_builder:slug": builder.slug,
        "api:slug": service.slug,
        "builder_id": builder.pk,
        "builders:slug": builder.slug,
        "away:slug": builder.slug,
        "messaging:slug": builder.slug,
        "catalog:slug": service.slug,
        "favourites:service:slug": service.slug,
        "favourites:builder:slug": builder.slug,
        "api:save_builder:slug": builder.slug,
        "orders:builder_reviews:slug": builder.slug,
        "orders:service_reviews:slug": service.slug,
        "api:list_builder_reviews:slug": builder.slug,
        "catalog:pk": service.pk,
        "orders:pk": service.pk,
    }


def ordered(client: User, package_id: Any) -> dict[str, Any]:
    """An order in work, of which a change is proposed, and its end by agreement."""
    order = place_order(package_id, actor=client, client_key=uuid.uuid4())
    assert order.invoice_id is not None
    payments.pay_with_test_wallet(order.invoice_id, actor=client)
    change = Change("top_up", "It is more than we thought.", amount=Decimal("20.00"))
    amendment = amendments.propose(order.pk, actor=order.builder.user, client_key=uuid.uuid4(), terms=change)
    half: dict[str, Any] = {"to_client": order.price / 2, "reason": "We had other plans."}
    parting = propose_parting(order.pk, actor=order.builder.user, client_key=uuid.uuid4(), **half)
    return {
        "orders:number": order.number,
        "amendments:number": order.number,
        "order_id": order.pk,
        "amendment_id": amendment.pk,
        "parting_id": parting.pk,
        "payments:invoice_pdf:invoice_id": order.invoice_id,
    }


def reviewed(client: User, package_id: Any) -> dict[str, Any]:
    """A finished order, whose two sides have reviewed each other; what the builder says is not for everybody."""
    order = place_order(package_id, actor=client, client_key=uuid.uuid4())
    assert order.invoice_id is not None
    payments.pay_with_test_wallet(order.invoice_id, actor=client)
    deliver(order.pk, actor=order.builder.user, note="Done.")
    accept_delivery(order.pk, actor=client)
    leave_review(order.pk, actor=client, stars=5)
    review = leave_review(order.pk, actor=order.builder.user, stars=5)
    return {"review_id": review.pk, "orders:reply:number": order.number, "orders:again:number": order.number}


def disputed(client: User, package_id: Any) -> dict[str, Any]:
    """An order that stands still."""
    order = place_order(package_id, actor=client, client_key=uuid.uuid4())
    assert order.invoice_id is not None
    payments.pay_with_test_wallet(order.invoice_id, actor=client)
    claim: dict[str, Any] = {"reason": DisputeReason.NO_ANSWER, "claim": "No word for days.", "to_client": Decimal("60.00")}
    proof = SimpleUploadedFile("proof.txt", b"no word")
    dispute = open_dispute(order.pk, actor=client, client_key=uuid.uuid4(), uploads=[proof], **claim)
    file = Attachment.objects.get(name="proof.txt")
    return {
        "dispute_id": dispute.pk,
        "orders:dispute_number": dispute.number,
        "support:dispute_number": dispute.number,
        "support:attachment_id": file.pk,
    }


def said(client: User, builder: Builder) -> dict[str, Any]:
    conversation = open_conversation(client, builder.user, actor=client)
    plan = SimpleUploadedFile("plan.txt", b"measure first")
    send_message(conversation.pk, actor=client, body="Can you look at this?", client_key=uuid.uuid4(), uploads=[plan])
    return {
        "conversation_id": conversation.pk,
        "attachment_id": Attachment.objects.get().pk,
        "token": token(builder.user.pk, Group.MESSAGES),
        "notification_id": Notification.objects.filter(user=builder.user).latest("created_at").pk,
    }


def offered(builder: User, conversation_id: Any, package_id: Any) -> dict[str, Any]:
    """An offer that waits for the client, and a hint to make one."""
    terms = terms_of_package(Package.objects.select_related("service").get(pk=package_id), Decimal("54.00"))
    hint = Suggestion.objects.create(
        conversation_id=conversation_id,
        builder=builder.builder,
        package_id=package_id,
        price=Decimal("54.00"),
        list_price=Decimal("60.00"),
        messages=6,
        rests=(now(), now() + timedelta(days=30)),
    )
    offer = send_offer(conversation_id, actor=builder, terms=terms, client_key=uuid.uuid4())
    return {"offer_id": offer.pk, "suggestion_id": hint.pk}


def absent(builder: Builder) -> dict[str, Any]:
    """Away from tomorrow on, which moves the date of the order in work."""
    first = now().astimezone(ZoneInfo(builder.user.time_zone)).date() + timedelta(days=1)
    span = plan_away(actor=builder.user, plan=Plan(first, first, stops_orders=False, stops_calls=False))
    return {"span_id": span.pk, "move_id": span.moves.get().pk}


def owed(client: User, builder: User, request: pytest.FixtureRequest) -> dict[str, Any]:
    """An open invoice and the payment that was begun for it, for a purpose that only this test knows."""
    handlers.register("architecture", lock=lambda pk: pk, settled=lambda *row: None, unpaid=lambda *row: None)
    request.addfinalizer(lambda: handlers._handlers.pop("architecture"))
    invoice = payments.open_invoice(
        purpose="architecture",
        subject_id=uuid.uuid4(),
        payer=client,
        payee=builder,
        lines=[payments.Line("One slow page", Decimal("60.00"))],
        return_url="/",
        expires_at=now() + timedelta(hours=1),
        actor=client,
    )
    payment = payments.reach_provider(payments.start_payment(invoice.pk, actor=client).pk)
    # One from a wallet, as it is after the chain was taken away: every part of its page refuses in words.
    own = Payment.objects.create(invoice=invoice, provider="wallet", amount=invoice.total, status="expired", expires_at=now() + timedelta(hours=1))
    parts = ("own_wallet", "sign_with_wallet", "send_from_wallet", "sent_from_wallet", "wallet_again")
    return {"invoice_id": invoice.pk, "payment_id": payment.pk} | {f"payments:{part}:payment_id": own.pk for part in parts}


def withdrawn(builder: User) -> dict[str, Any]:
    """A withdrawal that can still be cancelled."""
    ledger.post("architecture", "Earned", [(ledger.EXTERNAL, Decimal(-20)), (ledger.earnings(builder.pk), Decimal(20))])
    payments.change_payout_address("0x" + "ab" * 20, actor=builder)
    return {"withdrawal_id": payments.request_withdrawal(actor=builder, amount=Decimal("20.00"), client_key=uuid.uuid4()).pk}


def booked(client: User, builder: Builder) -> dict[str, Any]:
    """A call that is paid and will take place."""
    hours = [Window(day, 0, 24 * 60) for day in range(7)]
    calls.set_availability(builder.pk, actor=builder.user, enabled=True, prices={30: Decimal("60.00")}, windows=hours, terms=Terms("UTC", 4, 60, 0))
    Builder.objects.filter(pk=builder.pk).update(meeting_url="https://meet.example/anaya")
    start = (now() + timedelta(days=2)).replace(hour=9, minute=0, second=0, microsecond=0)
    call = calls.hold_slot(builder.pk, actor=client, minutes=30, starts_at=start, client_zone="UTC", client_key=uuid.uuid4())
    assert call.invoice_id is not None
    payments.pay_with_test_wallet(call.invoice_id, actor=client)
    proposal = calls.propose_move(call.pk, actor=builder.user, starts_at=start + timedelta(hours=2))
    token = token_of(calls.renew_feed(actor=builder.user))
    return {"call_id": call.pk, "proposal_id": proposal.pk, "consultations:slug": builder.slug, "consultations:feed_file:token": token}


def linked(builder: Builder) -> dict[str, Any]:
    """Two connected calendars, each with a channel, one with a copy that could not be written."""
    found: dict[str, Any] = {"consultations:provider": "caldav"}
    for provider, hook in (("google", "google_hook"), ("outlook", "graph_hook")):
        connection = Connection("anaya@example.com", {"token": "t"}, [Calendar("main", "Work", is_primary=True)])
        link = calls.connect_calendar(builder.pk, actor=builder.user, provider=provider, connection=connection)
        channel = PushChannel.objects.create(calendar=link.calendars.get(), external_id="s", secret=uuid.uuid4().hex)
        found |= {f"consultations:{hook}:channel_id": channel.pk, "consultations:link_id": link.pk}
    return found | {"consultations:copy_id": CalendarEvent.objects.get().pk}
