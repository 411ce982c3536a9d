"""Incidents: the queue, one of them, and what is decided about it. Nobody meets what is about themselves."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from ninja.responses import Status
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from auditlog.models import IncidentEvent, IncidentLog, IncidentSeverity, IncidentStatus, IncidentType, Suppression, Verdict
from port444.accounts.callers import once
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest
from port444.kit.rest import IF_MATCH, KEY, Paging, Text, also, answers, page, tagged, unless_changed
from support import actions
from support import incidents as reads
from support.actions.alerts import HELD
from support.actions.deciding import Decision, Do
from support.actions.incidents import WORK
from support.schemas import (
    AssignIn,
    CheckIn,
    ClosedOut,
    CloseManyIn,
    CodeIn,
    HoldIn,
    IncidentNoteIn,
    IncidentOut,
    IncidentRow,
    IncidentsOut,
    InvestigateIn,
    JoinIncidentIn,
    NextIn,
    OpenIncidentIn,
    ReopenIn,
    ResolveIn,
    SuppressionRow,
    SuppressionsOut,
    TakenOut,
    incident_out,
    incident_row,
    suppression_row,
)

from .door import console, prove

router = Router(tags=["Console"])
ACTS = {"no_action": Do.NOTHING, "warning_issued": Do.WARN, "account_suspended": Do.SUSPEND}


class IncidentPaging(Paging):
    list_: Literal["waiting", "mine", "work", "second", "weak", "closed"] | SkipJsonSchema[None] = Field(
        None, alias="list", description="As the page's tabs"
    )
    status: IncidentStatus | SkipJsonSchema[None] = None
    incident_type: IncidentType | SkipJsonSchema[None] = None
    severity: IncidentSeverity | SkipJsonSchema[None] = None
    detector: Text | SkipJsonSchema[None] = Field(None, max_length=30)
    user_id: UUID | SkipJsonSchema[None] = Field(None, description="Whom it is about, alone or among others")
    overdue: bool = False


def _find(request: UserRequest, incident_id: UUID) -> IncidentLog:
    rows = IncidentLog.objects.visible_to(request.user).select_related("merged_into", "previous")
    return get_object_or_404(rows, pk=incident_id)


def _told(request: UserRequest, response: HttpResponse, incident_id: UUID) -> IncidentOut:
    found = _find(request, incident_id)
    tagged(response, found)
    events = IncidentEvent.objects.filter(incident=found).order_by("-id")[: reads.EVENTS_SHOWN]
    return incident_out(found, reads.look_at(found, request.user, now()), list(events))


@router.get("/incident-logs", response=answers(200, IncidentsOut), auth=console("see_incidents"), summary="Incidents")
def list_incidents(request: UserRequest, paging: Query[IncidentPaging]) -> HttpResponse:
    """Newest first. What is about you is not among them."""
    rows = reads.of_tab(paging.list_, request.user) if paging.list_ else IncidentLog.objects.visible_to(request.user)
    for name in ("status", "incident_type", "severity", "detector"):
        if (wanted := getattr(paging, name)) is not None:
            rows = rows.filter(**{name: wanted})
    if paging.user_id:
        rows = rows.filter(Q(user_id=paging.user_id) | Q(related_users__contains=[paging.user_id]))
    if paging.overdue:
        rows = rows.live().filter(due_at__lte=now())
    return page(request, paging, rows.defer("evidence", "reasons", "investigation_notes"), IncidentRow, incident_row)


@router.post("/incident-logs/next", response=answers(200, TakenOut), auth=console(WORK), summary="Take what is due first")
def take_next_incident(request: UserRequest, response: HttpResponse, body: NextIn) -> TakenOut:
    """Of what nobody has. Two who ask at once get two."""
    found = actions.take_next_incident(actor=request.user, weak=body.weak)
    return TakenOut(incident=_told(request, response, found.pk) if found is not None else None)


@router.post(
    "/incident-logs", response=answers(201, IncidentOut), auth=console(WORK), openapi_extra=also(KEY), summary="Write down what you saw of somebody"
)
@once
def open_incident(request: UserRequest, body: OpenIncidentIn) -> Status[IncidentOut]:
    """It is yours to decide."""
    about = get_object_or_404(User, pk=body.user_id)
    made = actions.open_incident_about(about.pk, actor=request.user, said=body.model_dump(exclude={"user_id"}, exclude_none=True))
    return Status(201, _told(request, HttpResponse(), made.pk))


@router.post("/incident-logs/close", response=answers(200, ClosedOut), auth=console(WORK), summary="Close several incidents with one reason")
def close_incidents(request: UserRequest, body: CloseManyIn) -> ClosedOut:
    """Each with its own record, and all of them at once."""
    numbers = {row.pk: row.number for row in IncidentLog.objects.visible_to(request.user).filter(pk__in=body.incidents)}
    if numbers.keys() != set(body.incidents):
        raise Http404
    found = actions.close_incidents(numbers.values(), actor=request.user, verdict=body.verdict, reason=body.reason, sure=body.sure)
    return ClosedOut(**{name: [row.pk for row in getattr(found, name)] for name in ClosedOut.model_fields})


@router.get("/incident-logs/{uuid:incident_id}", response=answers(200, IncidentOut), auth=console("see_incidents"), summary="An incident")
def get_incident(request: UserRequest, response: HttpResponse, incident_id: UUID) -> IncidentOut:
    return _told(request, response, incident_id)


@router.put(
    "/incident-logs/{uuid:incident_id}/investigate",
    response=answers(200, IncidentOut),
    auth=console(WORK),
    openapi_extra=also(IF_MATCH),
    summary="Take an incident",
)
def investigate_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: InvestigateIn) -> IncidentOut:
    """It is yours to decide; nothing happens when it is yours already. Whoever has it may hand it over with `assign`."""
    found = _find(request, incident_id)
    with transaction.atomic(), unless_changed(request, found):
        actions.take_incident(found.pk, actor=request.user)
        _note(request, found, body.note)
    return _told(request, response, incident_id)


def _note(request: UserRequest, found: IncidentLog, text: str) -> None:
    if text:
        actions.note_on_incident(found.pk, actor=request.user, text=text)


@router.put(
    "/incident-logs/{uuid:incident_id}/resolve",
    response=answers(200, IncidentOut) | {202: IncidentOut},
    auth=console(WORK),
    openapi_extra=also(IF_MATCH),
    summary="Close an incident",
)
def resolve_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: ResolveIn) -> Status[IncidentOut]:
    """Resolved, with what is done about the people, or a false positive, which stays quiet for some days. What it kept held is let go when it
    is closed without an action; where that is serious a second person has to agree first (202)."""
    found = _find(request, incident_id)
    decision = Decision(
        do=Do.FALSE if body.status == "false_positive" else ACTS[body.action_taken],
        reason=body.reason,
        verdict=body.verdict,
        people=body.people,
        told=body.told,
        days=body.days,
        actual_loss=body.actual_loss,
    )
    with transaction.atomic(), unless_changed(request, found):
        _note(request, found, body.note)
        decided = actions.decide_incident(found.pk, actor=request.user, decision=decision)
    return Status(202 if decided.closing_asked_by is not None else 200, _told(request, response, incident_id))


@router.post(
    "/incident-logs/{uuid:incident_id}/agree",
    response=answers(200, IncidentOut),
    auth=console("approve"),
    summary="Agree to close an incident",
)
def agree_to_close_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: CodeIn) -> IncidentOut:
    """As the second person, with a code from the authenticator app. It is closed as it was asked for."""
    found = _find(request, incident_id)
    prove(request, body.code)
    actions.agree_to_close(found.pk, actor=request.user)
    return _told(request, response, incident_id)


@router.post(
    "/incident-logs/{uuid:incident_id}/decline",
    response=answers(200, IncidentOut),
    auth=console(WORK),
    summary="Do not agree to close an incident",
)
def decline_to_close_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: ReopenIn) -> IncidentOut:
    """By the second person, or taken back by whoever asked. It stays open."""
    actions.decline_to_close(_find(request, incident_id).pk, actor=request.user, reason=body.reason)
    return _told(request, response, incident_id)


@router.post(
    "/incident-logs/{uuid:incident_id}/hold",
    response=answers(200, IncidentOut),
    auth=console(WORK),
    openapi_extra=also(IF_MATCH),
    summary="Hold withdrawals",
)
def hold_for_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: HoldIn) -> IncidentOut:
    """For some hours, by the end of which somebody decides: the incident stays open, and yours."""
    found = _find(request, incident_id)
    told = body.told or HELD
    decision = Decision(
        do=Do.HOLD, reason=body.reason, verdict=Verdict.INCONCLUSIVE, people=body.people, withdrawal=body.withdrawal, told=told, hours=body.hours
    )
    with unless_changed(request, found):
        actions.decide_incident(found.pk, actor=request.user, decision=decision)
    return _told(request, response, incident_id)


@router.post("/incident-logs/{uuid:incident_id}/notes", response=answers(201, IncidentOut), auth=console(WORK), summary="Write a note")
def note_on_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: IncidentNoteIn) -> Status[IncidentOut]:
    actions.note_on_incident(_find(request, incident_id).pk, actor=request.user, text=body.text)
    return Status(201, _told(request, response, incident_id))


@router.put("/incident-logs/{uuid:incident_id}/assign", response=answers(200, IncidentOut), auth=console(WORK), summary="Hand an incident over")
def assign_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: AssignIn) -> IncidentOut:
    """To somebody who works on incidents and whom it is not about; to oneself to take it over."""
    actions.hand_over_incident(_find(request, incident_id).pk, actor=request.user, to=body.user_id)
    return _told(request, response, incident_id)


@router.post("/incident-logs/{uuid:incident_id}/put-back", response=answers(200, IncidentOut), auth=console(WORK), summary="Put an incident back")
def put_incident_back(request: UserRequest, response: HttpResponse, incident_id: UUID) -> IncidentOut:
    actions.put_incident_back(_find(request, incident_id).pk, actor=request.user)
    return _told(request, response, incident_id)


@router.post("/incident-logs/{uuid:incident_id}/reopen", response=answers(200, IncidentOut), auth=console(WORK), summary="Open an incident again")
def reopen_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: ReopenIn) -> IncidentOut:
    """For oneself; what it kept quiet is heard again."""
    actions.reopen_incident(_find(request, incident_id).pk, actor=request.user, reason=body.reason)
    return _told(request, response, incident_id)


@router.put("/incident-logs/{uuid:incident_id}/checklist", response=answers(200, IncidentOut), auth=console(WORK), summary="Tick a question off")
def check_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: CheckIn) -> IncidentOut:
    """Of `checklist`, or open it again."""
    found = _find(request, incident_id)
    text = dict(reads.guide_of(found)).get(body.key)
    if text is None:
        raise Invalid("This question is not on the list.", code="item")
    actions.check_on_incident(found.pk, actor=request.user, item=body.key, done=body.done, text=text)
    return _told(request, response, incident_id)


@router.post(
    "/incident-logs/{uuid:incident_id}/merge",
    response=answers(200, IncidentOut),
    auth=console(WORK),
    openapi_extra=also(IF_MATCH),
    summary="Close an incident as a part of another",
)
def merge_incident(request: UserRequest, response: HttpResponse, incident_id: UUID, body: JoinIncidentIn) -> IncidentOut:
    """Answers with the other one, which is about everybody of both from now on."""
    found, into = _find(request, incident_id), _find(request, body.into)
    with unless_changed(request, found):
        whole = actions.merge_incident(found.pk, actor=request.user, into=into.number, reason=body.reason)
    return _told(request, response, whole.pk)


# Kept quiet


class SuppressionPaging(Paging):
    standing: bool | SkipJsonSchema[None] = None


def _suppressions(request: UserRequest) -> QuerySet[Suppression]:
    return Suppression.objects.filter(incident__in=IncidentLog.objects.visible_to(request.user))


@router.get("/incident-suppressions", response=answers(200, SuppressionsOut), auth=console("see_incidents"), summary="What is kept quiet")
def list_suppressions(request: UserRequest, paging: Query[SuppressionPaging]) -> HttpResponse:
    """What was found harmless, and is not told of again as long as it stays as it was."""
    rows, over = _suppressions(request), Q(ended_at__isnull=False) | Q(expires_at__lte=now())
    if paging.standing is not None:
        rows = rows.exclude(over) if paging.standing else rows.filter(over)
    return page(request, paging, rows, SuppressionRow, suppression_row)


@router.post(
    "/incident-suppressions/{uuid:suppression_id}/end",
    response=answers(200, SuppressionRow),
    auth=console(WORK),
    summary="Hear again what was kept quiet",
)
def end_suppression(request: UserRequest, suppression_id: UUID) -> SuppressionRow:
    found = get_object_or_404(_suppressions(request), pk=suppression_id)
    return suppression_row(actions.end_quiet(found.pk, actor=request.user))
