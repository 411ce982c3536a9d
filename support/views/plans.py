"""Plans: the list, one plan with its figures and its decision, and the page with which every kind of plan begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from allauth.mfa.base.forms import ReauthenticateForm
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.accounts.queries import recently_proved
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed
from port444.kit.http import UserRequest, done
from support import actions, kinds
from support.actions.plans import OPEN_STATES, approvers_of, cannot_decide
from support.forms import NoteForm, form_of, macros_of
from support.models import Plan, PlanKind, PlanQuerySet, PlanStatus
from support.roles import may, require

from .frame import console_page, show

SHOWN = 50
S = PlanStatus
MONEY = re.compile(r"-?\d{1,3}(?:,?\d{3})*\.\d\d(?: USDC)?")
TONES = {
    S.REQUESTED: "wait",
    S.APPROVED: "wait",
    S.EXECUTED: "go",
    S.FAILED: "bad",
    S.REJECTED: "bad",
}
STATES = [("waiting", "Waiting"), ("mine", "Mine"), ("all", "All")]


@dataclass(frozen=True, slots=True)
class Line:
    """A figure as a row of a table: money with the difference, or words."""

    label: str
    before: str
    after: str
    note: str
    is_sum: bool
    change: Decimal | None = None


# The list


@require_GET
@console_page("see_people")
def list_plans(request: UserRequest) -> HttpResponse:
    """What waits, longest first; one's own, and all of them, newest first."""
    which = request.GET.get("which", "waiting")
    if which not in dict(STATES):
        which = "waiting"
    kind, status = request.GET.get("kind", ""), request.GET.get("status", "")
    rows: PlanQuerySet = Plan.objects.visible_to(request.user).with_people()
    if which == "waiting":
        rows, status = rows.waiting(), ""
    elif which == "mine":
        rows = rows.filter(requester=request.user)
    if kind in PlanKind.values:
        rows = rows.filter(kind=kind)
    if status in S.values:
        rows = rows.filter(status=status)
    after = request.GET.get("after", "")
    oldest_first = which == "waiting"
    if after.isascii() and after.isdigit() and len(after) < 10:
        rows = rows.filter(number__gt=int(after)) if oldest_first else rows.filter(number__lt=int(after))
    found = list(rows.order_by("number" if oldest_first else "-number")[: SHOWN + 1])
    asked = {"which": which, "kind": kind, "status": status}
    more = f"?{urlencode({**asked, 'after': found[SHOWN - 1].number})}" if len(found) > SHOWN else ""
    context = {
        "rows": [(row, TONES.get(S(row.status), "")) for row in found[:SHOWN]],
        "which": which,
        "states": [(name, label, f"?{urlencode({**asked, 'which': name, 'status': ''})}") for name, label in STATES],
        "kinds": PlanKind.choices,
        "kind": kind,
        "statuses": S.choices,
        "status": status,
        "more": more,
        "first": f"?{urlencode(asked)}" if after else "",
        "beginnings": _beginnings(request.user),
    }
    return show(request, "support/plans/list.html", context, section="plans", title="Approvals")


def _beginnings(user: Any) -> list[tuple[str, str]]:
    """The kinds of plans that this member of staff may begin here."""
    single = [key for key in PlanKind if key != PlanKind.MACRO and form_of(key) and may(user, kinds.of(key).permission)]
    begin = reverse("support:draft", args=[PlanKind.MACRO])
    several = [(f"{begin}?macro={macro.key}", macro.name) for macro in macros_of(user)]
    return [*((reverse("support:draft", args=[key]), str(key.label)) for key in single), *several]


# Beginning one


