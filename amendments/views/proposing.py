"""Proposing a change: the long form, more time, an extra revision, a new version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from amendments import actions, helm, queries
from amendments.forms import FIELDS, KINDS, ExtraRevisionForm, KeyForm, Kind, ProposeForm, initial, kind_of
from amendments.models import EXTRA_REVISION, Amendment, AmendmentStatus, AmendmentType
from amendments.terms import Terms, terms_of
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, TooMany
from port444.kit.http import UserRequest, done
from port444.kit.ids import uuid7
from port444.kit.money import ZERO
from port444.orders.models import Order

from .found import amendment_of, order_of, order_url

A = AmendmentStatus


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: UserRequest, number: int) -> HttpResponse:
    """Choose a type, fill in what it takes, see before and after, send. Looking at it writes nothing."""
    order = order_of(request, number)
    if request.method == "POST":
        return _written(request, order, None)
    standing = queries.open_amendment(order)
    if standing is not None:
        return HttpResponseRedirect(reverse("amendments:detail", args=[standing.pk]))
    if not queries.may_propose(order):
        return HttpResponseRedirect(reverse("orders:detail", args=[number]))
    kind = kind_of(request.GET)
    return _form_page(request, order, kind, ProposeForm(kind, initial=_with_suggestion(order, kind, {})) if kind else None)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def revise(request: UserRequest, amendment_id: UUID) -> HttpResponse:
    """A new version of a change, which starts from what the last one said."""
    amendment = amendment_of(request, amendment_id)
    if request.method == "POST":
        return _written(request, amendment.order, amendment)
    if not amendment.can_move_to(A.SUPERSEDED) or request.user.pk != amendment.proposer.pk:
        return HttpResponseRedirect(reverse("amendments:detail", args=[amendment.pk]))
    kind = kind_of(request.GET) or KINDS[amendment.amendment_type]
    return _form_page(request, amendment.order, kind, ProposeForm(kind, initial=initial(terms_of(amendment))), replaces=amendment)


def _written(request: UserRequest, order: Order, replaces: Amendment | None) -> HttpResponse:
    """What was filled in: shown with its consequences, or proposed."""
    kind = kind_of(request.POST)
    do = request.POST.get("do", "propose")
    if do in ("fields", "preview"):
        written = _with_suggestion(order, kind, request.POST.dict())
        shown, read = (ProposeForm(kind, initial=written), ProposeForm(kind, written)) if kind else (None, None)
        return _form_page(request, order, kind, shown, replaces=replaces, bound=read, part=do)
    form = ProposeForm(kind, request.POST) if kind else None
    key = KeyForm(request.POST)
    if form is None or not form.is_valid() or not key.is_valid():
        fault = _("Choose what should change.") if form is None else "" if key.is_valid() else _("This page is out of date.")
        return _form_page(request, order, kind, form, replaces=replaces, fault=fault, status=422)
    try:
        if replaces is None:
            made = actions.propose(order.pk, actor=request.user, client_key=key.cleaned_data["client_key"], terms=form.terms())
        else:
            made = actions.revise(replaces.pk, actor=request.user, client_key=key.cleaned_data["client_key"], terms=form.terms())
    except Invalid as error:
        form.add_error(None, error.message)
        return _form_page(request, order, kind, form, replaces=replaces, status=422)
    except (Conflict, TooMany) as error:
        return _form_page(request, order, kind, form, replaces=replaces, fault=error.message, status=error.status)
    return done(request, order_url(order), _asked(made, helm.hours_words()))


def _asked(made: Amendment, hours: str) -> str:
    return _("%(name)s is asked, and answers within %(hours)s.") % {"name": made.answerer.first_name, "hours": hours}


def _with_suggestion(order: Order, kind: Kind | None, written: dict[str, Any]) -> dict[str, Any]:
    """An extra revision has a price that can be guessed; what somebody has written stays."""
    if kind is None or kind.value != AmendmentType.OUT_OF_SCOPE_REVISION or written.get("amount"):
        return written
    suggested = initial(queries.suggested_terms(order))
    return written | {"amount": suggested["amount"], "days": written.get("days") or suggested["days"]}


def _form_page(
    request: UserRequest,
    order: Order,
    kind: Kind | None,
    form: ProposeForm | None,
    *,
    replaces: Amendment | None = None,
    bound: ProposeForm | None = None,
    fault: str = "",
    part: str = "",
    status: int = 200,
) -> HttpResponse:
    moment = now()
    filled = bound or form
    terms = _filled(filled, kind)
    before = queries.preview(order, terms, moment) if terms else None
    credit = queries.credit_for(order, terms, moment) if terms and not order.is_builder(request.user) else ZERO
    url = reverse("amendments:revise", args=[replaces.pk]) if replaces else reverse("amendments:propose", args=[order.number])
    context = {
        "order": order,
        "other": order.other(request.user),
        "is_builder": order.is_builder(request.user),
        "kinds": KINDS.values(),
        "kind": kind,
        "form": form,
        "kept": [(name, request.POST[name]) for name in FIELDS if kind and request.POST.get(name) and name not in kind.fields],
        "replaces": replaces,
        "page_url": url,
        "client_key": request.POST.get("client_key") or uuid7(),
        "fault": fault,
        "standing": queries.open_amendment(order) if status == 409 else None,
        "preview": before,
        "terms": terms,
        "rows": helm.rows(before, terms) if before and terms else [],
        "sums": helm.sums(order, terms.amount, before.fee, credit) if before and terms else None,
        "rule": helm.days_rule(order),
        "hours": helm.hours_words(),
        "moment": moment,
    }
    if request.htmx and part:
        return render(request, f"amendments/propose.html#{part}_response", context, status=status)
    return render(request, "amendments/propose.html", context, status=status)


def _filled(form: ProposeForm | None, kind: Kind | None) -> Terms | None:
    """What can be read of the form so far."""
    if form is None or kind is None:
        return None
    if form.is_bound:
        form.is_valid()
        return form.terms()
    started = ProposeForm(kind, dict(form.initial))
    started.is_valid()
    return started.terms()


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def more_time(request: UserRequest, number: int) -> HttpResponse:
    """The builder asks for days, and why: two fields, and the client answers in one press."""
    order = order_of(request, number)
    order.require_builder(request.user)
    kind = KINDS[AmendmentType.TIMELINE_EXTENSION]
    faults: dict[str, Any] = {}
    if request.method != "POST":
        standing = queries.open_amendment(order)
        if standing is not None:
            return HttpResponseRedirect(reverse("amendments:detail", args=[standing.pk]))
        if not queries.may_ask_for_time(order):
            return HttpResponseRedirect(reverse("orders:detail", args=[number]))
        return render(request, "amendments/more_time.html", _time_page(order, ProposeForm(kind), uuid7()))
    form, key = ProposeForm(kind, request.POST), KeyForm(request.POST)
    status = 422
    if not key.is_valid():
        faults["fault"] = _("This page is out of date.")
    elif form.is_valid():
        try:
            made = actions.propose(order.pk, actor=request.user, client_key=key.cleaned_data["client_key"], terms=form.terms())
        except Invalid as error:
            form.add_error(None, error.message)
        except (Conflict, TooMany) as error:
            faults, status = {"fault": error.message, "standing": queries.open_amendment(order)}, error.status
        else:
            return done(request, order_url(order), _asked(made, helm.hours_words(settings.EXTENSION_HOURS)))
    return render(request, "amendments/more_time.html", _time_page(order, form, request.POST.get("client_key") or uuid7()) | faults, status=status)


def _time_page(order: Order, form: ProposeForm, key: object) -> dict[str, Any]:
    return {"order": order, "client": order.client, "form": form, "client_key": key, "hours": helm.hours_words(settings.EXTENSION_HOURS)}


@login_required
@require_POST
def extra_revision(request: UserRequest, number: int) -> HttpResponse:
    """One more revision than the package has, proposed in one press from where the revision was refused."""
    order = order_of(request, number)
    order.require_client(request.user)
    form, key = ExtraRevisionForm(request.POST), KeyForm(request.POST)
    kind = KINDS["out_of_scope_revision"]
    if not form.is_valid() or not key.is_valid():
        return _form_page(request, order, kind, _as_proposal(request, kind), status=422)
    data = form.cleaned_data
    terms = replace(queries.suggested_terms(order, data["note"]), amount=data["amount"], days=data["days"])
    try:
        made = actions.propose(order.pk, actor=request.user, client_key=key.cleaned_data["client_key"], terms=terms)
    except (Conflict, Invalid, TooMany) as error:
        return _form_page(request, order, kind, _as_proposal(request, kind), fault=error.message, status=error.status)
    facts = {"name": made.answerer.first_name, "hours": helm.hours_words()}
    return done(request, order_url(order), _("%(name)s is asked for an extra revision, and answers within %(hours)s.") % facts)


def _as_proposal(request: UserRequest, kind: Kind) -> ProposeForm:
    """The form of one press as the long form, so that nothing that was written is lost."""
    data = request.POST
    return ProposeForm(
        kind,
        {
            "reason": EXTRA_REVISION,
            "description": data.get("note", ""),
            "amount": data.get("amount", ""),
            "days": data.get("days", ""),
        },
    )
