"""Makes the demo happen: people sign up, talk, buy, deliver, call each other and withdraw, on a clock that is set back.

Everything goes through the actions, so the demo is always a state that can be reached. The same seed tells the same story; only
ids and the present moment differ.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group as StaffGroup
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from PIL import Image, ImageDraw

from amendments import actions as amendments
from amendments.models import Amendment, AmendmentType
from amendments.terms import Terms as Change
from auditlog.actions import mark_false_positive
from auditlog.models import IncidentLog
from consultations import actions as calls
from consultations import queries as times
from consultations.actions.availability import Leave, Terms
from consultations.models import Consultation, Reminder, ReminderStatus
from consultations.slots import LAST, AnyWindow, MonthWeekday, Once, Window
from port444.accounts.actions import sign_up
from port444.accounts.models import User
from port444.away.actions import plan_away, want_to_know
from port444.away.terms import Plan
from port444.builders.actions import change_builder, create_builder
from port444.builders.models import LENGTHS, Builder
from port444.catalog.actions import (
    PackageText,
    Question,
    count_sales_batch,
    create_service,
    note_sale,
    pause_service,
    publish_service,
    refresh_points_batch,
    refresh_services_batch,
)
from port444.catalog.models import Category, Package, Service, ServiceDay, ServiceStatus, Tier
from port444.favourites.actions import save_builder, save_service
from port444.favourites.models import Favourite
from port444.kit import clock
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.messaging.actions import mark_read, open_conversation, send_message
from port444.messaging.models import Conversation
from port444.notifications.actions import Hours, change_preferences, read_all
from port444.notifications.kinds import Group
from port444.notifications.models import Channel
from port444.orders import actions as orders
from port444.orders.models import Order, Review
from port444.payments.actions import (
    change_bank_account,
    change_payout_address,
    expire_invoice,
    export_batch,
    have_read,
    make_batch,
    pay_with_test_wallet,
    request_withdrawal,
    send_refund,
    send_withdrawal,
    settle_batch,
)
from port444.payments.bank import read_account
from port444.payments.models import Refund, RefundStatus, Withdrawal

from . import cases, cast, finding, suspects
from .cast import Buyer, Offer, Script, Seller

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MANY = 500
READING = 30.0  # seconds for the detectors
TIERS = (Tier.BASIC, Tier.STANDARD, Tier.PREMIUM)


# So far apart that the scenes of two people seldom overlap in the one conversation that they have.
SCRIPTS = (
    Script(0, "unpaid"),
    Script(1, "asked"),
    Script(2, "working"),
    Script(2, "expired"),
    Script(3, "delivered"),
    Script(3, "working"),
    Script(6, "revision"),
    Script(9, "late"),
    Script(15, "cancelled_by_builder"),
    Script(17, "cancelled_early"),
    Script(20, "completed"),
    Script(26, "forgotten"),
    Script(31, "revised"),
    Script(36, "completed"),
    Script(40, "completed"),
    Script(52, "completed"),
    Script(61, "completed"),
    Script(70, "revised"),
    Script(80, "unanswered"),
)

# Between the demo client and the demo builder: what a change of an order can come to.
CHANGES = (Script(4, "change_asked"), Script(8, "changed"), Script(23, "change_declined"), Script(2, "time_asked"), Script(3, "end_proposed"))
# And who still has to review whom.
REVIEWS = (Script(5, "client_waits"), Script(6, "builder_waits"))


class Story:
    """Tells one demo, from `today` backwards."""

    def __init__(self, today: datetime, seed: int = 444) -> None:
        self.today = today
        self.random = Random(seed)
        self.password = make_password(cast.PASSWORD)
        self.categories = {category.slug: category for category in Category.objects.all()}

    # People

    def person(self, name: str, zone: str, email: str, moment: datetime, **fields: object) -> User:
        """Somebody who signed up at `moment` and confirmed the address. Only the demo accounts get mail."""
        address = email or f"{name.lower().replace(' ', '.').replace('-', '')}@people.port444.example"
        with clock.at(moment):
            user = User(email=address, name=name, time_zone=zone, password=self.password, created_at=moment, **fields)
            sign_up(user)
            EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
            if not email:
                quiet = {(str(group), str(Channel.EMAIL)): False for group in Group.values if group != Group.ACCOUNT}
                change_preferences(user.pk, actor=user, chosen=quiet, hours=Hours(enabled=True, starts=time(21), ends=time(8)))
        return user

    def staff(self, name: str, email: str, groups: Sequence[str]) -> User:
        user = self.person(name, "Europe/Lisbon", email, self.today - 200 * DAY, is_staff=True, is_client=False)
        user.groups.set(StaffGroup.objects.filter(name__in=groups))
        return user

    def buyer(self, buyer: Buyer, days_ago: int) -> User:
        return self.person(buyer.name, buyer.zone, buyer.email, self.today - days_ago * DAY, is_client=True)

    def seller(self, seller: Seller, days_ago: int) -> Builder:
        moment = self.today - days_ago * DAY
        user = self.person(seller.name, seller.zone, seller.email, moment, is_client=False, is_builder=True)
        with clock.at(moment + HOUR):
            builder = create_builder(
                user,
                actor=user,
                headline=seller.headline,
                about=seller.about,
                skills=list(seller.skills),
                languages=list(seller.languages),
                city=seller.city,
            )
            change_builder(builder.pk, actor=user, meeting_url=f"https://meet.port444.example/{builder.slug}")
            change_payout_address("0x" + f"{self.random.getrandbits(160):040x}", actor=user)
            for offer in seller.offers:
                self.service(builder, offer)
            if seller.calls:
                self.hours(builder, seller)
        return builder

    def hours(self, builder: Builder, seller: Seller) -> None:
        assert seller.calls is not None
        windows: list[AnyWindow] = [Window(day, start, end) for days, start, end in seller.hours for day in days]
        days_off: list[Leave] = []
        if seller.email:  # the demo builder shows what hours can be
            saturday = (self.today + timedelta(days=5 - self.today.weekday())).date()
            windows.append(Window(5, 10 * 60, 13 * 60, every=2, anchor=saturday))
            windows.append(MonthWeekday(LAST, 6, 16 * 60, 18 * 60))
            windows.append(Once((self.today + 13 * DAY).date(), 21 * 60, 22 * 60))
            days_off.append(Leave((self.today + 12 * DAY).date(), (self.today + 14 * DAY).date(), "Conference in Pune"))
        calls.set_availability(
            builder.pk,
            actor=builder.user,
            enabled=True,
            prices={minutes: Decimal(price) for minutes, price in zip(LENGTHS, seller.calls, strict=True)},
            windows=windows,
            days_off=days_off,
            terms=Terms(time_zone=seller.zone, notice_hours=4, horizon_days=60, gap_minutes=0),
        )

    def service(self, builder: Builder, offer: Offer) -> Service:
        packages = [
            PackageText(tier=tier.value, name=name, price=Decimal(price), delivery_days=days, revisions=revisions, deliverables=list(gets))
            for tier, (name, price, days, revisions, gets) in zip(TIERS, offer.packs, strict=False)
        ]
        questions = [Question(label=label, kind=kind, required=required, options=[]) for label, kind, required in offer.questions]
        service = create_service(
            builder.pk,
            actor=builder.user,
            packages=packages,
            category_id=self.categories[offer.category].pk,
            title=offer.title,
            summary=offer.summary,
            description=offer.description,
            tags=list(offer.tags),
            questions=questions,
        )
        return publish_service(service.pk, actor=builder.user)

    def neighbours(self) -> None:
        """Builders of websites who have sold each of their sizes, so that a price in that category can be compared."""
        for n, (name, zone, city, title, summary) in enumerate(cast.NEIGHBOURS):
            days_ago = 60 + 4 * n
            user = self.person(name, zone, "", self.today - days_ago * DAY, is_client=False, is_builder=True)
            prices = [cast.BASIC[n], cast.STANDARD[7 * n % len(cast.NEIGHBOURS)], cast.PREMIUM[11 * n % len(cast.NEIGHBOURS)]]
            packs = tuple(
                (size, f"{price}.00", days, 1, (gets,))
                for size, price, days, gets in zip(
                    ("A start", "The usual", "All of it"), prices, (4, 9, 20), ("One page", "Up to five pages", "The whole site"), strict=True
                )
            )
            with clock.at(self.today - days_ago * DAY + HOUR):
                builder = create_builder(user, actor=user, headline=f"{title}.", about=summary, skills=["Web"], languages=["English"], city=city)
                service = self.service(builder, Offer("web-development", title, summary, f"{summary} Tell me where you are now.", ("web",), packs))
            for package in service.packages.all():
                note_sale(uuid7(), package_id=package.pk, price=package.price, moment=self.today - (5 + n) * DAY)

    # Orders

    def order(self, client: User, package: Package, script: Script) -> Order:
        """Place an order and play its scene; each scene is a method that goes on from the paid order."""
        placed = self.today - script.days_ago * DAY - self.minutes(30, 300)
        with clock.at(placed):
            builder = package.service.builder
            conversation = open_conversation(client, builder.user, actor=client)
            title = package.service.title
            wish = title[0].lower() + title[1:]
            self.say(conversation.pk, client, f"Hello {builder.user.first_name}, can you {wish}? When could you start?")
        with clock.at(placed + timedelta(minutes=12)):
            self.say(conversation.pk, builder.user, "Yes, gladly. I can start as soon as you order and answer my questions.")
        with clock.at(placed + timedelta(minutes=20)):
            order = orders.place_order(package.pk, actor=client, client_key=uuid7())
        if script.scene == "unpaid":
            return order
        if script.scene == "expired":
            assert order.invoice is not None
            with clock.at(placed + 3 * HOUR):
                self.expire(order)
            return order
        with clock.at(placed + timedelta(minutes=24)):
            assert order.invoice is not None
            pay_with_test_wallet(order.invoice.pk, actor=client)
        order.refresh_from_db()
        scene: Callable[[Order, datetime], None] = getattr(self, script.scene)
        scene(order, placed + HOUR)
        return Order.objects.get(pk=order.pk)

    def expire(self, order: Order) -> None:
        assert order.invoice is not None
        expire_invoice(order.invoice.pk)

    def asked(self, order: Order, moment: datetime) -> None:
        """Paid, and the questions wait."""

    def working(self, order: Order, moment: datetime) -> datetime:
        """The questions are answered; gives the moment when work began."""
        started = moment + self.minutes(60, 240)
        rows = list(order.requirements.all())
        if rows:
            answers = {row.position: self.answer(row.label) for row in rows if row.kind != "file"}
            files = {row.position: [self.file("facts.csv")] for row in rows if row.kind == "file" and row.is_required}
            with clock.at(started):
                orders.answer_requirements(order.pk, actor=order.client, answers=answers, uploads=files)
        with clock.at(started + HOUR):
            self.say(order.conversation_id, order.builder.user, "Thank you, that is all I need. I will write when I have something to show.", order)
        return started

    late = working

    def delivered(self, order: Order, moment: datetime) -> datetime:
        started = self.working(order, moment)
        handed = started + min(self.days_of_work(order), timedelta(days=2))
        handed = min(handed, self.today - 4 * HOUR)
        seen = order.client.email == cast.CLIENT or order.builder.user.email == cast.BUILDER  # nobody looks at the others
        pictures = [self.picture("before-and-after.png"), self.picture("report.pdf")] if seen else []
        with clock.at(handed):
            orders.deliver(
                order.pk,
                actor=order.builder.user,
                note="Here it is, with a short note on what I did and what to look at first.",
                uploads=[*pictures, self.file("notes.txt")],
            )
        return handed

    def revision(self, order: Order, moment: datetime) -> datetime:
        asked = min(self.delivered(order, moment) + 5 * HOUR, self.today - 2 * HOUR)
        with clock.at(asked):
            orders.request_revision(
                order.pk, actor=order.client, note="Very close. The second part should be shorter, and the dates are in the wrong order."
            )
        return asked

    def change_asked(self, order: Order, moment: datetime) -> None:
        """The builder has proposed something more, and the client has not answered."""
        self.working(order, moment)
        with clock.at(self.today - 20 * HOUR):
            self.say(order.conversation_id, order.client, "One more thing: the invoice export dies for big customers. Is that the same cause?", order)
        with clock.at(self.today - 19 * HOUR):
            self.propose(
                order,
                order.builder.user,
                AmendmentType.ADD_DELIVERABLE,
                "Not the same cause, and outside of what we agreed on. Here is a fair price.",
                description="The export builds all rows in memory. I can stream it and add a test with 50,000 rows.",
                amount="60.00",
                days=2,
                deliverables=("The invoice export, streamed",),
            )

    def time_asked(self, order: Order, moment: datetime) -> None:
        """The builder needs two days more, and the client has not answered."""
        self.working(order, moment)
        with clock.at(self.today - 6 * HOUR):
            why = "The second part turned out to be larger than it looked. Two days more, and it is done well."
            self.propose(order, order.builder.user, AmendmentType.TIMELINE_EXTENSION, why, days=2)

    def end_proposed(self, order: Order, moment: datetime) -> None:
        """The client would like to stop half-way, and the builder has not answered."""
        self.working(order, moment)
        with clock.at(self.today - 5 * HOUR):
            orders.propose_parting(
                order.pk,
                actor=order.client,
                client_key=uuid7(),
                to_client=(order.price / 2).quantize(Decimal("0.01")),
                reason="Our plans have changed. The first half helps us as it is; shall we leave it at that?",
            )

    def changed(self, order: Order, moment: datetime) -> None:
        """A change in force: the first version was sent back once, the second approved and paid."""
        started = self.working(order, moment)
        with clock.at(started + 20 * HOUR):
            first = self.propose(
                order,
                order.client,
                AmendmentType.SCOPE_CHANGE,
                "The report should cover the mobile pages too.",
                description="Three more pages, measured like the others.",
                amount="40.00",
                days=6,
            )
        with clock.at(started + 22 * HOUR):
            amendments.ask_for_changes(
                first.pk, actor=order.builder.user, note="Gladly. Three pages are a day of work each, so 60 and ten days would be right."
            )
        with clock.at(started + 25 * HOUR):
            second = amendments.revise(
                first.pk,
                actor=order.client,
                client_key=uuid7(),
                terms=self.change(
                    AmendmentType.SCOPE_CHANGE,
                    "The report should cover the mobile pages too.",
                    description="Three more pages, measured like the others.",
                    amount="60.00",
                    days=10,
                    deliverables=("Three mobile pages in the report",),
                ),
            )
        with clock.at(started + 27 * HOUR):
            amendments.approve(second.pk, actor=order.builder.user)
        second.refresh_from_db()
        assert second.invoice_id is not None
        with clock.at(started + 28 * HOUR):
            pay_with_test_wallet(second.invoice_id, actor=order.client)

    def change_declined(self, order: Order, moment: datetime) -> None:
        started = self.working(order, moment)
        with clock.at(started + 8 * HOUR):
            asked = self.propose(
                order,
                order.client,
                AmendmentType.OUT_OF_SCOPE_REVISION,
                "One more round at the end, to be safe.",
                description="Once our team has used it for a day.",
                amount="20.00",
                days=1,
            )
        with clock.at(started + 10 * HOUR):
            amendments.decline(asked.pk, actor=order.builder.user, reason="Let us see first whether you need it; what is small I do anyway.")
        with clock.at(started + DAY):
            orders.deliver(
                order.pk, actor=order.builder.user, note="Here it is. Tell me if the team finds anything.", uploads=[self.file("notes.txt")]
            )
        self.accept(order, started + 2 * DAY)

    def propose(self, order: Order, person: User, kind: str, reason: str, **more: Any) -> Amendment:
        return amendments.propose(order.pk, actor=person, client_key=uuid7(), terms=self.change(kind, reason, **more))

    def change(
        self, kind: str, reason: str, *, description: str = "", amount: str = "0.00", days: int = 0, deliverables: tuple[str, ...] = ()
    ) -> Change:
        revisions = 1 if kind == AmendmentType.OUT_OF_SCOPE_REVISION else 0
        return Change(kind, reason, description, Decimal(amount), days, revisions, deliverables)

    def completed(self, order: Order, moment: datetime) -> None:
        handed = self.delivered(order, moment)
        self.accept(order, handed + 9 * HOUR)

    def revised(self, order: Order, moment: datetime) -> None:
        asked = self.revision(order, moment)
        with clock.at(asked + DAY):
            orders.deliver(order.pk, actor=order.builder.user, note="Shortened, and the dates are right now.", uploads=[self.file("second.txt")])
        self.accept(order, asked + DAY + 6 * HOUR)

    def accept(self, order: Order, moment: datetime) -> None:
        with clock.at(moment):
            orders.accept_delivery(order.pk, actor=order.client)
        stars, text = self.random.choice(cast.PRAISE)
        with clock.at(moment + HOUR):
            talk = min(5, stars + self.random.randint(0, 1))
            orders.leave_review(order.pk, actor=order.client, stars=stars, as_described=stars, communication=talk, text=text)
        if self.random.random() < 0.8:
            self.review_client(order, moment + 5 * HOUR)
            if self.random.random() < 0.4:
                with clock.at(moment + DAY):
                    orders.reply_to_review(order.reviews.get(by_client=True).pk, actor=order.builder.user, text=self.random.choice(cast.REPLIES))

    def review_client(self, order: Order, moment: datetime) -> None:
        stars, text = self.random.choice(cast.CLIENT_PRAISE)
        with clock.at(moment):
            orders.leave_review(order.pk, actor=order.builder.user, stars=stars, text=text, private_note="It was a pleasure.")

    def client_waits(self, order: Order, moment: datetime) -> None:
        """Accepted yesterday; the client has reviewed it, and the builder has not."""
        self.delivered(order, moment)
        with clock.at(self.today - DAY):
            orders.accept_delivery(order.pk, actor=order.client)
        with clock.at(self.today - 20 * HOUR):
            orders.leave_review(order.pk, actor=order.client, stars=5, as_described=5, communication=4, text=cast.PRAISE[0][1])

    def builder_waits(self, order: Order, moment: datetime) -> None:
        """The same the other way round."""
        self.delivered(order, moment)
        with clock.at(self.today - 2 * DAY):
            orders.accept_delivery(order.pk, actor=order.client)
        self.review_client(order, self.today - 30 * HOUR)

    def keep(self, person: User, builders: Sequence[Builder], services: Sequence[Service]) -> None:
        """What somebody has in sight; one of the services cost more then."""
        for service in services:
            saved = save_service(service.pk, actor=person)
        Favourite.objects.filter(pk=saved.pk).update(price=saved.price + Decimal("15.00") if saved.price else None)
        for builder in builders:
            save_builder(builder.pk, actor=person)

    def show_reviews(self) -> None:
        """What only one side wrote is shown after seven days."""
        for pk, shown_at in Review.objects.uncounted(self.today).order_by("shown_at").values_list("order_id", "shown_at"):
            with clock.at(shown_at):
                orders.publish_reviews(pk)

    def forgotten(self, order: Order, moment: datetime) -> None:
        """Delivered, and the client said nothing until the time was over."""
        self.delivered(order, moment)
        order.refresh_from_db()
        assert order.auto_accept_at is not None
        with clock.at(order.auto_accept_at):
            orders.auto_accept(order.pk)

    def cancelled_early(self, order: Order, moment: datetime) -> None:
        if order.requirements.exists():
            with clock.at(moment + HOUR):
                orders.cancel_order(order.pk, actor=order.client, reason="Our plans changed this morning, sorry.")
                self.send_refunds(order)

    def cancelled_by_builder(self, order: Order, moment: datetime) -> None:
        started = self.working(order, moment)
        with clock.at(started + DAY):
            orders.cancel_order(order.pk, actor=order.builder.user, reason="I fell ill and will not be able to finish in time.")
            self.send_refunds(order)

    def unanswered(self, order: Order, moment: datetime) -> None:
        order.refresh_from_db()
        if order.requirements_until is not None:
            with clock.at(order.requirements_until):
                orders.cancel_unanswered(order.pk)
                self.send_refunds(order)

    def send_refunds(self, row: Order | Consultation) -> None:
        for pk in Refund.objects.filter(payment__invoice=row.invoice, status=RefundStatus.REQUESTED).values_list("pk", flat=True):
            send_refund(pk)

    # Calls

    def call(self, client: User, builder: Builder, minutes: int, days_from_now: int, ending: str) -> Consultation | None:
        """Book a call that lies `days_from_now` away (negative: it was) and play how it ended."""
        wanted = self.today + days_from_now * DAY
        booked = min(wanted, self.today) - 2 * DAY if days_from_now < 0 else self.today - self.minutes(60, 600)
        with clock.at(booked):
            reader = times.for_booking().get(pk=builder.pk)
            starts = [start for start in times.open_starts(reader, client_id=client.pk, minutes=minutes, moment=booked) if start >= wanted]
            if not starts or (days_from_now < 0 and starts[0] > self.today - HOUR):
                return None
            call = calls.hold_slot(
                builder.pk,
                actor=client,
                minutes=minutes,
                starts_at=starts[0],
                client_zone=client.time_zone,
                notes="I would like to go through one slow report with you. I can share my screen.",
                client_key=uuid7(),
            )
        assert call.invoice is not None
        if ending == "held":
            return call
        with clock.at(booked + timedelta(minutes=3)):
            pay_with_test_wallet(call.invoice.pk, actor=client)
        if ending == "booked":
            return call
        scene: Callable[[Consultation, datetime], None] = getattr(self, f"call_{ending}")
        scene(call, booked + HOUR)
        return call

    def call_completed(self, call: Consultation, moment: datetime) -> None:
        self.remind(call)
        with clock.at(call.ends_at + timedelta(minutes=10)):
            calls.complete_call(call.pk, actor=call.builder.user, notes="We found the cause: two indexes are missing. Details in our messages.")

    def call_cancelled(self, call: Consultation, moment: datetime) -> None:
        with clock.at(moment):
            calls.cancel_call(call.pk, actor=call.client, reason="I found the answer myself.")
            self.send_refunds(call)

    def call_moved(self, call: Consultation, moment: datetime) -> None:
        with clock.at(moment):
            calls.move_call(call.pk, actor=call.client, starts_at=self.later(call, moment))

    def call_proposed(self, call: Consultation, moment: datetime) -> None:
        """The builder asks for another time, and the client has not answered."""
        with clock.at(moment):
            note = "A customer needs me that afternoon. Would this suit you as well?"
            calls.propose_move(call.pk, actor=call.builder.user, starts_at=self.later(call, moment), note=note)

    def call_no_show(self, call: Consultation, moment: datetime) -> None:
        """The builder did not come, and says so."""
        self.remind(call)
        with clock.at(call.scheduled_at + timedelta(minutes=15)):
            calls.report_absence(call.pk, actor=call.client, note="I waited for a quarter of an hour.")
        with clock.at(call.ends_at + 2 * HOUR):
            calls.admit_absence(call.pk, actor=call.builder.user)
            self.send_refunds(call)

    def call_disputed(self, call: Consultation, moment: datetime) -> None:
        """Each side says something else, and staff has to decide."""
        self.remind(call)
        with clock.at(call.scheduled_at + timedelta(minutes=20)):
            calls.report_absence(call.pk, actor=call.client, note="Nobody was in the room.")
        with clock.at(call.ends_at + HOUR):
            calls.dispute_absence(call.pk, actor=call.builder.user, note="I was there from the first minute, alone.")

    def later(self, call: Consultation, moment: datetime) -> datetime:
        """A free start on another day after the call."""
        reader = times.for_booking().get(pk=call.builder_id)
        starts = times.open_starts(reader, client_id=call.client_id, minutes=call.duration, moment=moment, ignoring=call.pk)
        return next(start for start in starts if start >= call.scheduled_at + DAY)

    def remind(self, call: Consultation) -> None:
        """Both were reminded in time, as the sweep would have done."""
        due = Reminder.objects.filter(consultation=call, status=ReminderStatus.DUE).order_by("due_at")
        for pk, due_at in due.values_list("pk", "due_at"):
            with clock.at(due_at):
                calls.send_reminder(pk)

    # Money

    def withdraw(self, builder: Builder, amount: str, days_ago: int) -> Withdrawal:
        with clock.at(self.today - days_ago * DAY):
            return request_withdrawal(actor=builder.user, amount=Decimal(amount), client_key=uuid7())

    def bank(self, builder: Builder) -> Withdrawal:
        """One transfer for the bank to carry out, and one that waits for the next batch."""
        with clock.at(self.today - 60 * DAY):
            change_bank_account(read_account(holder=builder.user.name, iban=cast.IBAN), actor=builder.user)
        with clock.at(self.today - 14 * DAY):
            withdrawal = request_withdrawal(actor=builder.user, amount=Decimal("200.00"), client_key=uuid7(), method="bank")
        with clock.at(self.today - 2 * HOUR):
            request_withdrawal(actor=builder.user, amount=Decimal("120.00"), client_key=uuid7(), method="bank")
        return withdrawal

    def pay_out(self, staff: User, to_bank: Withdrawal, to_wallet: Withdrawal) -> None:
        """Both arrive, as soon as the detectors have read that they were asked for; else they wait like everybody's."""
        have_read([to_bank, to_wallet], patience=READING)
        # The log is written now, whatever the clock of the story says: what was earned weeks ago looks fresh.
        for incident in IncidentLog.objects.live().filter(
            withdrawal_id__in=Withdrawal.objects.filter(user=to_bank.user).values("pk"), detected_at__gte=self.today
        ):
            mark_false_positive(incident.pk, actor=staff, reason="The demo was told within a minute. All of it was earned weeks ago.")
        try:
            with clock.at(self.today - 14 * DAY):
                batch = make_batch(actor=staff)
                export_batch(batch.pk, actor=staff, kind="xml")
        except Conflict:
            return
        with clock.at(self.today - 13 * DAY):
            settle_batch(batch.pk, actor=staff)
        with clock.at(self.today - 10 * DAY):
            send_withdrawal(to_wallet.pk)

    # Small things

    def say(self, conversation_id: UUID, author: User, text: str, order: Order | None = None) -> None:
        send_message(conversation_id, actor=author, body=text, client_key=uuid7(), subject=("order", order.pk) if order else None)

    def minutes(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.random.randint(least, most))

    def leave(self, builder: Builder, first: int, last: int, message: str) -> None:
        """The builder goes away from the `first` to the `last` day from now, on their own calendar."""
        here = clock.now().astimezone(ZoneInfo(builder.user.time_zone)).date()
        plan_away(actor=builder.user, plan=Plan(here + first * DAY, here + last * DAY, message))

    def days_of_work(self, order: Order) -> timedelta:
        return timedelta(hours=24 * order.delivery_days * self.random.uniform(0.3, 0.9))

    def answer(self, label: str) -> str:
        return cast.ANSWERS.get(label, "It is all in the read-me of our repository. Write to me if something is missing there.")

    def file(self, name: str) -> SimpleUploadedFile:
        return SimpleUploadedFile(name, f"{name}\n\nWhat was done, and why.\n".encode(), "text/plain")

    def picture(self, name: str) -> SimpleUploadedFile:
        """A small bar chart, before and after, as a PNG or a PDF."""
        image = Image.new("RGB", (640, 360), "#eef6f8")
        draw = ImageDraw.Draw(image)
        for column in range(5):
            tall = self.random.randint(150, 300)
            draw.rectangle((60 + column * 110, 340 - tall, 100 + column * 110, 340), fill="#7fb0ba")
            draw.rectangle((105 + column * 110, 340 - tall // 6, 145 + column * 110, 340), fill="#00616f")
        data = io.BytesIO()
        image.save(data, name.rpartition(".")[2])
        return SimpleUploadedFile(name, data.getvalue())


def tell(today: datetime, scale: int = 1) -> None:
    """Write the whole demo. `scale` more than 1 adds that many times the cast again, under numbered names, for load."""
    story = Story(today)
    story.pay_out(*_tell(story, today, scale))


@transaction.atomic
def _tell(story: Story, today: datetime, scale: int) -> tuple[User, Withdrawal, Withdrawal]:
    """All but what needs the detectors, which read what is committed. Gives a member of staff and what is to be paid out."""
    staff = [story.staff(name, email, groups) for name, email, groups in cast.STAFF_PEOPLE]
    sellers = [story.seller(seller, 120 + 3 * n) for n, seller in enumerate(cast.SELLERS)]
    buyers = [story.buyer(buyer, 100 + 2 * n) for n, buyer in enumerate(cast.BUYERS)]
    play(story, sellers, buyers)
    first, second = sellers[0], sellers[1]
    paid_out = story.bank(first), story.withdraw(first, "150.00", 10)
    with clock.at(today - DAY):
        pause_service(sellers[-1].services.get().pk, actor=sellers[-1].user)
        conversation = open_conversation(buyers[0], second.user, actor=buyers[0])
        story.say(conversation.pk, buyers[0], "Do you also build the server side, or only the app?")
    cases.plans(today, {user.email: user for user in staff}, buyers)
    for copy in range(1, scale):
        play(story, *numbered(story, copy))
    story.show_reviews()
    ring = [story.person(name, zone, "", today - days * DAY, is_client=False, is_builder=True) for name, zone, days in cast.RING]
    suspects.suspect(today, ring, [seller.user for seller in sellers], staff)
    look(story, [buyers[0], first.user])
    look_around(story)
    story.neighbours()
    with clock.at(today):
        story.leave(sellers[5], 0, 5, "On the west coast with a kayak and no signal. I read everything when I am back.")
        want_to_know(sellers[5].pk, actor=buyers[0])
        story.keep(buyers[0], [sellers[0], sellers[5]], [seller.services.order_by("pk")[0] for seller in (sellers[2], sellers[3], sellers[5])])
        story.leave(second, 6, 9, "Four days at a conference. Running work waits for me, and so does your message.")
        finding.show(today, sellers, buyers[0], story.picture)
        for batch in (count_sales_batch, refresh_points_batch, refresh_services_batch):
            while batch(today, MANY):
                pass
    return staff[0], *paid_out


def look(story: Story, people: Sequence[User]) -> None:
    """The demo accounts have seen what is older than two days; a bell that says 77 is no welcome."""
    seen = story.today - 2 * DAY
    for person in people:
        with clock.at(seen):
            for conversation in Conversation.objects.visible_to(person):
                mark_read(conversation.pk, actor=person, until=seen)
            read_all(actor=person, until=seen)


def look_around(story: Story) -> None:
    """People have looked at every live service for three months, fewer at weekends, more of late."""
    today, days = story.today.date(), []
    for service in Service.objects.filter(status=ServiceStatus.PUBLISHED).order_by("pk"):
        liked = story.random.uniform(2, 9)
        for ago in range(1, 90):
            day = today - timedelta(days=ago)
            count = int(story.random.gauss(liked * (1.4 - ago / 120), 2) * (0.5 if day.weekday() >= 5 else 1))
            if count > 0:
                days.append(ServiceDay(service=service, day=day, visitors=count))
    ServiceDay.objects.bulk_create(days)


def play(story: Story, sellers: Sequence[Builder], buyers: Sequence[User]) -> None:
    """Orders in every state and calls in every state, between all of them."""
    packages = list(Package.objects.filter(service__builder__in=sellers).select_related("service__builder__user").order_by("service_id", "price"))
    own = [package for package in packages if package.service.builder_id == sellers[0].pk]
    scripts = sorted(SCRIPTS, key=lambda script: -script.days_ago)
    scenes: list[tuple[int, Callable[[], object]]] = []  # how many days ago it began, and what happens
    # The demo client and the demo builder see every scene between them; the others fill the place.
    for number, script in enumerate(scripts):
        client = buyers[0] if number % 2 else story.random.choice(buyers[1:])
        scenes.append((script.days_ago, partial(story.order, client, own[number % len(own)], script)))
    for number, script in enumerate(scripts):
        package = story.random.choice([p for p in packages if p not in own])
        scenes.append((script.days_ago, partial(story.order, buyers[number % len(buyers)], package, script)))
    if buyers[0].email == cast.CLIENT:
        for number, script in enumerate(CHANGES + REVIEWS):
            scenes.append((script.days_ago, partial(story.order, buyers[0], own[(number + 1) % len(own)], script)))
        scenes.extend(cases.scenes(story, sellers, buyers))
    with_calls = list(
        Builder.objects.filter(pk__in=[seller.pk for seller in sellers], consultation_enabled=True).select_related("user").order_by("pk")
    )
    for number, (days, ending) in enumerate(endings()):
        builder = with_calls[0] if number % 2 == 0 else with_calls[number % len(with_calls)]
        client = buyers[0] if number % 3 == 0 else buyers[number % len(buyers)]
        scenes.append((max(0, 2 - days) if days < 0 else 0, partial(story.call, client, builder, LENGTHS[number % 3], days, ending)))
    # What calls can come to, between the demo client and the demo builder; the other two ends are better seen with others.
    for days, ending, client, builder in (
        (-11, "no_show", buyers[0], with_calls[1]),
        (-3, "disputed", buyers[1], with_calls[0]),
        (7, "moved", buyers[0], with_calls[0]),
        (9, "proposed", buyers[0], with_calls[0]),
    ):
        scenes.append((max(0, 2 - days) if days < 0 else 0, partial(story.call, client, builder, LENGTHS[1], days, ending)))
    # Messages of a conversation never move back in time, so what began earlier is told earlier.
    for _, scene in sorted(scenes, key=lambda one: one[0], reverse=True):
        scene()


def endings() -> Iterator[tuple[int, str]]:
    yield from ((-30, "completed"), (-21, "completed"), (-14, "completed"), (-9, "completed"))
    yield from ((2, "booked"), (3, "booked"), (4, "booked"), (6, "booked"), (8, "cancelled"), (5, "held"))


def numbered(story: Story, copy: int) -> tuple[list[Builder], list[User]]:
    """The cast once more, under numbered names."""
    sellers = [story.seller(replace(seller, name=f"{seller.name} {copy}", email=""), 150 + copy) for seller in cast.SELLERS]
    buyers = [story.buyer(replace(buyer, name=f"{buyer.name} {copy}", email=""), 100 + copy) for buyer in cast.BUYERS]
    return sellers, buyers
