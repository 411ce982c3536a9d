"""What the demo's builders show of their work, what its client keeps an eye on, and how soon builders answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from port444.accounts.models import User
from port444.builders.actions import add_picture, add_piece
from port444.builders.models import Builder
from port444.catalog.actions import save_search
from port444.catalog.models import Service
from port444.favourites.actions import save_builder, save_service
from port444.favourites.models import Favourite
from port444.kit import clock
from port444.messaging.actions import count_answers_batch

from . import files

PIECES = (
    (
        (
            "A booking page, from 4.1 s to 0.3 s",
            "Forty thousand rows a night, read one by one. Two indexes and one query later the page is quicker than the door.",
            files.pair,
        ),
        ("Search for a museum's archive", "Half a million cards, typos forgiven, on the database that they had.", files.dots),
        ("A report that ran all night", "Now it runs while the coffee does. The branch has 212 lines, a third of them tests.", files.bars),
    ),
    (
        ("Tickets for a ferry line", "Works without a network from pier to pier; sold 80,000 tickets in its first summer.", files.line),
        ("A diary for beekeepers", "Gloves on, one thumb, bright sun: large buttons and no menus.", files.phones),
    ),
)
SEARCHES = (("Faster pages", {"q": "performance", "highest": "300"}, "daily"), ("Somebody for the app", {"q": "flutter", "calls": "on"}, "weekly"))


def show(today: datetime, sellers: Sequence[Builder], client: User) -> None:
    chance = Random(444)
    for builder, pieces in zip(sellers, PIECES, strict=False):
        with clock.at(today - timedelta(days=30)):
            for title, words, drawing in pieces:
                piece = add_piece(builder.pk, actor=builder.user, title=title, words=words)
                add_picture(piece.pk, actor=builder.user, upload=files.picture("piece.png", drawing, chance))
    for name, asked, frequency in SEARCHES:
        with clock.at(today - timedelta(days=80)):
            save_search(asked, actor=client, name=name, frequency=frequency)
    keep(client, [sellers[0], sellers[5]], [seller.services.order_by("pk")[0] for seller in (sellers[2], sellers[3], sellers[5])])
    while count_answers_batch(today, 1000):
        pass


def keep(person: User, builders: Sequence[Builder], services: Sequence[Service]) -> None:
    """What somebody has in sight; one of the services cost more then."""
    for service in services:
        saved = save_service(service.pk, actor=person)
    Favourite.objects.filter(pk=saved.pk).update(price=saved.price + Decimal("15.00") if saved.price else None)
    for builder in builders:
        save_builder(builder.pk, actor=person)
