"""Ending an order by agreement: the page on which it is proposed or answered with another division, and the three short answers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST

from port444.kit.errors import Conflict, Invalid, TooMany
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.orders import actions
from port444.orders.forms import DeclinePartingForm, PartingForm
from port444.orders.models import Order, Parting
from port444.orders.queries import partings as queries


def _order_url(order: Order) -> str:
    return reverse("orders:detail", args=[order.number])


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: UserRequest, number: int) -> HttpResponse:
    """Name a division, see what each gets, send it. Nothing is sent whose figures were not on the page (`seen`)."""
    order = get_object_or_404(Order.objects.visible_to(request.user).with_people(), number=number)
    standing = queries.open_parting(order)
    if not queries.may_part(order) or (standing is not None and standing.proposed_by_id == request.user.pk):
        return HttpResponseRedirect(f"{_order_url(order)}#{'parting' if standing else 'problem'}")
    whom = order.client.first_name if order.is_builder(request.user) else pgettext("whom money goes back to", "you")
    if request.method != "POST":
        half = (order.price / 2).quantize(Decimal("0.01"))
        initial = {"client_key": uuid7(), "to_client": standing.to_client if standing is not None else half}
        return _page(request, order, PartingForm(order.price, whom, initial=initial), standing)
    form = PartingForm(order.price, whom, request.POST)
    if request.POST.get("do") == "look":  # htmx, while it is written: only the figures are answered
        form.is_valid()
        return _page(request, order, form, standing, part="#figures" if request.htmx else "")
    if not form.is_valid():
        return _page(request, order, form, standing, status=422)
    data = form.cleaned_data
    if request.POST.get("seen") != f"{data['to_client']:.2f}":
        return _page(request, order, form, standing)
    try:
        asked: dict[str, Any] = {"client_key": data["client_key"], "to_client": data["to_client"], "reason": data["reason"]}
        if standing is not None:
            actions.counter_parting(standing.pk, actor=request.user, **asked)
        else:
            actions.propose_parting(order.pk, actor=request.user, **asked)
    except (Conflict, Invalid, TooMany) as error:
        form.add_error(None, error.message)
        return _page(request, order, form, standing, status=error.status)
    return done(
        request,
        f"{_order_url(order)}#parting",
        _("%(name)s is asked, and the order goes on until they agree.") % {"name": order.other(request.user).first_name},
    )


def _page(request: UserRequest, order: Order, form: PartingForm, standing: Parting | None, *, status: int = 200, part: str = "") -> HttpResponse:
    figure = getattr(form, "cleaned_data", {}).get("to_client") if form.is_bound else form.initial.get("to_client")
    context = {
        "order": order,
        "other": order.other(request.user),
        "is_builder": order.is_builder(request.user),
        "form": form,
        "standing": standing,
        "figure": figure,
        "shares": queries.shares_of(order, figure) if figure else None,
    }
    return render(request, f"orders/partings/propose.html{part}", context, status=status)


def _answer(request: UserRequest, parting_id: UUID, act: Callable[[Parting], object], said: str) -> HttpResponse:
    parting = get_object_or_404(Parting.objects.visible_to(request.user).with_people(), pk=parting_id)
    act(parting)
    return done(request, _order_url(parting.order), said)


@login_required
@require_POST
def accept_parting(request: UserRequest, parting_id: UUID) -> HttpResponse:
    return _answer(request, parting_id, lambda row: actions.accept_parting(row.pk, actor=request.user), _("Agreed. The money is on its way."))


@login_required
@require_POST
def decline_parting(request: UserRequest, parting_id: UUID) -> HttpResponse:
    form = DeclinePartingForm(request.POST)
    if not form.is_valid():
        get_object_or_404(Parting.objects.visible_to(request.user), pk=parting_id)
        raise Invalid(_("At most 1000 characters of plain text."), code="answer")

    def act(row: Parting) -> object:
        return actions.decline_parting(row.pk, actor=request.user, answer=form.cleaned_data["answer"])

    return _answer(request, parting_id, act, _("Declined. The order goes on as before."))


@login_required
@require_POST
def withdraw_parting(request: UserRequest, parting_id: UUID) -> HttpResponse:
    return _answer(
        request, parting_id, lambda row: actions.withdraw_parting(row.pk, actor=request.user), _("Withdrawn. The order goes on as before.")
    )
