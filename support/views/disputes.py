"""A dispute as support meets it: both sides, what was added, what was delivered, and the decision with its money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_GET, require_POST

from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid
from port444.kit.http import UserRequest, done
from port444.kit.uploads import handed_out
from port444.messaging.models import Attachment
from port444.orders.models import Delivery, Dispute, DisputeStatus, Evidence
from port444.orders.queries.disputes import Look, attachments_of, look_at
from support.actions import draft_decision, note_file_opened, note_look, submit_plan, withdraw_plan, write_to_sides
from support.actions.disputes import PERMISSION
from support.forms import DecisionForm, SubmitForm, WordsForm
from support.models import Plan, PlanStatus
from support.roles import may, may_any

from .frame import console_page, show

S = DisputeStatus
DECIDED_WITHIN = timedelta(hours=48)  # after which the queue calls it overdue
MOST_SHOWN = 100
READERS = ("open_threads", PERMISSION)  # what the two wrote and sent is between them, as their conversation is
TONES = {S.OPEN: "", S.ANSWERED: "", S.ESCALATED: "wait", S.SETTLED: "go", S.WITHDRAWN: "", S.DECIDED: "go"}


@dataclass(frozen=True, slots=True)
class File:
    name: str
    size: int
    href: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that was added or delivered."""

    who: str
    words: str  # what it is, beside the name
    at: Any
    text: str
    files: list[File]


@dataclass(frozen=True, slots=True)
class Step:
    at: Any
    title: str
    note: str = ""
    tone: str = ""


OVER = (S.SETTLED, S.DECIDED, S.WITHDRAWN)
SHOWN = 50


@require_GET
@console_page("see_people")
def list_disputes(request: UserRequest) -> HttpResponse:
    """Those that are over, newest first; what is live is the queue's."""
    state = request.GET.get("state", "")
    state = state if state in [str(one) for one in OVER] else ""
    rows = Dispute.objects.with_people().filter(status__in=[state] if state else OVER).order_by("-number")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 10:
        rows = rows.filter(number__lt=int(before))
    found = list(rows[: SHOWN + 1])
    kept = {"state": state} if state else {}
    context = {
        "rows": [(row, TONES[S(row.status)]) for row in found[:SHOWN]],
        "state": state,
        "states": [("", "All that are over", "?"), *((str(one), one.label, f"?{urlencode({'state': one})}") for one in OVER)],
        "more": f"?{urlencode({**kept, 'before': found[SHOWN - 1].number})}" if len(found) > SHOWN else "",
        "first": f"?{urlencode(kept)}" if before else "",
    }
    return show(request, "support/disputes.html", context, section="home", title="Closed disputes")


def _dispute(number: int) -> Dispute:
    return get_object_or_404(Dispute.objects.with_people().select_related("order__service", "decided_by"), number=number)


@require_GET
@console_page("see_people")
def dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    """The figures for who sees people; what the two wrote, and their files, for `READERS`. It is a look at both."""
    found = _dispute(dispute_number)
    for person in (found.order.client, found.order.builder.user):
        note_look(request.session, actor=request.user, person=person, what=str(found))
    return _page(request, found)


