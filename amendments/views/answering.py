"""Answering a change, paying for it, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from amendments import actions
from amendments.forms import AskForm, DeclineForm
from amendments.models import Amendment, AmendmentStatus
from port444.kit.errors import Conflict
from port444.kit.http import UserRequest, done

from .found import amendment_of, order_url
from .reading import page

A = AmendmentStatus


def _answer(request: UserRequest, amendment_id: UUID, act: Callable[[Amendment], Amendment], said: Callable[[Amendment], str]) -> HttpResponse:
    """Act, and go on to what comes next; a change that has moved on is shown as it is now."""
    amendment = amendment_of(request, amendment_id)
    try:
        amendment = act(amendment)
    except Conflict as error:
        context = page(request, amendment_of(request, amendment_id), refusal=error.message)
        return render(request, "amendments/detail.html", context, status=409)
    if amendment.status == A.APPROVED and amendment.invoice_id is not None and request.user.pk == amendment.order.client_id:
        return done(request, reverse("payments:checkout", args=[amendment.invoice_id]))
    here = reverse("amendments:detail", args=[amendment.pk]) if request.POST.get("at") == "change" else order_url(amendment.order)
    return done(request, here, said(amendment))


def _refuse(request: UserRequest, amendment_id: UUID, name: str, error: str) -> HttpResponse:
    """The page again with what was written and what is at fault."""
    context = page(request, amendment_of(request, amendment_id), faults={name: error}, said={name: request.POST.get(name, "")})
    return render(request, "amendments/detail.html", context, status=422)


@login_required
@require_POST
def approve(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    def said(amendment: Amendment) -> str:
        if amendment.status == A.COMPLETED:
            return _("Approved. The change is in force.")
        if amendment.status == A.APPROVED:
            return _("Approved. It is in force when %(name)s has paid.") % {"name": amendment.order.client.first_name}
        return _("Approved. The change comes into force in about a minute.")

    return _answer(request, amendment_id, lambda row: actions.approve(row.pk, actor=request.user), said)


@login_required
@require_POST
def decline(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    form = DeclineForm(request.POST, reason_needed=not amendment_of(request, amendment_id).asks_for_time)
    if not form.is_valid():
        return _refuse(request, amendment_id, "reason", str(form.errors["reason"][0]))
    return _answer(
        request,
        amendment_id,
        lambda row: actions.decline(row.pk, actor=request.user, reason=form.cleaned_data["reason"]),
        lambda row: (
            (
                _("Declined. %(name)s is told, and the order stays as it is.")
                if row.asks_for_time
                else _("Declined. %(name)s is told why, and the order stays as it is.")
            )
            % {"name": row.proposer.first_name}
        ),
    )


@login_required
@require_POST
def ask(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    form = AskForm(request.POST)
    if not form.is_valid():
        return _refuse(request, amendment_id, "note", str(form.errors["note"][0]))
    return _answer(
        request,
        amendment_id,
        lambda row: actions.ask_for_changes(row.pk, actor=request.user, note=form.cleaned_data["note"]),
        lambda row: _("%(name)s is asked for another version.") % {"name": row.proposer.first_name},
    )


@login_required
@require_POST
def withdraw(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    return _answer(
        request,
        amendment_id,
        lambda row: actions.withdraw(row.pk, actor=request.user),
        lambda row: _("Withdrawn. The order stays as it is."),
    )


@login_required
@require_POST
def retry(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    return _answer(
        request,
        amendment_id,
        lambda row: actions.retry_funding(row.pk, actor=request.user),
        lambda row: _("The change is in force.") if row.status == A.COMPLETED else _("Escrow is asked once more. It takes about a minute."),
    )


@login_required
@require_POST
def money_back(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    return _answer(
        request,
        amendment_id,
        lambda row: actions.take_money_back(row.pk, actor=request.user),
        lambda row: _("The money goes back to where it came from. The order stays as it was."),
    )
