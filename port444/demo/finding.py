"""What the demo's builders show of their work, what its client keeps an eye on, and how soon builders answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from port444.accounts.models import User
from port444.builders.actions import add_picture, add_piece
from port444.builders.models import Builder
from port444.catalog.actions import save_search
from port444.kit import clock
from port444.messaging.actions import count_answers_batch

PIECES = (
    (
        (
            "A booking page, from 4.1 s to 0.3 s",
            "Forty thousand rows a night, read one by one. Two indexes and one query later the page is quicker than the door.",
        ),
        ("Search for a museum's archive", "Half a million cards, typos forgiven, on the database that they had."),
        ("A report that ran all night", "Now it runs while the coffee does. The branch has 212 lines, a third of them tests."),
    ),
    (
        ("Tickets for a ferry line", "Works without a network from pier to pier; sold 80,000 tickets in its first summer."),
        ("A diary for beekeepers", "Gloves on, one thumb, bright sun: large buttons and no menus."),
    ),
)
SEARCHES = (("Faster pages", {"q": "performance", "highest": "300"}, "daily"), ("Somebody for the app", {"q": "flutter", "calls": "on"}, "weekly"))


def show(today: datetime, sellers: Sequence[Builder], client: User, picture: Callable[[str], Any]) -> None:
    for builder, pieces in zip(sellers, PIECES, strict=False):
        with clock.at(today - timedelta(days=30)):
            for title, words in pieces:
                piece = add_piece(builder.pk, actor=builder.user, title=title, words=words)
                add_picture(piece.pk, actor=builder.user, upload=picture("piece.png"))
    for name, asked, frequency in SEARCHES:
        with clock.at(today - timedelta(days=80)):
            save_search(asked, actor=client, name=name, frequency=frequency)
    while count_answers_batch(today, 1000):
        pass
