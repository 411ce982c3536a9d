"""Page-shaped reads of conversations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from django.db.models import Count, DateTimeField, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from port444.builders.models import Builder

from . import handlers
from .models import Conversation, ConversationQuerySet, Message, MessageKind, ReadMarker, Subject

MOST_COUNTED = 100
NEVER = Value(datetime(2000, 1, 1, tzinfo=UTC), output_field=DateTimeField())


def builder_of(conversation: Conversation) -> Builder | None:
    """The profile of the side that sells; read with the conversation where that was asked for with `builder__builder`."""
    builder: Builder | None = getattr(conversation.builder, "builder", None)
    return builder


def away_key(conversation: Conversation, builder: Builder) -> UUID:
    """Names the one line that says in a conversation that the builder is away, for the span that holds now."""
    return uuid5(conversation.pk, f"away:{builder.away_paused_at.isoformat() if builder.away_paused_at else ''}")


def read_until(user: Any, conversation: Any) -> Coalesce:
    """How far `user` has read the conversation with the key `conversation`."""
    marker = ReadMarker.objects.filter(user=user, conversation=conversation).values("read_at")[:1]
    return Coalesce(Subquery(marker), NEVER)


def unread_in(conversation: Conversation, reader: Any) -> QuerySet[Message]:
    """What `reader` has not seen: texts of the other side behind their marker."""
    rows = Message.objects.filter(conversation=conversation, kind=MessageKind.TEXT).exclude(author=reader)
    return rows.filter(created_at__gt=read_until(reader, conversation.pk))


def first_unread(conversation: Conversation, reader: Any) -> Message | None:
    return unread_in(conversation, reader).order_by("created_at", "id").first()


def unread_conversations(user: Any) -> ConversationQuerySet:
    """The conversations in which something waits for `user`."""
    rows = Conversation.objects.visible_to(user).filter(last_message_at__gt=read_until(user, OuterRef("pk")))
    waiting = Message.objects.filter(conversation=OuterRef("pk"), kind=MessageKind.TEXT).exclude(author=user)
    return rows.filter(Exists(waiting.filter(created_at__gt=read_until(user, OuterRef("conversation_id")))))


def unread_count(user: Any) -> int:
    """In how many conversations something waits, counted up to 100."""
    return unread_conversations(user)[:MOST_COUNTED].count()


def feed_messages(conversation: Conversation, *, before: Message | None = None, limit: int = 50, subjects: Collection[Subject] = ()) -> list[Message]:
    """The newest `limit` messages, oldest first, or those before `before`; with author and files, in two queries.

    With `subjects`, only what is about one of them.
    """
    rows = Message.objects.filter(conversation=conversation)
    if subjects:
        rows = rows.filter(subject_type__in={kind for kind, _ in subjects}, subject_id__in=[pk for _, pk in subjects])
    if before is not None:
        rows = rows.filter(Q(created_at__lt=before.created_at) | Q(created_at=before.created_at, id__lt=before.pk))
    newest = rows.select_related("author").prefetch_related("attachments").order_by("-created_at", "-id")[:limit]
    return list(reversed(newest))


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as a feed shows it; `day` is set where a new day begins for the reader, `card` where it has one to stand in its place."""

    message: Message
    day: date | None
    card: Any = None


def entries(messages: Iterable[Message], *, after: datetime | None = None, cards: Mapping[Subject, Any] | None = None) -> list[Entry]:
    """Messages with their day marks in the active zone. `after` is the moment of the message above the first one."""
    cards = cards or {}
    shown: list[Entry] = []
    day = timezone.localdate(after) if after else None
    for message in messages:
        today = timezone.localdate(message.created_at)
        shown.append(Entry(message, today if today != day else None, cards.get(message.subject) if message.subject else None))
        day = today
    return shown


def messages_after(conversation: Conversation, after: Message | None, *, limit: int = 50) -> list[Message]:
    """What was written behind `after` (everything when None), oldest first, with author and files."""
    rows = Message.objects.filter(conversation=conversation)
    if after is not None:
        rows = rows.filter(Q(created_at__gt=after.created_at) | Q(created_at=after.created_at, id__gt=after.pk))
    return list(rows.select_related("author").prefetch_related("attachments").order_by("created_at", "id")[:limit])


