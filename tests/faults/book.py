"""Run inside the site by `manage.py shell`: people for the fault tests, and a booking up to the press on "Approve"."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from consultations import queries as times
from consultations.actions import hold_slot
from port444.builders.models import Builder
from port444.demo import cast
from port444.demo.cast import Buyer
from port444.demo.story import Story
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.payments.actions import answer_wallet, reach_provider, start_payment
from port444.payments.providers.sandbox import Decision


def noon_zone() -> str:
    """A zone in which it is about noon, so that nobody's quiet hours hold a mail."""
    ahead = 12 - now().astimezone(ZoneInfo("UTC")).hour
    return f"Etc/GMT{'-' if ahead >= 0 else '+'}{abs(ahead)}" if ahead else "Etc/GMT"


def prepare() -> None:
    """A builder who takes calls."""
    seller = cast.SELLERS[0]
    story = Story(now() - timedelta(minutes=1))
    builder = story.seller(seller, 30)
    builder.user.time_zone = noon_zone()
    builder.user.save(update_fields=["time_zone"])


def approve(name: str) -> None:
    """A new client books the next free time and approves the payment in the test wallet; the rest is the worker's."""
    client = Story(now()).buyer(Buyer(name, noon_zone(), f"{name.lower()}@fault.example"), 0)
    moment = now()
    builder = times.for_booking().get(pk=Builder.objects.get().pk)
    start = times.open_starts(builder, client_id=client.pk, minutes=30, moment=moment)[0]
    call = hold_slot(builder.pk, actor=client, minutes=30, starts_at=start, client_zone=client.time_zone, client_key=uuid7())
    assert call.invoice is not None
    payment = reach_provider(start_payment(call.invoice.pk, actor=client).pk)
    answer_wallet(payment.pk, actor=client, decision=Decision.APPROVE)
