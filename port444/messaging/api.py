"""The API of conversations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from ninja import File, Form, Query, Router
from ninja.files import UploadedFile
from ninja.responses import Status
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.callers import client_key, may, once
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import KEY, Paging, also, answers, chosen, parameter
from port444.kit.uploads import handed_out

from . import actions, queries
from .models import Attachment, Conversation, Message
from .schemas import (
    ConversationRow,
    ConversationsOut,
    MessageForm,
    MessageIn,
    MessageRow,
    MessagesOut,
    ReadIn,
    ReportOut,
    ReportPersonIn,
    StartIn,
    conversation_row,
    message_row,
)

router = Router(tags=["Messages"])

MAY_KEY = parameter(
    "Idempotency-Key",
    "header",
    "Any text that is yours alone. The same message again with it is sent once, and is the answer again",
    maxLength=200,
)


class ConversationPaging(Paging):
    unread: bool = Field(False, description="Those alone in which something waits for you")


class MessagePaging(Paging):
    since: UUID | SkipJsonSchema[None] = Field(None, description="The newest message that you have: what was written after it, oldest first")


def _conversation(request: UserRequest, conversation_id: UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.visible_to(request.user), pk=conversation_id)


def _from_page(rows: Any, text: str | None) -> Any:
    """The row with which the page before ended."""
    if text is None:
        return None
    try:
        return rows.get(pk=UUID(text))
    except (ValueError, rows.model.DoesNotExist):
        raise Invalid("`after` is not from a page of these.", code="bad_cursor") from None


def _following(request: UserRequest, **key: UUID) -> str:
    asked = request.GET.copy()
    for name, value in key.items():
        asked[name] = str(value)
    return f"{request.path}?{asked.urlencode()}"


@router.get("/conversations", response=answers(200, ConversationsOut), auth=may(), summary="Your conversations")
def list_conversations(request: UserRequest, paging: Query[ConversationPaging]) -> HttpResponse:
    """Those in which something was said last come first."""
    before = _from_page(Conversation.objects.visible_to(request.user), paging.after)
    found = queries.inbox(request.user, unread_only=paging.unread, before=before, limit=paging.limit)
    shown = found[: paging.limit]
    following = _following(request, after=shown[-1].conversation.pk) if len(found) > paging.limit else None
    items = chosen((conversation_row(line, request.user) for line in shown), ConversationRow, paging.fields)
    return JsonResponse({"items": items, "next": following})


@router.post(
    "/conversations",
    response=answers(201, MessageRow),
    auth=may(Scope.MESSAGES),
    openapi_extra=also(MAY_KEY),
    summary="Write to a builder",
)
def start_conversation(request: UserRequest, body: StartIn) -> Status[MessageRow]:
    """There is one conversation for two people: it begins with the first message, and goes on with every other."""
    builder = get_object_or_404(Builder.objects.visible(), pk=body.builder_id)
    sent = actions.start_conversation(builder.pk, actor=request.user, body=body.body, client_key=client_key(request))
    return Status(201, _sent(request, sent, body.body))


@router.get("/conversations/{uuid:conversation_id}", response=answers(200, ConversationRow), auth=may(), summary="A conversation")
def get_conversation(request: UserRequest, conversation_id: UUID) -> ConversationRow:
    line = queries.line_of(request.user, conversation_id)
    if line is None:
        raise Http404
    return conversation_row(line, request.user)


@router.get("/conversations/{uuid:conversation_id}/messages", response=answers(200, MessagesOut), auth=may(), summary="Messages of a conversation")
def list_messages(request: UserRequest, conversation_id: UUID, paging: Query[MessagePaging]) -> HttpResponse:
    """Newest first. Who waits for more asks with `since`: then what came after it, oldest first. Looking marks nothing as read."""
    state = queries.state_of(conversation_id, request.user)
    if state is None:
        raise Http404
    conversation = Conversation(pk=conversation_id)
    rows = Message.objects.filter(conversation=conversation_id)
    following = None
    if paging.since is not None:
        found = queries.messages_after(conversation, get_object_or_404(rows, pk=paging.since), limit=paging.limit + 1)
        shown = found[: paging.limit]
        if len(found) > paging.limit:
            following = _following(request, since=shown[-1].pk)
    else:
        found = queries.feed_messages(conversation, before=_from_page(rows, paging.after), limit=paging.limit + 1)[::-1]
        shown = found[: paging.limit]
        if len(found) > paging.limit:
            following = _following(request, after=shown[-1].pk)
    told = MessagesOut(items=[], next=following, seen_at=state.seen_at).model_dump(mode="json")
    return JsonResponse(told | {"items": chosen((message_row(row, request.user) for row in shown), MessageRow, paging.fields)})


@router.post(
    "/conversations/{uuid:conversation_id}/messages",
    response=answers(201, MessageRow),
    auth=may(Scope.MESSAGES),
    openapi_extra=also(MAY_KEY),
    summary="Write a message",
)
def send_message(request: UserRequest, conversation_id: UUID, body: MessageIn) -> Status[MessageRow]:
    conversation = _conversation(request, conversation_id)
    sent = actions.send_message(conversation.pk, actor=request.user, body=body.body, client_key=client_key(request))
    return Status(201, _sent(request, sent, body.body))


@router.post(
    "/conversations/{uuid:conversation_id}/messages/files",
    response=answers(201, MessageRow),
    auth=may(Scope.MESSAGES),
    openapi_extra=also(KEY),
    summary="Write a message with files",
)
@once
def send_files(request: UserRequest, conversation_id: UUID, uploads: File[list[UploadedFile]], form: Form[MessageForm]) -> Status[MessageRow]:
    """Sent as `multipart/form-data`."""
    conversation = _conversation(request, conversation_id)
    sent = actions.send_message(conversation.pk, actor=request.user, body=form.body, client_key=client_key(request), uploads=uploads)
    return Status(201, _sent(request, sent, form.body))


def _sent(request: UserRequest, message: Message, body: str) -> MessageRow:
    """What was sent; with a key of before that was another text, nothing was."""
    if message.body != body.replace("\r\n", "\n").strip():
        raise Invalid("This Idempotency-Key was used for something else.", code="idempotency_key_reused")
    return _row(request, message.pk)


def _row(request: UserRequest, message_id: UUID) -> MessageRow:
    rows = Message.objects.filter(conversation__in=Conversation.objects.visible_to(request.user))
    return message_row(get_object_or_404(rows.select_related("author").prefetch_related("attachments"), pk=message_id), request.user)


@router.get("/messages/{uuid:message_id}", response=answers(200, MessageRow), auth=may(), summary="A message")
def get_message(request: UserRequest, message_id: UUID) -> MessageRow:
    return _row(request, message_id)


@router.post(
    "/conversations/{uuid:conversation_id}/report", response=answers(201, ReportOut), auth=may(Scope.MESSAGES), summary="Report a conversation"
)
def report_conversation(request: UserRequest, conversation_id: UUID, body: ReportPersonIn) -> Status[ReportOut]:
    """Support looks at it; the other side is not told. Once; the same again changes nothing."""
    conversation = _conversation(request, conversation_id)
    made = actions.report_conversation(conversation.pk, actor=request.user, reason=body.reason, text=body.text)
    return Status(201, ReportOut.model_validate(made, from_attributes=True))


@router.post("/builders/{slug}/report", response=answers(201, ReportOut), auth=may(Scope.MESSAGES), summary="Report a builder")
def report_builder(request: UserRequest, slug: str, body: ReportPersonIn) -> Status[ReportOut]:
    """Support looks at it; nobody else is told."""
    builder = get_object_or_404(Builder.objects.visible().exclude(user=request.user), slug=slug)
    made = actions.report_person(builder.user_id, actor=request.user, reason=body.reason, text=body.text)
    return Status(201, ReportOut.model_validate(made, from_attributes=True))


FILE = {"responses": {200: {"description": "The file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}}


@router.get("/files/{uuid:file_id}", response=answers(200, None), auth=may(), openapi_extra=also(**FILE), summary="A file")
def get_file(request: UserRequest, file_id: UUID) -> HttpResponseBase:
    """That was sent in a conversation of yours, with an answer, a delivery or a dispute, as a download."""
    return handed_out(get_object_or_404(Attachment.objects.visible_to(request.user), pk=file_id))


@router.post(
    "/conversations/{uuid:conversation_id}/read",
    response=answers(200, ConversationRow),
    auth=may(Scope.MESSAGES),
    summary="Mark a conversation as read",
)
def mark_conversation_read(request: UserRequest, conversation_id: UUID, body: ReadIn) -> ConversationRow:
    """The other side sees that you have read it."""
    conversation = _conversation(request, conversation_id)
    last = get_object_or_404(Message, conversation=conversation, pk=body.message_id) if body.message_id is not None else None
    actions.mark_read(conversation.pk, actor=request.user, until=last.created_at if last is not None else None)
    return get_conversation(request, conversation_id)
