"""Signs up who lives in the demo, with what they sell and when they take calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group as StaffGroup

from consultations import actions as calls
from consultations.actions.availability import Leave, Terms
from consultations.slots import LAST, AnyWindow, MonthWeekday, Once, Window
from port444.accounts.actions import sign_up
from port444.accounts.models import User
from port444.builders.actions import change_builder, create_builder
from port444.builders.models import LENGTHS, Builder
from port444.catalog.actions import PackageText, Question, create_service, note_sale, publish_service
from port444.catalog.models import Category, Service, Tier
from port444.kit import clock
from port444.kit.ids import uuid7
from port444.notifications.actions import Hours, change_preferences
from port444.notifications.kinds import Group
from port444.notifications.models import Channel
from port444.payments.actions import change_payout_address

from . import cast
from .cast import Buyer, Offer, Seller
from .stage import DAY, HOUR

TIERS = (Tier.BASIC, Tier.STANDARD, Tier.PREMIUM)


class People:
    """Signs people up on the days before `today`."""

    def __init__(self, today: datetime) -> None:
        self.today = today
        self.random = Random(444)
        self.password = make_password(cast.PASSWORD)
        self.categories = {category.slug: category for category in Category.objects.all()}

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

    def numbered(self, copy: int) -> tuple[list[Builder], list[User]]:
        """The cast once more, under numbered names."""
        sellers = [self.seller(replace(seller, name=f"{seller.name} {copy}", email=""), 150 + copy) for seller in cast.SELLERS]
        buyers = [self.buyer(replace(buyer, name=f"{buyer.name} {copy}", email=""), 100 + copy) for buyer in cast.BUYERS]
        return sellers, buyers