def recent_subjects(conversation: Conversation, *, but: Iterable[Message] = (), limit: int = 100) -> list[Subject]:
    """What the newest `limit` messages, leaving out `but`, are about."""
    rows = Message.objects.filter(conversation=conversation).order_by("-created_at", "-id")
    left_out = {message.pk for message in but}
    return [
        (kind, subject)
        for pk, kind, subject in rows.values_list("pk", "subject_type", "subject_id")[:limit]
        if subject is not None and pk not in left_out
    ]


@dataclass(frozen=True, slots=True)
class State:
    """What an open page has to know to be up to date: the newest message, and how far the other side has read."""

    newest_id: UUID | None
    seen_at: datetime | None

    @property
    def etag(self) -> str:
        return etag(self.newest_id, self.seen_at)


def etag(last_id: UUID | None, seen_at: datetime | None) -> str:
    """Names what a page shows: its last message, and how far the other side has read."""
    return f'"{last_id or 0}.{int(seen_at.timestamp() * 1_000_000) if seen_at else 0}"'


def state_of(conversation_id: UUID, user: Any) -> State | None:
    """The state of a conversation for one of its two people, in one query; None for everybody else."""
    newest = Message.objects.filter(conversation=OuterRef("pk")).order_by("-created_at", "-id").values("id")[:1]
    seen = ReadMarker.objects.filter(conversation=OuterRef("pk")).exclude(user=user).values("read_at")[:1]
    row = Conversation.objects.visible_to(user).filter(pk=conversation_id).values_list(Subquery(newest), Subquery(seen)).first()
    return State(*row) if row else None


@dataclass(frozen=True, slots=True)
class Line:
    """One conversation in the inbox."""

    conversation: Conversation
    person: Any
    last: Message | None
    mine: bool
    text: str
    unread: int
    chip: handlers.Chip | None


def inbox(user: Any, *, unread_only: bool = False, before: Conversation | None = None, limit: int = 30) -> list[Line]:
    """The conversations of `user`, newest first; one more than `limit` when there are more. Three queries, and those of the chips."""
    rows = unread_conversations(user) if unread_only else Conversation.objects.visible_to(user)
    if before is not None:
        at = before.last_message_at
        rows = rows.filter(Q(last_message_at__lt=at) | Q(last_message_at=at, id__lt=before.pk))
    return _lines(rows, user, limit + 1)


def line_of(user: Any, conversation_id: UUID) -> Line | None:
    """One conversation as the inbox shows it; None for who is not a side of it."""
    return next(iter(_lines(Conversation.objects.visible_to(user).filter(pk=conversation_id), user, 1)), None)


def _lines(rows: ConversationQuerySet, user: Any, limit: int) -> list[Line]:
    messages = Message.objects.filter(conversation=OuterRef("pk"))
    newest = messages.order_by("-created_at", "-id").values("id")[:1]
    waiting = messages.filter(kind=MessageKind.TEXT).exclude(author=user).filter(created_at__gt=read_until(user, OuterRef("conversation_id")))
    count = waiting.order_by().values("conversation").annotate(n=Count("id")).values("n")
    found: list[Any] = list(
        rows.select_related("client", "builder__builder")
        .annotate(newest_id=Subquery(newest), unread=Coalesce(Subquery(count, output_field=IntegerField()), 0))
        .order_by("-last_message_at", "-id")[:limit]
    )
    last = Message.objects.prefetch_related("attachments").in_bulk([row.newest_id for row in found if row.newest_id])
    chips = handlers.chips_of([row.pk for row in found], user)
    return [_line(row, user, last.get(row.newest_id), row.unread, chips.get(row.pk)) for row in found]


def _line(conversation: Conversation, user: Any, last: Message | None, unread: int, chip: handlers.Chip | None) -> Line:
    text = last.words if last else ""
    if last and not text:
        text = _("File: %(names)s") % {"names": ", ".join(attachment.name for attachment in last.attachments.all())}
    mine = last is not None and last.author_id == user.pk
    return Line(conversation, conversation.other(user), last, mine, " ".join(text[:200].split()), unread, chip)


def chrome(request: HttpRequest) -> dict[str, Callable[[], int]]:
    """Context processor: how many conversations wait, asked for only where a page shows it, and once."""

    @cache
    def count() -> int:
        user = getattr(request, "user", None)
        return unread_count(user) if user is not None and user.is_authenticated else 0

    return {"unread_messages": count}
