"""Looking at what people see, as a program: with a token that is sent as the header `Port444-View` beside the agent's own credentials."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router
from ninja.responses import Status

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.http import UserRequest
from port444.kit.rest import answers
from support import actions, queries
from support.models import EndReason, Viewing
from support.schemas import ImpersonateIn, ImpersonationOut, ViewingOut, viewing_out
from support.viewer import token

from .door import console, prove

router = Router(tags=["Console"])


@router.post("/support/impersonate", response=answers(201, ImpersonationOut), auth=console("view_as"), summary="Look at what somebody sees")
def impersonate(request: UserRequest, response: HttpResponse, body: ImpersonateIn) -> Status[ImpersonationOut]:
    """Read-only, for an hour at most, and every look is logged; the person can read the reason. It belongs to the caller, session or token,
    that began it, and ends what the agent had open before.

    Send `token` as the header `Port444-View` with reads of people's own things: they are answered as the person is answered.
    """
    response["Cache-Control"] = "no-store"
    person = get_object_or_404(User, pk=body.user_id)
    if (why := actions.cannot_view(request.user, person)) is not None:
        raise why
    prove(request, body.code)
    viewing = actions.start_viewing(
        person.pk, actor=request.user, reason=body.reason, reference=body.reference, session_key=actions.caller_key(request)
    )
    text = token.make(viewing.pk, began=viewing.started_at, expires=viewing.expires_at)
    return Status(201, ImpersonationOut(**viewing_out(viewing).model_dump(), token=text))


@router.post("/support/viewings/{uuid:viewing_id}/end", response=answers(200, ViewingOut), auth=console("see_people"), summary="End a viewing")
def end_support_viewing(request: UserRequest, viewing_id: UUID) -> ViewingOut:
    """A colleague's, or one's own from elsewhere."""
    found = get_object_or_404(Viewing, pk=viewing_id)
    actions.end_viewing(found.pk, actor=request.user, why=EndReason.BUTTON if found.agent_id == request.user.pk else EndReason.REVOKED)
    return viewing_out(Viewing.objects.select_related("agent", "subject").get(pk=found.pk))


@router.post("/support/impersonate/end", response=answers(200, ViewingOut), auth=console(), summary="End looking")
def end_impersonation(request: UserRequest) -> ViewingOut:
    """Ends what the agent has open, wherever it was begun."""
    opened = queries.open_viewing(request.user, now())
    actions.end_open_of(request.user, why=EndReason.BUTTON)
    if opened is None:
        raise Conflict("No viewing was open.", code="no_viewing")
    return viewing_out(Viewing.objects.select_related("agent", "subject").get(pk=opened.pk))