@require_http_methods(["GET", "POST"])
@console_page()
def draft(request: UserRequest, kind: str) -> HttpResponse:
    """What a plan asks for. Nothing is kept before its figures are worked out; `?from=` begins with what another plan said."""
    form_class = form_of(kind)
    if form_class is None:
        raise Http404
    key = PlanKind(kind)
    require(request.user, kinds.of(kind).permission)
    given: Mapping[str, Any] = request.GET
    earlier = _earlier(request, key)
    if earlier is not None:
        given = _said(earlier)
    form = form_class(request.POST if request.method == "POST" else None, given=given, actor=request.user)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_ready and form.is_valid():
            try:
                made = actions.draft_plan(key, actor=request.user, asked=form.asked, reason=form.cleaned_data["reason"], about=form.about())
            except (Invalid, NotAllowed, Conflict) as error:
                field = form.FIELD_OF.get(error.code)
                form.add_error(field if field in form.fields else None, error.message)
                status = error.status
            else:
                if earlier is not None and earlier.status == S.DRAFT and earlier.requester_id == request.user.pk:
                    actions.withdraw_plan(earlier.pk, actor=request.user)
                return done(request, reverse("support:plan", args=[made.number]))
    context = {"form": form, "earlier": earlier}
    return show(request, "support/plans/draft.html", context, section="plans", title=form.heading or str(key.label), status=status)


def _earlier(request: UserRequest, key: PlanKind) -> Plan | None:
    number = request.GET.get("from", "")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return Plan.objects.visible_to(request.user).with_people().filter(number=int(number), kind=key).first()


def _said(plan: Plan) -> dict[str, Any]:
    """What was typed for a plan, as its form takes it."""
    about = {
        "person": plan.target_user_id,
        "order": plan.order.number if plan.order else None,
        "other": plan.other_order.number if plan.other_order else None,
        "dispute": plan.dispute.number if plan.dispute else None,
    }
    return {**{name: str(value) for name, value in about.items() if value}, **plan.asked, "reason": plan.reason}


# One plan


@require_GET
@console_page("see_people")
def plan(request: UserRequest, number: int) -> HttpResponse:
    return _page(request, _find(request, number))


@require_POST
@console_page()
def submit(request: UserRequest, number: int) -> HttpResponse:
    """Done at once, or asked of a second person."""
    row = _find(request, number)
    try:
        row = actions.submit_plan(row.pk, actor=request.user, seen=request.POST.get("seen", ""))
    except DomainError as error:
        return _page(request, _find(request, number), error)
    words = "Done." if row.status == S.EXECUTED else "Asked for. Another member of staff decides; you are told."
    return done(request, _address(row), words)


@require_POST
@console_page("approve")
def approve(request: UserRequest, number: int) -> HttpResponse:
    """With a code from the authenticator app, unless one was given within ten minutes. What was agreed to is done at once."""
    row = _find(request, number)
    refused = cannot_decide(row, request.user)
    if refused is not None:
        return _page(request, row, refused)
    if not recently_proved(request):
        code = ReauthenticateForm(request.POST, user=request.user)
        if not code.is_valid():
            wrong = "; ".join(code.errors.get("code", ["Give the code."]))
            return _page(request, row, Invalid(wrong, code="code"))
        code.save()
    try:
        actions.approve_plan(row.pk, actor=request.user, seen=request.POST.get("seen", ""), note=_note(request))
    except DomainError as error:
        return _page(request, _find(request, number), error)
    row = actions.execute_plan(row.pk)
    if row.status == S.EXECUTED:
        return done(request, _address(row), "Approved and done.")
    words = "Its figures had changed. Nothing moved; it went back." if row.status == S.DRAFT else f"Approved, but it could not be done: {row.error}"
    messages.warning(request, words)
    return HttpResponseRedirect(_address(row) if row.status != S.DRAFT else reverse("support:plans"))


@require_POST
@console_page("approve")
def reject(request: UserRequest, number: int) -> HttpResponse:
    row = _find(request, number)
    try:
        row = actions.reject_plan(row.pk, actor=request.user, note=_note(request))
    except DomainError as error:
        return _page(request, _find(request, number), error)
    return done(request, _address(row), f"Rejected. {row.requester.name} is told.")


@require_POST
@console_page()
def withdraw(request: UserRequest, number: int) -> HttpResponse:
    row = _find(request, number)
    was_draft = row.status == S.DRAFT
    try:
        row = actions.withdraw_plan(row.pk, actor=request.user)
    except DomainError as error:
        return _page(request, _find(request, number), error)
    return done(request, reverse("support:plans"), f"{row} is {'thrown away' if was_draft else 'withdrawn'}.")


