"""What the API says about conversations and what is written in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from ninja import Schema
from pydantic import Field

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import In, Moment, Out, Row, Text, same

from .models import Attachment, Message, MessageKind, PreviewStatus, ReportReason
from .queries import Line

LONGEST = 5000


class FileOut(Out):
    """A file for the two people of a conversation."""

    id: UUID
    name: str
    mimetype: str
    size: int
    url: str = Field(description="Gives its bytes, as a download")
    picture_url: str | None = Field(description="A JPEG of it, or of its first page, where one could be drawn; for a browser that is signed in")


class MessageRow(Row):
    id: UUID
    conversation_id: UUID
    kind: MessageKind = Field(description="`notice` is a line of the system and has no author")
    author: PersonOut | None
    mine: bool
    body: str = Field(description="What was written; a notice is said in English, whatever language the two sides read")
    files: list[FileOut]
    subject_type: str = Field(description="What it is about, if it is about something", examples=["order"])
    subject_id: UUID | None
    created_at: Moment


class MessagesOut(Out):
    """Newest first; with `since` oldest first."""

    items: list[MessageRow]
    next: str | None
    seen_at: Moment | None = Field(description="How far the other side has read")


class ConversationRow(Row):
    id: UUID
    person: PersonOut = Field(description="The other side")
    you_are: str = Field(examples=["client", "builder"])
    unread: int
    last: str = Field(description="How the newest message begins, as its `body`")
    last_message_at: Moment


class ConversationsOut(Out):
    items: list[ConversationRow]
    next: str | None


class MessageIn(In):
    body: Text = Field(min_length=1, max_length=LONGEST)


class MessageForm(Schema):
    body: Text = Field("", max_length=LONGEST)


class StartIn(In):
    builder_id: UUID
    body: Text = Field(min_length=1, max_length=LONGEST)


class ReportPersonIn(In):
    reason: ReportReason
    text: Text = Field("", max_length=1000, description="What happened")


class ReportOut(Out):
    reason: ReportReason
    text: str
    created_at: Moment


class ReadIn(In):
    message_id: UUID | None = Field(None, description="The newest one that was seen; without it all")


def files_out(files: Iterable[Attachment]) -> list[FileOut]:
    return [_file(one) for one in files]


def _file(one: Attachment) -> FileOut:
    drawn = urljoin(settings.SITE_URL, reverse("messaging:picture", args=[one.pk])) if one.preview == PreviewStatus.READY else None
    url = urljoin(settings.SITE_URL, reverse("api:get_file", args=[one.pk]))
    return FileOut(**same(one, FileOut), url=url, picture_url=drawn)


def message_row(message: Message, reader: Any) -> MessageRow:
    """Its author and its files must be at hand."""
    return MessageRow(
        id=message.pk,
        conversation_id=message.conversation_id,
        kind=MessageKind(message.kind),
        author=person_out(message.author) if message.author is not None else None,
        mine=message.author_id == reader.pk,
        body=message.body,
        files=files_out(message.attachments.all()),
        subject_type=message.subject_type,
        subject_id=message.subject_id,
        created_at=message.created_at,
    )


def conversation_row(line: Line, reader: Any) -> ConversationRow:
    row = line.conversation
    return ConversationRow(
        id=row.pk,
        person=person_out(line.person),
        you_are="client" if row.client_id == reader.pk else "builder",
        unread=line.unread,
        last=line.text,
        last_message_at=row.last_message_at,
    )
