from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.builders.models import Builder
from port444.kit import readonly, uploads
from port444.kit.clock import now
from port444.kit.errors import DomainError, Invalid
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7

from . import actions, handlers, queries
from .forms import MessageForm, ReportForm
from .models import Attachment, Conversation, Message, PersonReport, PreviewStatus, ReadMarker, Report, ReportReason, Subject

PAGE = 50
LINES = 30


@login_required
@require_GET
def inbox(request: UserRequest) -> HttpResponse:
    context = lines(request)
    return render(request, "messaging/inbox.html#lines" if request.htmx and "older" in request.GET else "messaging/inbox.html", context)


def lines(request: UserRequest) -> dict[str, Any]:
    """The list of conversations: of the inbox page, and beside a thread."""
    unread_only = request.GET.get("show") == "unread"
    before = by_id(Conversation.objects.visible_to(request.user), request.GET.get("older"))
    found = queries.inbox(request.user, unread_only=unread_only, before=before, limit=LINES)
    more = ""
    if len(found) > LINES:
        more = f"{reverse('messaging:inbox')}?older={found[LINES - 1].conversation.pk}{'&show=unread' if unread_only else ''}"
    return {"lines": found[:LINES], "more_lines": more, "unread_only": unread_only}


@login_required
@require_http_methods(["GET", "POST"])
def thread(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    """A conversation. Opening it is reading it: that much is written on GET, or it would need a script."""
    mine = Conversation.objects.visible_to(request.user)
    conversation = get_object_or_404(mine.select_related("client", "builder__builder"), pk=conversation_id)
    if request.method == "POST":
        return send(request, conversation)
    before = by_id(Message.objects.filter(conversation=conversation), request.GET.get("before"))
    if before is None:
        if not readonly.is_on():  # support looks; the person has not
            actions.mark_read(conversation.pk, actor=request.user)
    elif request.htmx:
        return render(request, "messaging/thread.html#earlier", feed(request, conversation, before, now()))
    return thread_page(request, conversation, MessageForm(), before=before)


def send(request: UserRequest, conversation: Conversation) -> HttpResponse:
    """Answer the composer: without a script with the page, with htmx with what is new. A refusal keeps the text."""
    form = MessageForm(request.POST, request.FILES)
    try:
        if not form.is_valid():
            raise Invalid(_("This message could not be read. Reload the page and try again."))
        data = form.cleaned_data
        actions.send_message(conversation.pk, actor=request.user, body=data["body"], client_key=data["client_key"], uploads=data["uploads"])
    except DomainError as error:
        if request.htmx:
            response = render(request, "messaging/_refused.html", {"error": error}, status=error.status)
            response["HX-Retarget"], response["HX-Reswap"] = "#composer-error", "innerHTML"
            return response
        form.add_error(None, error.message)
        return thread_page(request, conversation, form, status=error.status)
    if request.htmx:
        after = by_id(Message.objects.filter(conversation=conversation), request.POST.get("after"))
        state = queries.state_of(conversation.pk, request.user)
        context = news(request, conversation, after, state.seen_at if state else None)
        return render(request, "messaging/_sent.html", {**context, "client_key": uuid7()})
    return redirect(f"{conversation.get_absolute_url()}#composer")


@login_required
@require_GET
def poll(request: UserRequest, conversation_id: UUID) -> HttpResponseBase:
    """What is new since the page was drawn: one query and a 304 when there is nothing."""
    state = queries.state_of(conversation_id, request.user)
    if state is None:
        raise Http404
    if request.headers.get("If-None-Match") == state.etag:
        return HttpResponseNotModified(headers={"ETag": state.etag, "Cache-Control": "no-store"})
    conversation = Conversation.objects.visible_to(request.user).select_related("client", "builder__builder").get(pk=conversation_id)
    after = by_id(Message.objects.filter(conversation=conversation), request.GET.get("after"))
    context = news(request, conversation, after, state.seen_at)
    response = render(request, "messaging/_news.html", context)
    response["ETag"], response["Cache-Control"] = context["etag"], "no-store"
    return response


@login_required
@require_POST
def read(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    """An open page says that somebody is looking at it, up to the message it shows last."""
    conversation = get_object_or_404(Conversation.objects.visible_to(request.user), pk=conversation_id)
    last = by_id(Message.objects.filter(conversation=conversation), request.POST.get("last"))
    if last is not None:
        actions.mark_read(conversation.pk, actor=request.user, until=last.created_at)
    return HttpResponse(status=204)


@login_required
@require_http_methods(["GET", "POST"])
def report_person(request: UserRequest, slug: str) -> HttpResponse:
    """Tell support that something is wrong with a builder."""
    builder = get_object_or_404(Builder.objects.visible().exclude(user=request.user).select_related("user"), slug=slug)
    form = ReportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason, text = ReportReason(form.cleaned_data["reason"]), form.cleaned_data["text"]
        actions.report_person(builder.user_id, actor=request.user, reason=reason, text=text)
        return done(request, builder.get_absolute_url(), _("Thank you. Support looks at it; nobody else is told."))
    report = PersonReport.objects.filter(person=builder.user, reporter=request.user).first()
    context = {"person": builder.user, "form": form, "report": report, "back": builder.get_absolute_url(), "is_of_person": True}
    return render(request, "messaging/report.html", context, status=422 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def report(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    """Tell support that something is wrong in a conversation."""
    mine = Conversation.objects.visible_to(request.user).select_related("client", "builder")
    conversation = get_object_or_404(mine, pk=conversation_id)
    form = ReportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        actions.report_conversation(
            conversation.pk, actor=request.user, reason=ReportReason(form.cleaned_data["reason"]), text=form.cleaned_data["text"]
        )
        return done(request, conversation.get_absolute_url(), _("Thank you. Support looks at it; the other side is not told."))
    context = {
        "back": conversation.get_absolute_url(),
        "person": conversation.other(request.user),
        "form": form,
        "report": Report.objects.filter(conversation=conversation, reporter=request.user).first(),
    }
    return render(request, "messaging/report.html", context, status=422 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def start(request: UserRequest, slug: str) -> HttpResponse:
    """Write to a builder; the conversation begins with the first message."""
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    if builder.user_id == request.user.pk:
        raise Invalid(_("This is your own page: you cannot write to yourself."))
    form = MessageForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            message = actions.start_conversation(
                builder.pk, actor=request.user, body=data["body"], client_key=data["client_key"], uploads=data["uploads"]
            )
            return redirect(message.conversation)
        except DomainError as error:
            form.add_error(None, error.message)
            return render(request, "messaging/start.html", start_page(request, builder, form), status=error.status)
    existing = Conversation.objects.filter(client=request.user, builder=builder.user).first()
    if request.method == "GET" and existing is not None:
        return redirect(existing)
    return render(request, "messaging/start.html", start_page(request, builder, form), status=422 if form.is_bound else 200)


@login_required
@require_GET
def attachment(request: UserRequest, attachment_id: UUID) -> HttpResponseBase:
    response = uploads.handed_out(get_object_or_404(Attachment.objects.visible_to(request.user), pk=attachment_id))
    return _closed(response)


@login_required
@require_GET
def file(request: UserRequest, attachment_id: UUID) -> HttpResponse:
    """Look at a file: its picture where there is one, what it is, and the files beside it."""
    found = get_object_or_404(Attachment.objects.visible_to(request.user).select_related("conversation", "owner"), pk=attachment_id)
    beside = handlers.companions_of(found)
    place = beside.index(found.pk) if found.pk in beside else 0
    near = Attachment.objects.visible_to(request.user).in_bulk(beside[max(place - 1, 0) : place] + beside[place + 1 : place + 2])
    context = {
        "file": found,
        "is_ready": found.preview == PreviewStatus.READY,
        "is_waiting": found.preview == PreviewStatus.WAITING,
        "place": place + 1,
        "count": len(beside),
        "before": near.get(beside[place - 1]) if place else None,
        "after": near.get(beside[place + 1]) if place + 1 < len(beside) else None,
    }
    return render(request, "messaging/file.html", context)


@login_required
@require_GET
def picture(request: UserRequest, attachment_id: UUID) -> HttpResponseBase:
    return _drawn(request, attachment_id, lambda row: row.large_name)


@login_required
@require_GET
def small(request: UserRequest, attachment_id: UUID) -> HttpResponseBase:
    return _drawn(request, attachment_id, lambda row: row.small_name)


def _drawn(request: UserRequest, attachment_id: UUID, name: Callable[[Attachment], str]) -> HttpResponseBase:
    """A picture that we have drawn ourselves; the file itself is never shown."""
    row = get_object_or_404(Attachment.objects.visible_to(request.user), pk=attachment_id, preview=PreviewStatus.READY)
    try:
        content = default_storage.open(name(row), "rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return _closed(FileResponse(content, content_type="image/jpeg"))


def _closed(response: FileResponse) -> FileResponse:
    """For the two people alone, and nothing in it is carried out."""
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, max-age=3600"
    return response


def by_id(rows: Any, value: str | None) -> Any:
    """The row with the id that a query string names, or None; anything else than an id is 404."""
    if not value:
        return None
    try:
        return get_object_or_404(rows, pk=UUID(value))
    except ValueError as error:
        raise Http404 from error


@dataclass(frozen=True, slots=True)
class Part:
    """A drawn part of the page. `mark` names what it shows, so that a part which has not changed is not drawn over what somebody is
    filling in there."""

    id: str
    html: SafeString
    mark: str
    is_card: bool = False


# What differs each time a form is drawn.
FRESH = re.compile(r'(name="(?:csrfmiddlewaretoken|client_key)" value=")[^"]*')


def draw(request: UserRequest, key: str, parts: Iterable[handlers.Card | handlers.Panel], *, is_card: bool = False) -> Part:
    html = format_html_join("", "{}", ((render_to_string(part.template, {**part.context}, request),) for part in parts))
    return Part(key, html, sha256(FRESH.sub(r"\1", html).encode()).hexdigest()[:16], is_card)


def cards(request: UserRequest, conversation: Conversation, subjects: Iterable[Subject], moment: datetime) -> dict[Subject, Part]:
    found = handlers.cards_of(subjects, conversation, request.user, moment)
    return {subject: draw(request, f"card-{subject[1]}", [card], is_card=True) for subject, card in found.items()}


def zones(request: UserRequest, conversation: Conversation, moment: datetime) -> dict[str, Part]:
    """The places beside the messages, each with what stands there."""
    found = handlers.panels_of(conversation, request.user, moment)
    return {str(place): draw(request, f"zone-{place}", [panel for panel in found if panel.place == place]) for place in handlers.Place}


def subjects_of(messages: Iterable[Message]) -> list[Subject]:
    return [message.subject for message in messages if message.subject]


def feed(request: UserRequest, conversation: Conversation, before: Message | None, moment: datetime) -> dict[str, Any]:
    """A page of messages, oldest first, with the link to those before it."""
    messages = queries.feed_messages(conversation, before=before, limit=PAGE + 1)
    earlier = messages[1].pk if len(messages) > PAGE else None
    messages = messages[-PAGE:]
    shown = queries.entries(messages, cards=cards(request, conversation, subjects_of(messages), moment))
    return {"conversation": conversation, "entries": shown, "earlier": earlier, "last": messages[-1] if messages else None}


def news(request: UserRequest, conversation: Conversation, after: Message | None, seen_at: Any) -> dict[str, Any]:
    """What came behind `after`, the place where the next news will be put, and what it may have changed on the page."""
    moment = now()
    messages = queries.messages_after(conversation, after)
    last = messages[-1] if messages else after
    heard = [message for message in messages if message.author_id not in (None, request.user.pk)]
    fresh = cards(request, conversation, subjects_of(messages), moment)
    seen = queries.recent_subjects(conversation, but=messages) if messages and after else []
    return {
        "conversation": conversation,
        "entries": queries.entries(messages, after=after.created_at if after else None, cards=fresh),
        "heard": heard,
        "said": [message for message in messages if message.author_id != request.user.pk],
        "redrawn": [*cards(request, conversation, seen, moment).values(), *zones(request, conversation, moment).values()] if messages else [],
        **tail(request, conversation, last, seen_at),
    }


def tail(request: UserRequest, conversation: Conversation, last: Message | None, seen_at: Any) -> dict[str, Any]:
    """The end of the feed: whether the other side has seen the last word, and how the page asks for news."""
    mine = last is not None and last.author_id == request.user.pk
    etag = queries.etag(last.pk if last else None, seen_at)
    return {
        "last": last,
        "etag": etag,
        "poll_headers": json.dumps({"If-None-Match": etag}),
        "seen_at": seen_at if mine and last is not None and seen_at and seen_at >= last.created_at else None,
    }


def composer(request: UserRequest, conversation: Conversation, form: MessageForm) -> dict[str, Any]:
    return {
        "form": form,
        "person": conversation.other(request.user),
        "action": conversation.get_absolute_url(),
        "accept": ",".join(f".{extension}" for extension in sorted(uploads.KINDS)),
        "most_mb": settings.UPLOAD_MAX_BYTES // 2**20,
    }


def thread_page(
    request: UserRequest, conversation: Conversation, form: MessageForm, *, before: Message | None = None, status: int = 200
) -> HttpResponse:
    moment = now()
    page = feed(request, conversation, before, moment)
    other = conversation.other(request.user)
    seen_at = ReadMarker.objects.filter(conversation=conversation, user=other).values_list("read_at", flat=True).first()
    context = {
        **lines(request),
        **page,
        **tail(request, conversation, page["last"], seen_at),
        **composer(request, conversation, form),
        "facts": handlers.facts_of(conversation, request.user),
        "profile": Builder.objects.visible().filter(user=other).first() if other.pk == conversation.builder_id else None,
        "zones": zones(request, conversation, moment),
        **away(conversation, moment),
        "moment": moment,
        "history": before is not None,
    }
    return render(request, "messaging/thread.html", context, status=status)


def away(conversation: Conversation, moment: datetime) -> dict[str, Any]:
    """Whether the side that sells is away, and whether the other one was told in this conversation."""
    builder = queries.builder_of(conversation)
    if builder is None or not builder.is_away_at(moment):
        return {}
    told = Message.objects.filter(conversation=conversation, client_key=queries.away_key(conversation, builder)).exists()
    return {"away": builder, "told": told}


def start_page(request: UserRequest, builder: Builder, form: MessageForm) -> dict[str, Any]:
    return {
        **lines(request),
        "builder": builder,
        "form": form,
        "person": builder.user,
        "action": reverse("messaging:start", args=[builder.slug]),
        "accept": ",".join(f".{extension}" for extension in sorted(uploads.KINDS)),
        "most_mb": settings.UPLOAD_MAX_BYTES // 2**20,
        "moment": now(),
    }
