"""The help pages: which there are, what is in them, and where words are found."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.template.loader import render_to_string
from django.utils.html import strip_tags
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from port444.kit.language import known

from .figures import figures

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MOST_FOUND = 12
AROUND = 90  # letters before and behind the word that was found
BLOCK = re.compile(r"</(?:p|li|td|th)>")
HEADING = re.compile(r'<h2 id="([a-z-]+)">(.*?)</h2>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Topic:
    """A page of help; its words stand in a template of the same name for each language, as a whole."""

    slug: str
    title: StrOrPromise
    summary: StrOrPromise
    icon: str


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a page; `id` is its anchor, empty for what stands before the first heading."""

    topic: Topic
    id: str
    title: str
    text: str


GROUPS: tuple[tuple[StrOrPromise, tuple[Topic, ...]], ...] = (
    (
        _("Money"),
        (
            Topic("escrow", _("Where your money is"), _("What escrow is, when it is paid out and when it comes back."), "lock"),
            Topic("fees", _("What it costs"), _("The fees of both sides, with an example to the cent."), "receipt"),
            Topic("refunds", _("Refunds and credits"), _("What comes back, where to, and how credits are used."), "undo-2"),
            Topic("wallets", _("Paying from a wallet"), _("Which amounts count, and what happens to others."), "wallet"),
            Topic("payouts", _("Getting paid out"), _("When earnings are ready, fees, limits, and new addresses."), "arrow-down-to-line"),
        ),
    ),
    (
        _("Orders"),
        (
            Topic("orders", _("From order to delivery"), _("Each step with its time: answers, work, delivery, your review."), "package"),
            Topic("offers", _("Offers"), _("How long they stand, and proposing other terms."), "tag"),
            Topic("changes", _("Changes and more time"), _("More work, more money, a later date, and who says yes."), "pencil"),
            Topic("cancelling", _("Ending an order"), _("Who can cancel when, and ending by agreement."), "circle-x"),
            Topic("disputes", _("Disputes"), _("When you cannot agree: figures, times, and what support does."), "scale"),
            Topic("reviews", _("Reviews and levels"), _("When they are shown, replies, and how levels are counted."), "star"),
        ),
    ),
    (
        _("Calls"),
        (
            Topic("calls", _("Booking and moving calls"), _("Holding a time, reminders, the room, another time."), "calendar-plus"),
            Topic("missed-calls", _("Cancelled and missed calls"), _("What comes back when, and when somebody did not come."), "user-x"),
        ),
    ),
    (
        _("You and others"),
        (
            Topic("away", _("When a builder is away"), _("What stands still, later dates, and leaving for that."), "sailboat"),
            Topic("notifications", _("Mail, SMS and quiet hours"), _("What we tell you, how, and how to have less of it."), "bell"),
            Topic("privacy", _("Who sees what"), _("Your data, support looking at your account, and leaving."), "shield-check"),
        ),
    ),
)
TOPICS = {topic.slug: topic for _, topics in GROUPS for topic in topics}


def body(topic: Topic) -> str:
    """The words of a page with today's figures, as HTML."""
    return render_to_string(f"pages/help/{known(get_language() or '')}/{topic.slug}.html", {"f": figures()})


def contents(words: str) -> list[tuple[str, str]]:
    """The headings of a body: anchor and words."""
    return HEADING.findall(words)


def parts(topic: Topic) -> list[Part]:
    """The body cut at its headings, without markup."""
    pieces = HEADING.split(body(topic))
    found = [Part(topic, "", str(topic.title), _plain(f"{topic.summary} {pieces[0]}"))]
    return found + [
        Part(topic, anchor, _plain(title), _plain(text)) for anchor, title, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    ]


def find(words: str) -> list[tuple[Part, str]]:
    """The sections that have all of the words, those that have them in their heading first; each with a piece of its text."""
    wanted = [word for word in re.findall(r"\w+", words.lower()) if len(word) > 1]
    if not wanted:
        return []
    found = [(_rank(part, wanted), part) for topic in TOPICS.values() for part in parts(topic)]
    best = sorted((rank, place, part) for place, (rank, part) in enumerate(found) if rank is not None)
    return [(part, _around(part.text, wanted)) for _, _, part in best[:MOST_FOUND]]


def _rank(part: Part, wanted: Sequence[str]) -> int | None:
    """Smaller is better; None when a word is missing."""
    title = f"{part.topic.title} {part.title}".lower()
    text = f"{title} {part.text.lower()}"
    return -sum(word in title for word in wanted) if all(word in text for word in wanted) else None


def _around(text: str, wanted: Sequence[str]) -> str:
    places = [place for word in wanted if (place := text.lower().find(word)) >= 0]
    start = max(min(places, default=0) - AROUND, 0)
    start = text.find(" ", start) + 1 if start else 0
    end = start + 2 * AROUND
    return f"{'…' if start else ''}{text[start:end].rsplit(' ', 1)[0] if end < len(text) else text[start:]}{'…' if end < len(text) else ''}"


def _plain(words: str) -> str:
    return " ".join(html.unescape(strip_tags(BLOCK.sub(" ", words))).split())
