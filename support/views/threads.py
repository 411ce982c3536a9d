"""Private conversations: who talks with whom is seen at once, what they say for a reason and a while."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from port444.kit.clock import now
from port444.kit.http import UserRequest, done
from port444.messaging.models import Conversation, Message
from port444.messaging.queries import feed_messages
from support.actions import open_thread as open_it
from support.forms import OpenThread
from support.models import ThreadOpening

from .frame import console_page, show

PAGE = 50


@require_GET
@console_page("open_threads")
def thread(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    conversation = _find(conversation_id)
    return _page(request, conversation, OpenThread())


@require_POST
@console_page("open_threads")
def open_thread(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    conversation = _find(conversation_id)
    form = OpenThread(request.POST)
    if not form.is_valid():
        return _page(request, conversation, form, status=422)
    open_it(conversation.pk, actor=request.user, reason=form.cleaned_data["reason"])
    return done(request, reverse("support:thread", args=[conversation.pk]))


def _find(conversation_id: UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.select_related("client", "builder"), pk=conversation_id)


def _page(request: UserRequest, conversation: Conversation, form: OpenThread, status: int = 200) -> HttpResponse:
    openings = ThreadOpening.objects.filter(conversation=conversation, agent=request.user, closes_at__gt=now())
    opening = openings.order_by("-closes_at").first()
    context: dict[str, Any] = {"conversation": conversation, "form": form, "opening": opening, "is_own": conversation.is_party(request.user)}
    if opening is not None:
        before = _before(request, conversation)
        messages = feed_messages(conversation, before=before, limit=PAGE + 1)
        more, messages = len(messages) > PAGE, messages[-PAGE:]
        context |= {"messages_shown": messages, "older": messages[0].pk if more else "", "is_newest": before is None}
    title = f"{conversation.client.name} and {conversation.builder.name}"
    return show(request, "support/thread.html", context, section="people", title=title, status=status)


def _before(request: UserRequest, conversation: Conversation) -> Message | None:
    said = request.GET.get("before", "")
    if not said:
        return None
    try:
        key = UUID(said)
    except ValueError:
        raise Http404 from None
    return get_object_or_404(Message, pk=key, conversation=conversation)