def _note(request: UserRequest) -> str:
    """What who decides says. Raises Invalid."""
    form = NoteForm(request.POST)
    if not form.is_valid():
        raise Invalid(" ".join(str(error) for error in form.errors["note"]), code="note")
    note: str = form.cleaned_data["note"]
    return note


def _find(request: UserRequest, number: int) -> Plan:
    return get_object_or_404(Plan.objects.visible_to(request.user).with_people(), number=min(number, 2**31 - 1))


def _address(row: Plan) -> str:
    return reverse("support:plan", args=[row.number])


def _page(request: UserRequest, row: Plan, error: DomainError | None = None) -> HttpResponse:
    require(request.user, "see_people")
    preview, differs, fails = actions.look_at_plan(row)
    money, words = _lines(preview.get("figures", ()))
    is_mine = row.requester_id == request.user.pk
    waits = row.status == S.REQUESTED
    refused = cannot_decide(row, request.user) if waits else None
    can_decide = waits and refused is None
    form_class = form_of(row.kind)
    blocked = [fails] if fails else list(preview.get("blocked", ()))
    context = {
        "plan": row,
        "preview": preview,
        "sha256": preview.get("sha256", ""),
        "money": money,
        "words": words,
        "differs": differs,
        "blocked": blocked if row.status in OPEN_STATES else [],
        "tone": TONES.get(S(row.status), ""),
        "steps": _steps(row),
        "is_mine": is_mine,
        "can_submit": is_mine and row.status == S.DRAFT and not blocked,
        "can_change": is_mine and form_class is not None and row.status in (S.DRAFT, S.REJECTED, S.EXPIRED, S.FAILED, S.WITHDRAWN),
        "can_withdraw": is_mine and row.status in OPEN_STATES,
        "can_decide": can_decide,
        "needs_code": can_decide and not recently_proved(request),
        "refused": refused,
        "deciders": approvers_of(row)[:6] if row.status in (S.DRAFT, S.REQUESTED) and preview.get("needs_approval") else [],
        "part": form_class.part if form_class else "",
        "error": error,
        "code_error": error if error is not None and error.code == "code" else None,
        "note": request.POST.get("note", "")[:600],
        "moment": now(),
    }
    return show(request, "support/plans/plan.html", context, section="plans", title=f"{row}", status=error.status if error else 200)


def _lines(figures: Any) -> tuple[list[Line], list[Line]]:
    """Money, and what else changes."""
    money, words = [], []
    for figure in figures:
        before, after = figure["before"], figure["after"]
        if MONEY.fullmatch(after) and (not before or MONEY.fullmatch(before)):
            change = _amount(after) - _amount(before) if before else None
            money.append(Line(figure["label"], _plain(before), _plain(after), figure["note"], figure["is_sum"], change))
        else:
            words.append(Line(figure["label"], before, after, figure["note"], figure["is_sum"]))
    return money, words


def _amount(said: str) -> Decimal:
    return Decimal(said.removesuffix(" USDC").replace(",", ""))


def _plain(said: str) -> str:
    return f"{_amount(said):,.2f}" if said else ""


def _steps(row: Plan) -> list[tuple[str, str, str]]:
    """Class, name and what stands below it."""
    if row.status in (S.WITHDRAWN, S.EXPIRED):
        return []
    ended = row.status in (S.EXECUTED, S.FAILED, S.REJECTED)
    decision = ("Approval", row.approver.name.split()[0] if row.approver else "")
    asked = "done" if row.requested_at or ended else ""
    steps = [("done" if row.status != S.DRAFT else "now", "Draft", "")]
    if row.needs_approval:
        steps.append((asked, "Asked", ""))
        steps.append(("now" if row.status == S.REQUESTED else "done" if row.decided_at else "", *decision))
    last = "Rejected" if row.status == S.REJECTED else "Failed" if row.status == S.FAILED else "Done"
    return [*steps, ("done" if ended else "now" if row.status == S.APPROVED else "", last, "")]