def _page(
    request: UserRequest,
    found: Dispute,
    *,
    form: DecisionForm | None = None,
    words: WordsForm | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    order, moment = found.order, now()
    look, may_read = look_at(found, request.user), may_any(request.user, READERS)
    plans = list(found.plans.select_related("requester", "approver").order_by("-number")[:10])
    mine = next((plan for plan in plans if plan.status == PlanStatus.DRAFT and plan.requester_id == request.user.pk), None)
    due = found.escalated_at + DECIDED_WITHIN if found.escalated_at is not None else found.until
    may_decide = may(request.user, PERMISSION)
    waiting = next((plan for plan in plans if plan.status in (PlanStatus.REQUESTED, PlanStatus.APPROVED)), None)
    context = {
        "dispute": found,
        "order": order,
        "look": look,
        "tone": TONES[S(found.status)],
        "due": due if found.is_live else None,
        "overdue": found.is_live and due is not None and due <= moment,
        "may_read": may_read,
        "pieces": _pieces(found) if may_read else [],
        "deliveries": _deliveries(found) if may_read else [],
        "steps": _steps(found),
        "plans": [plan for plan in plans if plan != mine and plan.status != PlanStatus.DRAFT],
        "draft": mine,
        "waiting": waiting,
        "waiting_url": _plan_url(waiting),
        "may_write": may_decide and found.is_live and not _is_side(found, request),
        "why_not": _why_not(found, look, request, may_decide=may_decide, waiting=waiting),
        "form": form or DecisionForm(found.amount, _agreed(found)),
        "words": words or WordsForm(),
        "refusal": refusal,
        "sides": [(side, _url("support:person", side.person.pk)) for side in (look.claimant, look.other)],
        "order_url": _url("support:order", order.number) or reverse("admin:orders_order_change", args=[order.pk]),
    }
    title = f"{order.client.name} and {order.builder.user.name}"
    return show(request, "support/dispute.html", context, section="home", title=title, status=status)


def _why_not(found: Dispute, look: Look, request: UserRequest, *, may_decide: bool, waiting: Plan | None) -> str:
    """Why this member of staff cannot decide it now; empty when they can."""
    if not found.is_live:
        return "It is over."
    if found.status != S.ESCALATED:
        return "The two sides still have time to settle it themselves. It comes to support by itself."
    if not may_decide:
        return "Your group may not decide disputes."
    if _is_side(found, request):
        return "You cannot decide what is about yourself."
    if waiting is not None:
        return f"{waiting} is {waiting.status_words()}."
    return ""


def _is_side(found: Dispute, request: UserRequest) -> bool:
    return request.user.pk in (found.order.client_id, found.order.builder.user_id)


def _agreed(found: Dispute) -> Any:
    """Where the form begins: in the middle of what both say."""
    return found.to_client if found.offer is None else ((found.to_client + found.offer) / 2).quantize(found.amount)


def _url(name: str, *arguments: Any) -> str:
    """The address of another part's page, where there is one."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def _plan_url(plan: Plan | None) -> str:
    return _url("support:plan", plan.number) if plan is not None else ""


def _files(found: Dispute, rows: Iterable[Attachment]) -> list[File]:
    return [File(row.name, row.size, reverse("support:dispute_file", args=[found.number, row.pk])) for row in rows]


def _pieces(found: Dispute) -> list[Piece]:
    sides = {found.order.client_id: "client", found.order.builder.user_id: "builder"}
    rows = Evidence.objects.filter(dispute=found).select_related("author").prefetch_related("files")[:MOST_SHOWN]
    return [Piece(row.author.name, sides.get(row.author_id, "support"), row.added_at, row.text, _files(found, row.files.all())) for row in rows]


def _deliveries(found: Dispute) -> list[Piece]:
    name = found.order.builder.user.name
    rows = Delivery.objects.filter(order=found.order_id).prefetch_related("files").select_related("revision")[:MOST_SHOWN]
    pieces = []
    for row in rows:
        pieces.append(Piece(name, f"delivery {row.number}", row.delivered_at, row.note, _files(found, row.files.all())))
        revision = getattr(row, "revision", None)
        if revision is not None:
            pieces.append(Piece(found.order.client.name, f"changes to delivery {row.number}", revision.requested_at, revision.note, []))
    return pieces


def _steps(found: Dispute) -> list[Step]:
    order = found.order
    steps = [
        Step(order.placed_at, "Ordered", f"{order.title}, {order.bought_as.lower()}"),
        Step(order.started_at, "Work began"),
        Step(order.delivered_at, "Delivered"),
        Step(found.opened_at, f"{found.opened_by.name} opened it", found.get_reason_display(), "bad"),
        Step(found.answered_at, f"{found.other_side.name} answered", "", "go"),
        Step(found.escalated_at, "Came to support", "Its clock stands since it was opened", "wait"),
        Step(found.closed_at, found.get_status_display(), found.decided_by.name if found.decided_by is not None else "", "go"),
    ]
    return sorted((step for step in steps if step.at is not None), key=lambda step: step.at)


@require_POST
@console_page(PERMISSION)
def decide_dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    """Work out what a decision comes to. Nothing moves."""
    found = _dispute(dispute_number)
    form = DecisionForm(found.amount, None, request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    data = form.cleaned_data
    for older in Plan.objects.filter(dispute=found, requester=request.user, status=PlanStatus.DRAFT):
        withdraw_plan(older.pk, actor=request.user)
    try:
        draft_decision(found, actor=request.user, to_client=data["to_client"], decision=data["decision"], reason=data["reason"])
    except (Conflict, Invalid) as error:
        return _page(request, found, form=form, refusal=error.message, status=error.status)
    return done(request, f"{reverse('support:dispute', args=[found.number])}#h-p")


@require_POST
@console_page(PERMISSION)
def submit_decision(request: UserRequest, dispute_number: int) -> HttpResponse:
    """Ask for the draft of this dispute to be done: a second person approves it."""
    found, form = _dispute(dispute_number), SubmitForm(request.POST)
    plan = Plan.objects.filter(dispute=found, requester=request.user, status=PlanStatus.DRAFT).order_by("-number").first()
    if plan is None or not form.is_valid():
        raise Invalid("This page is out of date. Look at the dispute again.", code="seen")
    here = reverse("support:dispute", args=[found.number])
    if form.cleaned_data["do"] == "drop":
        withdraw_plan(plan.pk, actor=request.user)
        return done(request, f"{here}#decide")
    try:
        submit_plan(plan.pk, actor=request.user, seen=form.cleaned_data["seen"])
    except DomainError as error:
        return _page(request, _dispute(dispute_number), refusal=error.message, status=error.status)
    return done(request, here, f"{plan} waits for a second person.")


@require_POST
@console_page(PERMISSION)
def ask_in_dispute(request: UserRequest, dispute_number: int) -> HttpResponse:
    """Write to both sides."""
    found, form = _dispute(dispute_number), WordsForm(request.POST)
    if not form.is_valid():
        return _page(request, found, words=form, status=422)
    try:
        write_to_sides(found, actor=request.user, text=form.cleaned_data["text"])
    except (Conflict, Invalid) as error:
        return _page(request, found, words=form, refusal=error.message, status=error.status)
    return done(request, reverse("support:dispute", args=[found.number]), "Both sides are told.")


@require_GET
@console_page(*READERS)
def dispute_file(request: UserRequest, dispute_number: int, attachment_id: UUID) -> HttpResponseBase:
    """A file that was added to the dispute, or delivered: nothing else of the conversation. Who opens which one is recorded each time."""
    found = _dispute(dispute_number)
    file = get_object_or_404(attachments_of(found), pk=attachment_id)
    response = handed_out(file)
    note_file_opened(found, file, actor=request.user)
    return response
