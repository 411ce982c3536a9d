"""Page-shaped reads of conversations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db.models import DateTimeField, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from .models import Conversation, ConversationQuerySet, Message, MessageKind, ReadMarker, Subject

MOST_COUNTED = 100
NEVER = Value(datetime(2000, 1, 1, tzinfo=UTC), output_field=DateTimeField())


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


def feed_messages(conversation: Conversation, *, before: Message | None = None, limit: int = 50, subject: Subject | None = None) -> list[Message]:
    """The newest `limit` messages, oldest first, or those before `before`; with author and files, in two queries.

    With `subject`, only what is about it.
    """
    rows = Message.objects.filter(conversation=conversation)
    if subject is not None:
        rows = rows.filter(subject_type=subject[0], subject_id=subject[1])
    if before is not None:
        rows = rows.filter(Q(created_at__lt=before.created_at) | Q(created_at=before.created_at, id__lt=before.pk))
    newest = rows.select_related("author").prefetch_related("attachments").order_by("-created_at", "-id")[:limit]
    return list(reversed(newest))


def chrome(request: HttpRequest) -> dict[str, Callable[[], int]]:
    """Context processor: how many conversations wait, asked for only where a page shows it, and once."""

    @cache
    def count() -> int:
        user = getattr(request, "user", None)
        return unread_count(user) if user is not None and user.is_authenticated else 0

    return {"unread_messages": count}
