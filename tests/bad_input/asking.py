"""Sending something wrong, and what has to come of it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client

from consultations.models import Consultation
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Dispute, DisputeReason, Order
from port444.payments.models import Payment

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
CHANGING = {"accounts_session"}  # a refused form may be kept there as a draft
WORDS = r"[A-Z][a-z’' ,]+"
BAD_MONEY = ["5.001", "-20", "1e2", "1_000", "１００", "+50", "NaN", "Infinity", "9" * 19, "9" * 400, "0", "fifty", "20\x00"]
BAD_ZONES = ["Mars/Olympus", "../../etc/passwd", "", "UTC\x00", "x" * 5000, "europe/amsterdam2"]
NUL = "Hel\x00lo"


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


Ask = Callable[[World], tuple[User, str, dict[str, Any]]]


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


def ready(world: World, ask: Ask, **more: Any) -> Callable[[], Any]:
    """Somebody who is signed in and about to send the form."""
    user, url, form = ask(world)
    client = Client()
    client.force_login(user)
    return lambda: client.post(url, form | more)


def fault(world: World, ask: Ask, expected: str = WORDS, **more: Any) -> str:
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


def faults(world: World, asks: Mapping[str, Ask]) -> dict[str, str]:
    """What is wrong with the answers, by the name of the request: each has to be refused in words and to write nothing."""
    found = {name: fault(world, ask) for name, ask in asks.items()}
    return {name: what for name, what in found.items() if what}


def not_taken(world: World, asks: Mapping[str, Ask]) -> list[str]:
    """Which of these forms without a fault are refused or change nothing: else the refusals would prove nothing. What is done is undone."""
    found = []
    for name, ask in asks.items():
        with transaction.atomic():
            send = ready(world, ask)
            before = everything()
            response = send()
            if response.status_code != 302 or everything() == before:
                found.append(f"{name}: {response.status_code} {said(response)[:300]}")
            transaction.set_rollback(True)
    return found


def on_order(which: str, step: str, **form: Any) -> Ask:
    def ask(world: World) -> tuple[User, str, dict[str, Any]]:
        who = world.builder.user if step in ("deliver", "more-time", "ask", "go-on") else world.client_user
        return who, f"/orders/{getattr(world, which).number}/{step}/", {"client_key": str(uuid7()), **form}

    return ask


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
