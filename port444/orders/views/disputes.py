"""The pages of a dispute for its two sides. Every step is a POST that leads back to the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, TooMany
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.orders import actions, helm
from port444.orders.forms import ACCEPT, AnswerDisputeForm, DisputeForm, EvidenceForm, FigureForm, SettleForm
from port444.orders.models import Dispute, Order
from port444.orders.queries import disputes as queries

Forms = dict[str, forms.Form]


def _dispute(request: UserRequest, number: int) -> Dispute:
    return get_object_or_404(Dispute.objects.visible_to(request.user).with_people(), number=number)


# Opening


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def open_dispute(request: UserRequest, number: int) -> HttpResponse:
    """Say what is wrong and what should become of the money. Looking at the form writes nothing."""
    order = get_object_or_404(Order.objects.visible_to(request.user).with_people(), number=number)
    standing = queries.live_dispute(order)
    if standing is not None:
        return HttpResponseRedirect(queries.url_of(standing))
    if not queries.may_dispute(order):
        return HttpResponseRedirect(f"{reverse('orders:detail', args=[number])}#problem")
    by_client, amount = not order.is_builder(request.user), queries.at_stake(order)
    names = (order.client.first_name, order.builder.user.first_name)
    if request.method != "POST":
        form = DisputeForm(amount, *names, by_client=by_client, initial={"client_key": uuid7(), "to_client": amount if by_client else amount * 0})
        return _form(request, order, form)
    form = DisputeForm(amount, *names, request.POST, request.FILES, by_client=by_client)
    if not form.is_valid():
        return _form(request, order, form, status=422)
    data = form.cleaned_data
    try:
        dispute = actions.open_dispute(
            order.pk,
            actor=request.user,
            client_key=data["client_key"],
            reason=form.reason_asked,
            claim=data["claim"],
            to_client=data["to_client"],
            uploads=data["uploads"],
        )
    except (Conflict, Invalid, TooMany) as error:
        form.add_error(None, error.message)
        return _form(request, order, form, status=error.status)
    other = dispute.other_side.first_name
    return done(
        request,
        queries.url_of(dispute),
        _("The dispute is open. %(other)s is told and has %(hours)s to answer.") % {"other": other, "hours": helm.hours_words(dispute)},
    )


def _form(request: UserRequest, order: Order, form: DisputeForm, status: int = 200) -> HttpResponse:
    context = {
        "order": order,
        "other": order.other(request.user),
        "is_builder": order.is_builder(request.user),
        "form": form,
        "amount": queries.at_stake(order),
        "answer_hours": helm.ANSWER_HOURS,
        "settle_hours": helm.SETTLE_HOURS,
        "accept": ACCEPT,
    }
    return render(request, "orders/disputes/open.html", context, status=status)


# The page


@login_required
@require_GET
def dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    return render(request, "orders/disputes/detail.html", _page(request, _dispute(request, dispute_number)))


@login_required
@require_GET
def dispute_live(request: UserRequest, dispute_number: int) -> HttpResponse:
    """The parts of the page when something happened; 304 when nothing did. Forms are sent anew only when the state has moved on."""
    found = _dispute(request, dispute_number)
    etag = f'"{queries.mark_of(found)}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    if not request.htmx:
        return redirect("orders:dispute", dispute_number)
    whole = request.GET.get("state") != queries.state_of(found)
    response = render(request, "orders/disputes/_live.html", {**_page(request, found), "whole": whole})
    response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
    return response


def _page(request: UserRequest, found: Dispute, *, bound: Forms | None = None, refusal: str = "") -> dict[str, Any]:
    viewer = request.user
    look = queries.look_at(found, viewer)
    order = found.order
    back, _ = look.parts
    return {
        "look": look,
        "dispute": found,
        "order": order,
        "other": order.other(viewer),
        "is_builder": look.is_builder,
        "helm": helm.dispute_helm(found, viewer, href="#steps"),
        "pieces": queries.evidence_of(found, viewer),
        "split": queries.split_of(order, found.amount, back) if look.proposed is not None or not look.is_live else None,
        "forms": _forms(look) | (bound or {}),
        "bound": next(iter(bound), "") if bound else "",
        "refusal": refusal,
        "mark": queries.mark_of(found),
        "state": queries.state_of(found),
        "accept": ACCEPT,
        "moment": now(),
    }


def _forms(look: queries.Look) -> Forms:
    found: Forms = {}
    whom = pgettext("whom money goes back to", "you") if not look.is_builder else look.order.client.first_name
    if look.may_answer:
        found["answer"] = AnswerDisputeForm(look.dispute.amount, whom, auto_id="answer_%s")
    if look.may_change:
        found["figure"] = FigureForm(look.dispute.amount, whom, auto_id="figure_%s", initial={"to_client": look.dispute.figure_of(look.viewer)})
    if look.is_live:
        found["evidence"] = EvidenceForm(auto_id="evidence_%s")
    return found


def _step(request: UserRequest, number: int, name: str, form: forms.Form | None, act: Callable[[Dispute], object], said: str) -> HttpResponse:
    """Check the form, act, and go back to the page: 422 with errors, 409 when the dispute had moved on."""
    found = _dispute(request, number)
    if form is not None and not form.is_valid():
        return render(request, "orders/disputes/detail.html", _page(request, found, bound={name: form}), status=422)
    try:
        act(found)
    except Conflict as error:
        kept = {name: form} if form is not None else None
        context = _page(request, _dispute(request, number), bound=kept, refusal=error.message)
        return render(request, "orders/disputes/detail.html", context, status=409)
    except (Invalid, TooMany) as error:
        if form is None:
            raise
        form.add_error(None, error.message)
        return render(request, "orders/disputes/detail.html", _page(request, found, bound={name: form}), status=error.status)
    return done(request, reverse("orders:dispute", args=[number]), said)


def _whom(request: UserRequest, found: Dispute) -> str:
    return pgettext("whom money goes back to", "you") if request.user.pk == found.order.client_id else str(found.order.client.first_name)


@login_required
@require_POST
def answer_dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    found = _dispute(request, dispute_number)
    form = AnswerDisputeForm(found.amount, _whom(request, found), request.POST, request.FILES, auto_id="answer_%s")
    return _step(
        request,
        dispute_number,
        "answer",
        form,
        lambda row: actions.answer_dispute(
            row.pk,
            actor=request.user,
            answer=form.cleaned_data["answer"],
            offer=form.cleaned_data["offer"],
            uploads=form.cleaned_data["uploads"],
        ),
        _("Your answer is sent."),
    )


@login_required
@require_POST
def change_figure(request: UserRequest, dispute_number: int) -> HttpResponse:
    found = _dispute(request, dispute_number)
    form = FigureForm(found.amount, _whom(request, found), request.POST, auto_id="figure_%s")
    return _step(
        request,
        dispute_number,
        "figure",
        form,
        lambda row: actions.change_figure(row.pk, actor=request.user, to_client=form.cleaned_data["to_client"]),
        _("The other side is told."),
    )


@login_required
@require_POST
def settle_dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    form = SettleForm(request.POST)
    if not form.is_valid():
        _dispute(request, dispute_number)
        raise Invalid(_("This page is out of date. Reload it and look at the figure again."), code="seen")
    return _step(
        request,
        dispute_number,
        "settle",
        None,
        lambda row: actions.settle_dispute(row.pk, actor=request.user, seen=form.cleaned_data["seen"]),
        _("Settled. The money is on its way."),
    )


@login_required
@require_POST
def withdraw_dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    return _step(
        request,
        dispute_number,
        "withdraw",
        None,
        lambda row: actions.withdraw_dispute(row.pk, actor=request.user),
        _("Withdrawn. The order goes on where it stood."),
    )


@login_required
@require_POST
def escalate_dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    return _step(
        request,
        dispute_number,
        "escalate",
        None,
        lambda row: actions.escalate_dispute(row.pk, actor=request.user),
        _("Support is asked to decide."),
    )


@login_required
@require_POST
def add_evidence(request: UserRequest, dispute_number: int) -> HttpResponse:
    form = EvidenceForm(request.POST, request.FILES, auto_id="evidence_%s")
    return _step(
        request,
        dispute_number,
        "evidence",
        form,
        lambda row: actions.add_evidence(row.pk, actor=request.user, text=form.cleaned_data["text"], uploads=form.cleaned_data["uploads"]),
        _("Added. Both sides and support see it."),
    )
