"""The pages of orders. Every step is a POST that answers with the fresh parts of the page, or goes back to it without htmx."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from port444.catalog.models import Package, Service
from port444.kit import readonly
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.kit.money import fee
from port444.messaging.actions import send_message
from port444.messaging.forms import MessageForm
from port444.messaging.queries import unread_count
from port444.orders import actions, handlers, helm, queries
from port444.orders.forms import ACCEPT, AnswersForm, AskMoreForm, CancelForm, DeliverForm, PlaceForm, ReplyForm, ReviewForm, RevisionForm
from port444.orders.models import WORKING, Order, OrderStatus, Requirement
from port444.orders.queries.reviews import Exchange
from port444.payments.queries import purse

S = OrderStatus
SHOWS = {"": pgettext_lazy("everything that happened", "All"), "messages": _("Messages"), "files": _("Files")}
Forms = dict[str, forms.Form]
DESK, SIDE = "desk", "side"
REMINDED = (S.PENDING_REQUIREMENTS, S.DELIVERED)  # the client is reminded, unless they were just here


def order_for(request: UserRequest, number: int) -> Order:
    return get_object_or_404(Order.objects.visible_to(request.user).with_people().select_related("service", "package", "invoice"), number=number)


def _page(request: UserRequest, order: Order, *, bound: Forms | None = None, refusal: str = "", said: str = "") -> dict[str, Any]:
    """All that the order page and its parts show; `bound` holds the form that came back with errors."""
    moment, viewer = now(), request.user
    show = request.GET.get("show", "") if request.GET.get("show", "") in SHOWS else ""
    requirements = queries.requirements_of(order)
    reviews = queries.reviews.exchange(order, viewer, moment)
    state, version = queries.version_of(order, viewer, moment, reviews, show=show)
    is_builder = order.is_builder(viewer)
    additions = handlers.additions(order, viewer, moment)
    money = queries.purse(order)
    return {
        "order": order,
        "offer": queries.offers.offer_of(order) if order.is_custom else None,
        "helm": next((more.helm for more in additions if more.helm), None) or helm.steer(order, viewer, moment, settled=money.settled),
        "additions": additions,
        "stages": helm.route(order, viewer, moment, asks=bool(requirements)),
        "feed": queries.feed(order, viewer, requirements, show=show),
        "requirements": requirements,
        "reviews": reviews,
        "standing": queries.reviews.standing(order.conversation_id, order.client_id, moment) if is_builder else None,
        "purse": money,
        "receipts": queries.receipts_of(order) if order.paid_at and not is_builder else [],
        "is_builder": is_builder,
        "other": order.other(viewer),
        "late": order.is_late(moment),
        "cause": order.may_cancel(viewer, moment),
        "may_dispute": queries.disputes.may_dispute(order),
        "ended_by_dispute": order.completed_at is not None and any(more.context.get("ended_by_dispute") for more in additions),
        "due": helm.due(order, moment),
        "answer_due_at": helm.due_if_answered(order, moment),
        "moment": moment,
        "review_days": settings.REVIEW_DAYS,
        "state": state,
        "version": version,
        "show": show,
        "shows": SHOWS,
        "client_key": uuid7(),
        "accept": ACCEPT,
        "refusal": refusal,
        "said": said,
        "forms": _forms(order, is_builder, requirements, reviews) | (bound or {}),
        "bound": next(iter(bound), "") if bound else "",
    }


def _forms(order: Order, is_builder: bool, requirements: list[Any], reviews: Exchange | None) -> Forms:
    """The forms that fit the state and the side."""
    found: Forms = {"cancel": CancelForm(auto_id="cancel_%s")}
    if (order.status == S.PENDING_REQUIREMENTS or order.asks_more) and not is_builder:
        rows = [row for row in requirements if row.is_more == order.asks_more]
        found["answer"] = AnswersForm(rows, auto_id="answer_%s", label_suffix="")
    if order.status in WORKING and is_builder and order.asked_more_at is None and order.clock_stopped_at is None:
        found["ask"] = AskMoreForm(auto_id="ask_%s")
    if order.status in WORKING and is_builder:
        found["deliver"] = DeliverForm(auto_id="deliver_%s")
    if order.status == S.DELIVERED and not is_builder:
        found["revision"] = RevisionForm(auto_id="revision_%s")
    if reviews is not None and reviews.is_open:
        found["review"] = ReviewForm.of(reviews.mine, about=order.client if is_builder else order.builder.user, by_client=not is_builder)
    if reviews is not None and reviews.may_reply and reviews.theirs is not None:
        found["reply"] = ReplyForm(initial={"text": reviews.theirs.reply}, auto_id="reply_%s")
    return found


def _answer(request: UserRequest, number: int, *, status: int = 200, part: str = "", **more: Any) -> HttpResponse:
    """The order as it is now: its parts for htmx (or one `part`, so that other forms keep what is written in them), else the page."""
    context = _page(request, order_for(request, number), **more)
    if request.htmx:
        return render(request, "orders/_live.html", {**context, "whole": not part, "part": part}, status=status)
    return render(request, "orders/detail.html", context, status=status)


def step(request: UserRequest, number: int, name: str, form: forms.Form | None, act: Callable[[Order], object], said: str) -> HttpResponse:
    """Check the form, act, and show the order as it is afterwards: 422 with errors, 409 when it had moved on."""
    order = order_for(request, number)
    if form is not None and not form.is_valid():
        _focus_fault(form)
        return _answer(request, number, status=422, bound={name: form}, part=SIDE if name == "cancel" else DESK)
    try:
        act(order)
    except Conflict as error:
        kept = {name: form} if form is not None and error.code == "revisions_used_up" else None  # the note goes into what is offered instead
        return _answer(request, number, status=409, refusal=error.message, bound=kept)
    except Invalid as error:
        if form is None:
            raise
        form.add_error(None, error.message)
        return _answer(request, number, status=422, bound={name: form}, part=SIDE if name == "cancel" else DESK)
    if request.htmx:
        return _answer(request, number, said=said)
    return done(request, reverse("orders:detail", args=[number]), said)


def _focus_fault(form: forms.Form) -> None:
    """The first field at fault takes the focus, which went away with the form that was sent."""
    name = next((name for name in form.fields if name in form.errors), "")
    if name:
        form.fields[name].widget.attrs["autofocus"] = True


@login_required
@require_POST
def place(request: UserRequest, package_id: UUID) -> HttpResponse:
    package = get_object_or_404(Package.objects.filter(service__in=Service.objects.visible_to(request.user)), pk=package_id)
    form = PlaceForm(request.POST)
    if not form.is_valid():
        raise Invalid(gettext("This order button is out of date. Reload the page and press it again."), code="client_key")
    # One form offers all packages: who comes back and picks another one wants another order.
    key = uuid5(form.cleaned_data["client_key"], str(package.pk))
    order = actions.place_order(package.pk, actor=request.user, client_key=key, like=form.cleaned_data["like"])
    if order.status == S.PENDING_PAYMENT:
        return done(request, reverse("payments:checkout", args=[order.invoice_id]))
    return done(request, reverse("orders:detail", args=[order.number]))


@login_required
@require_GET
def again(request: UserRequest, number: int) -> HttpResponse:
    """A completed order beside what its package is now; ordering it again is ordering that."""
    rows = Order.objects.filter(client=request.user, status=S.COMPLETED).with_people().select_related("service", "package")
    order, moment = get_object_or_404(rows, number=number), now()
    context = {
        "order": order,
        "look": queries.reorder.reorder_of(order, moment),
        "builder": order.builder,
        "client_key": uuid7(),
        "fee_percent": Decimal(settings.CLIENT_FEE_BPS) / 100,
    }
    package = order.package
    if package is not None:
        context |= {"fee": fee(package.price, settings.CLIENT_FEE_BPS), "total": package.price + fee(package.price, settings.CLIENT_FEE_BPS)}
    return render(request, "orders/again.html", context)


@login_required
@require_GET
def detail(request: UserRequest, number: int) -> HttpResponse:
    order = order_for(request, number)
    goes_on = order.goes_on_in if order.status == S.CANCELLED else None
    if goes_on is not None:
        facts = {"number": number, "other": goes_on.number}
        merged, back = gettext("Order %(number)s was merged into order %(other)s."), gettext("Order %(number)s is part again of order %(other)s.")
        said = "" if readonly.is_on() else (merged if order.merged_into_id else back) % facts
        return done(request, reverse("orders:detail", args=[goes_on.number]), said)
    if order.status in REMINDED and not order.is_builder(request.user) and not readonly.is_on():
        actions.note_opened(order.pk, actor=request.user)
    return render(request, "orders/detail.html", _page(request, order))


@login_required
@require_GET
def live(request: UserRequest, number: int) -> HttpResponse:
    """The parts that changed since the page was shown; 304 when nothing did. Forms are sent anew only when the state has moved on."""
    order = order_for(request, number)
    show = request.GET.get("show", "") if request.GET.get("show", "") in SHOWS else ""
    moment = now()
    state, version = queries.version_of(order, request.user, moment, queries.reviews.exchange(order, request.user, moment), show=show)
    etag = f'"{version}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    if not request.htmx:
        return redirect("orders:detail", number)
    context = _page(request, order)
    context["whole"] = request.GET.get("state") != state
    response = render(request, "orders/_live.html", context)
    response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
    return response


@login_required
@require_POST
def message(request: UserRequest, number: int) -> HttpResponse:
    order = order_for(request, number)
    form = MessageForm(request.POST, request.FILES)
    if not form.is_valid():
        raise Invalid(gettext("This page is out of date. Reload it and send again."), code="message")
    data = form.cleaned_data
    try:
        send_message(
            order.conversation_id,
            actor=request.user,
            body=data["body"],
            client_key=data["client_key"],
            uploads=data["uploads"],
            subject=("order", order.pk),
        )
    except (Invalid, TooMany, WrongState) as error:
        if request.htmx:
            return render(request, "orders/_unsent.html", {"error": error}, status=error.status)
        context = _page(request, order) | {"unsent": error.message, "body": data["body"], "client_key": data["client_key"]}
        return render(request, "orders/detail.html", context, status=error.status)
    if not request.htmx:
        return done(request, reverse("orders:detail", args=[number]))
    return render(request, "orders/_live.html", {**_page(request, order_for(request, number)), "sent": True})


@login_required
@require_POST
def answer(request: UserRequest, number: int) -> HttpResponse:
    order = order_for(request, number)
    if order.is_builder(request.user):
        raise NotAllowed(gettext("Only the client of this order can do that."))
    draft = request.POST.get("step") == "save"
    rows = [row for row in queries.requirements_of(order) if row.is_more == order.asks_more]
    form = AnswersForm(rows, request.POST, request.FILES, draft=draft, auto_id="answer_%s", label_suffix="")
    act = actions.save_answers if draft else actions.answer_requirements
    said = gettext("Saved. Nothing is sent yet.") if draft else gettext("Sent. The clock runs.")
    return step(request, number, "answer", form, lambda order: act(order.pk, actor=request.user, answers=form.answers, uploads=form.uploads), said)


@login_required
@require_POST
def ask_more(request: UserRequest, number: int) -> HttpResponse:
    form = AskMoreForm(request.POST, auto_id="ask_%s")
    return step(
        request,
        number,
        "ask",
        form,
        lambda order: actions.ask_more(order.pk, actor=request.user, questions=form.cleaned_data["questions"]),
        gettext("Asked. Your clock stands until the answers are there."),
    )


@login_required
@require_POST
def go_on_without(request: UserRequest, number: int) -> HttpResponse:
    return step(request, number, "go_on", None, lambda order: actions.go_on_without(order.pk, actor=request.user), gettext("Your clock runs again."))


@login_required
@require_GET
def preview_questions(request: UserRequest, pk: UUID) -> HttpResponse:
    """The questions of a service as its clients meet them; for its builder, and nothing can be sent."""
    service = get_object_or_404(Service.objects.owned_by(request.user), pk=pk)
    asked = [
        Requirement(position=n, label=one["label"], kind=one["kind"], options=one["options"], is_required=one["required"], help=one.get("help", ""))
        for n, one in enumerate(service.questions, 1)
    ]
    form = AnswersForm(asked, auto_id="answer_%s", label_suffix="")
    return render(request, "orders/preview_questions.html", {"service": service, "form": form})


@login_required
@require_POST
def deliver(request: UserRequest, number: int) -> HttpResponse:
    form = DeliverForm(request.POST, request.FILES, auto_id="deliver_%s")
    return step(
        request,
        number,
        "deliver",
        form,
        lambda order: actions.deliver(order.pk, actor=request.user, note=form.cleaned_data["note"], uploads=form.cleaned_data["uploads"]),
        gettext("Delivered."),
    )


@login_required
@require_POST
def revision(request: UserRequest, number: int) -> HttpResponse:
    form = RevisionForm(request.POST, auto_id="revision_%s")
    return step(
        request,
        number,
        "revision",
        form,
        lambda order: actions.request_revision(order.pk, actor=request.user, note=form.cleaned_data["note"]),
        gettext("Your changes are asked for."),
    )


@login_required
@require_POST
def accept(request: UserRequest, number: int) -> HttpResponse:
    return step(request, number, "accept", None, lambda order: actions.accept_delivery(order.pk, actor=request.user), gettext("Accepted. Thank you."))


@login_required
@require_POST
def cancel(request: UserRequest, number: int) -> HttpResponse:
    form = CancelForm(request.POST, auto_id="cancel_%s")
    return step(
        request,
        number,
        "cancel",
        form,
        lambda order: actions.cancel_order(order.pk, actor=request.user, reason=form.cleaned_data["reason"]),
        gettext("The order is cancelled."),
    )


@login_required
@require_GET
def list_orders(request: UserRequest) -> HttpResponse:
    user = request.user
    side = request.GET.get("as", "")
    as_builder = user.is_builder and (side == "builder" or (side != "client" and not user.is_client))
    page = queries.order_page(user, as_builder=as_builder, after=request.GET.get("after", ""))
    moment = now()
    turns = handlers.helms([order for _, orders in page.groups for order in orders], user, moment)
    asked = [order for name, orders in page.groups if name == str(queries.NEEDS_YOU) for order in orders]
    found = queries.needs.of_orders(asked, turns, user, moment)
    if not request.GET.get("after"):
        found += queries.needs.besides(user, moment, as_builder=as_builder)
    rows = [
        (name, [(order, turns.get(order.pk) or helm.steer(order, user, moment)) for order in orders])
        for name, orders in page.groups
        if name != str(queries.NEEDS_YOU)
    ]
    side = "builder" if as_builder else "client"
    context = {
        "needs": queries.needs.lines(found, user, moment),
        "groups": rows,
        "as_builder": as_builder,
        "both": user.is_builder and user.is_client,
        "next_url": f"{reverse('orders:list')}?as={side}&after={page.after}" if page.after else "",
        "further": bool(request.GET.get("after")),
        "renews": not request.GET.get("after"),
    }
    if not request.htmx or context["renews"]:
        return render(request, "orders/list.html", context)
    # Who has gone further down the list keeps it: fetching it anew would take that away.
    response = render(request, "orders/list.html#rows", context)
    response.write('<div id="news" hx-swap-oob="delete"></div>')
    return response


@login_required
@require_GET
def today(request: UserRequest) -> HttpResponse:
    user = request.user
    if not user.is_builder:
        return redirect("orders:list")
    moment = now()
    builder = getattr(user, "builder", None)
    steps = queries.first_steps(user, builder)
    context: dict[str, Any] = {
        "moment": moment,
        "part": _part_of_day(moment.astimezone(ZoneInfo(user.time_zone)).hour),
        "steps": steps,
        "builder": builder,
        "unread": unread_count(user),
        "renews": True,
    }
    if builder is not None:
        queue = queries.queue(builder)
        turns = handlers.helms(queue, user, moment)
        asked = [order for order in queue if _wants(order, turns.get(order.pk))]
        found = queries.needs.of_orders(asked, turns, user, moment) + queries.needs.besides(user, moment, as_builder=True)
        context |= {
            "needs": queries.needs.lines(found, user, moment),
            "waiting": [(order, helm.task(order, user, moment, turns.get(order.pk))) for order in queue if order not in asked],
            "calls": queries.next_calls(builder, moment),
            "purse": purse(user, ZoneInfo(user.time_zone)),
        }
    return render(request, "orders/today.html", context)


def _wants(order: Order, turn: helm.Helm | None) -> bool:
    """Whether a builder has to do something about an order that runs."""
    works = order.status in WORKING and order.disputed_at is None and not order.asks_more
    return works or (turn is not None and not turn.wait)


def _part_of_day(hour: int) -> str:
    return "morning" if 4 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"
