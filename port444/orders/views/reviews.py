"""Writing reviews on the page of an order, reading those of a builder, a service or a client, and reporting one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.kit.http import HtmxRequest, UserRequest, done
from port444.messaging.forms import ReportForm
from port444.messaging.models import Conversation, ReportReason
from port444.orders import actions
from port444.orders.forms import ReplyForm, ReviewForm
from port444.orders.models import Review, ReviewQuerySet, ReviewReport
from port444.orders.queries.reviews import review_page

from .orders import order_for, step


@login_required
@require_POST
def review(request: UserRequest, number: int) -> HttpResponse:
    """Write one's review, or change it while it is not shown."""
    order = order_for(request, number)
    form = ReviewForm(request.POST, about=order.other(request.user), by_client=not order.is_builder(request.user))
    act = actions.change_review if Review.objects.filter(order=order, author=request.user).exists() else actions.leave_review
    said = _("Thank you. Your review is kept.")
    return step(request, number, "review", form, lambda order: act(order.pk, actor=request.user, **form.cleaned_data), said)


@login_required
@require_POST
def reply(request: UserRequest, number: int) -> HttpResponse:
    """Reply to what the other side said, or change the reply for a day."""
    shown = Review.objects.readable_by(request.user, now()).filter(about=request.user)
    found = get_object_or_404(shown, order=order_for(request, number))
    form = ReplyForm(request.POST, auto_id="reply_%s")
    said = _("Your reply is shown.")
    return step(request, number, "reply", form, lambda order: actions.reply_to_review(found.pk, actor=request.user, **form.cleaned_data), said)


@login_required
@require_http_methods(["GET", "POST"])
def report_review(request: UserRequest, review_id: UUID) -> HttpResponse:
    """Tell support that something is wrong with a review."""
    readable = Review.objects.readable_by(request.user, now()).exclude(author=request.user)
    found = get_object_or_404(readable.select_related("author", "service", "order"), pk=review_id)
    form = ReportForm(request.POST or None)
    to_order = request.user.pk == found.about_id
    back = reverse("orders:detail", args=[found.order.number]) if to_order else reverse("orders:service_reviews", args=[found.service.slug])
    if request.method == "POST" and form.is_valid():
        actions.report_review(found.pk, actor=request.user, reason=ReportReason(form.cleaned_data["reason"]), text=form.cleaned_data["text"])
        return done(request, back, _("Thank you. Support looks at it; nobody else is told."))
    mine = ReviewReport.objects.filter(review=found, reporter=request.user).first()
    context = {"person": found.author, "form": form, "report": mine, "back": back, "is_of_review": True}
    return render(request, "messaging/report.html", context, status=422 if request.method == "POST" else 200)


@require_GET
def service_reviews(request: HtmxRequest, slug: str) -> HttpResponse:
    service = get_object_or_404(Service.objects.visible_to(request.user).select_related("builder__user"), slug=slug)
    context = {"title": service.title, "back": service.get_absolute_url(), "who": service.builder.user, "service": service}
    return _list(request, Review.objects.public(now()).filter(service=service), context)


@require_GET
def builder_reviews(request: HtmxRequest, slug: str) -> HttpResponse:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    context = {"title": builder.user.name, "back": builder.get_absolute_url(), "who": builder.user, "with_service": True}
    return _list(request, Review.objects.public(now()).filter(builder=builder), context)


@login_required
@require_GET
def client_reviews(request: UserRequest, conversation_id: UUID) -> HttpResponse:
    """What builders said about a client, for a builder who is in a conversation with them."""
    talks = Conversation.objects.filter(builder=request.user).select_related("client")
    talk = get_object_or_404(talks, pk=conversation_id)
    context = {"title": talk.client.name, "back": talk.get_absolute_url(), "who": talk.client, "of_client": True}
    return _list(request, Review.objects.of_client(talk.client, now()), context)


def _list(request: HtmxRequest, rows: ReviewQuerySet, context: dict[str, Any]) -> HttpResponse:
    """One page of reviews, all of them or those with as many stars as were picked."""
    asked, after = request.GET.get("stars", ""), request.GET.get("after", "")
    stars = int(asked) if asked in ("1", "2", "3", "4", "5") else None
    page = review_page(rows, stars=stars, after=_id(after))
    query = urlencode({name: value for name, value in (("stars", stars), ("after", page.after)) if value})
    context |= {"page": page, "stars": stars, "more": f"{request.path}?{query}" if page.after else "", "is_further": bool(after)}
    further = request.htmx and context["is_further"]
    return render(request, "orders/reviews.html#rows" if further else "orders/reviews.html", context)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
