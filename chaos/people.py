"""Who takes part in the day, made by the same actions as everybody before it begins. Runs inside the site's Django:

python -m chaos.people    with the facts as JSON on standard input; prints who there is as JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import django

django.setup()

from allauth.mfa.totp.internal.auth import TOTP  # noqa: E402 (after setup)
from django.db import transaction  # noqa: E402

from consultations.actions import connect_calendar, set_availability  # noqa: E402
from consultations.actions.availability import Terms  # noqa: E402
from consultations.calendars import Calendar, Connection, calcom, caldav  # noqa: E402
from consultations.slots import Window  # noqa: E402
from port444.accounts.actions import create_token  # noqa: E402
from port444.accounts.models import Scope, User  # noqa: E402
from port444.builders.actions import change_builder, create_builder  # noqa: E402
from port444.builders.models import LENGTHS, Builder  # noqa: E402
from port444.demo.cast import Offer  # noqa: E402
from port444.demo.people import People  # noqa: E402
from port444.kit import clock  # noqa: E402
from port444.payments.actions import change_payout_address  # noqa: E402
from port444.webhooks.actions import Terms as Address  # noqa: E402
from port444.webhooks.actions import add_endpoint  # noqa: E402
from scripts import chain  # noqa: E402
from tests.faults.book import noon_zone  # noqa: E402

OFFER = Offer(
    "web-development",
    "Make slow pages fast",
    "I find out why they are slow, and mend it.",
    "Two or three queries are at fault, as a rule.",
    ("django",),
    (("One page", "80.00", 3, 2, ("One page",)), ("Five pages", "180.00", 7, 2, ("Five pages",)), ("All of it", "420.00", 14, 3, ("The site",))),
    (("Where is the code?", "text", True),),
)
STAFF = (("Mara Agent", ("Senior agent", "Finance")), ("Ines Senior", ("Senior agent", "Security")))


def token(user: User) -> str:
    scopes = [scope for scope in Scope.values if scope != Scope.CONSOLE or user.is_staff]
    return create_token(user.pk, actor=user, name="Chaos", scopes=scopes, days=7, second_factor=user.is_staff)[1]


def listen(user: User, url: str) -> None:
    add_endpoint(user.pk, actor=user, terms=Address(f"{url}/{user.pk}", ["*"]), client_key=uuid4())


def connection_for(number: int, accounts: Mapping[str, Any]) -> tuple[str, Connection] | None:
    """The calendar of a builder: each of the first four has another provider's."""
    if number in (0, 1):
        name = ("google", "outlook")[number]
        facts = accounts[name]
        return name, Connection(facts["account"], facts["credentials"], [Calendar(**each) for each in facts["calendars"]])
    if number == 2:
        return "cal_com", calcom.connect(accounts["cal_com"]["key"])
    return ("caldav", caldav.connect(**accounts["caldav"])) if number == 3 else None


def seller(people: People, number: int, accounts: Mapping[str, Any]) -> Builder:
    moment = people.today - timedelta(days=30)
    user = people.person(f"Builder {number}", noon_zone(), f"builder{number}@chaos.example", moment, is_client=False, is_builder=True)
    with clock.at(moment + timedelta(hours=1)):
        builder = create_builder(user, actor=user, headline="Fast pages", about="Pages.", skills=["Django"], languages=["English"], city="Lisbon")
        change_builder(builder.pk, actor=user, meeting_url=f"https://meet.chaos.example/{number}")
        change_payout_address(chain.account_address(20 + number), actor=user)
        people.service(builder, OFFER)
    room = "zoom" if number % 2 else "own_link"
    set_availability(
        builder.pk,
        actor=user,
        enabled=True,
        prices={minutes: price_of(minutes) for minutes in LENGTHS},
        windows=[Window(day, 0, 24 * 60) for day in range(7)],
        terms=Terms(time_zone=user.time_zone, notice_hours=4, horizon_days=60, gap_minutes=0, meeting_provider=room),
    )
    if found := connection_for(number, accounts):
        connect_calendar(builder.pk, actor=user, provider=found[0], connection=found[1])
    return builder


def price_of(minutes: int) -> Decimal:
    return Decimal(minutes).quantize(Decimal("0.01"))


@transaction.atomic  # or the log would take what no action tells of for tampering
def make(facts: Mapping[str, Any]) -> dict[str, Any]:
    people = People(clock.now())
    accounts = facts["accounts"]
    made: dict[str, Any] = {"clients": [], "builders": [], "staff": []}
    for number in range(facts["builders"]):
        builder = seller(people, number, accounts)
        listen(builder.user, accounts["webhooks"])
        packages = list(builder.services.get().packages.order_by("price").values_list("pk", flat=True))
        row = {"id": str(builder.user.pk), "builder": str(builder.pk), "name": builder.user.name, "token": token(builder.user)}
        made["builders"].append({**row, "address": chain.account_address(20 + number), "packages": [str(one) for one in packages]})
    for number in range(facts["clients"]):
        address = f"client{number}@chaos.example"
        user = people.person(f"Client {number}", noon_zone(), address, people.today - timedelta(days=30), is_client=True)
        listen(user, accounts["webhooks"])
        wallet = chain.CLIENTS[number] if number < len(chain.CLIENTS) else None
        made["clients"].append({"id": str(user.pk), "name": user.name, "email": address, "wallet": wallet})
    for number, (name, groups) in enumerate(STAFF):
        user = people.staff(name, f"staff{number}@chaos.example", groups)
        TOTP.activate(user, facts["secret"])
        made["staff"].append({"id": str(user.pk), "name": name, "token": token(user)})
    return made


if __name__ == "__main__":
    print(json.dumps(make(json.load(sys.stdin))))
