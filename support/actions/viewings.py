"""Looking at the site through somebody's eyes: begun with a reason, an hour at most, and every page written down before it is shown."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from auditlog.actions import Finding, Reason, open_incident, record
from auditlog.events import Event
from auditlog.models import ActorType, IncidentSeverity, IncidentType
from port444.accounts.models import ApiToken, Session, User
from port444.kit import context
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, TooMany, word_constraint, words
from port444.kit.http import CONTROL
from port444.orders.models import Order
from support.models import ActionType, EndReason, ViewedPage, Viewing
from support.models.viewings import LASTS
from support.roles import may, require
from support.viewer import guard

from .records import note_action

log = logging.getLogger(__name__)

PAGES_A_MINUTE = 300
SUSPICIOUS_REFUSALS = 10
MANY_PEOPLE, DAY = 20, timedelta(days=1)
LONGEST_REASON, LONGEST_REFERENCE = 600, 40
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9#/-]*\d[A-Za-z0-9#/-]*|\d+")

word_constraint("viewing_one_open", Conflict("You have just begun another viewing.", code="viewing_open"))
word_constraint("viewing_of_another", NotAllowed("You cannot view as yourself.", code="own_case"))


def hashed(session_key: str) -> str:
    """What is kept of a session's key."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def caller_key(request: Any) -> str:
    """What a viewing is bound to: the session of the agent's browser, or the token of their program."""
    token = getattr(request, "api_token", None)
    return f"token:{token.pk}" if token is not None else request.session.session_key or ""


def cannot_view(agent: User, subject: User) -> DomainError | None:
    """Why `agent` may not look through the eyes of `subject`; None when they may."""
    if not guard.is_set_up():
        return Conflict("Viewing is not set up here: the database has no role for it.", code="no_viewer")
    if not may(agent, "view_as") or agent.is_suspended:
        return NotAllowed("Your group may not view as a person.", code="no_permission")
    if agent.pk == subject.pk:
        return NotAllowed("You cannot view as yourself.", code="own_case")
    if is_of_staff(subject):
        return NotAllowed("Nobody views as one of the staff.", code="staff")
    if not subject.is_active or subject.is_suspended:
        return Conflict("This account is suspended or closed: its pages are shown to nobody. The console has what there is to know.", code="closed")
    return None


def is_of_staff(user: User) -> bool:
    """Staff by any of the ways in which one is."""
    return user.is_staff or user.is_superuser or user.groups.exists() or user.user_permissions.exists()


@transaction.atomic
def start_viewing(subject_id: UUID, *, actor: User, reason: str, reference: str, session_key: str) -> Viewing:
    """Begin to look through the eyes of a person; ends what the agent had open before. Raises Invalid, NotAllowed or Conflict."""
    reason, reference = reason.strip(), reference.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid(f"Say why, in at most {LONGEST_REASON} characters. The person can read it.", code="reason_missing")
    if len(reference) > LONGEST_REFERENCE or not REFERENCE.fullmatch(reference):
        raise Invalid("Name what this is about by its number: an order, a dispute, an incident or a plan.", code="reference_missing")
    subject = User.objects.lock(subject_id)
    require(actor, "view_as")
    if (why := cannot_view(actor, subject)) is not None:
        raise why
    moment, facts = now(), context.current()
    for opened in Viewing.objects.open().filter(agent=actor).select_for_update(of=("self",), no_key=True):
        _end(opened, EndReason.REPLACED, moment, actor)
    with words():
        viewing = Viewing.objects.create(
            agent=actor,
            subject=subject,
            reason=reason,
            reference=reference,
            agent_session=hashed(session_key),
            agent_auth=actor.get_session_auth_hash(),
            started_at=moment,
            expires_at=moment + LASTS,
            ip_address=facts.ip_address,
            user_agent=facts.user_agent[:512],
        )
    viewing.refresh_from_db(fields=["number"])
    record(Event.VIEWING_STARTED, actor=actor, as_a=ActorType.ADMIN, target=viewing, about=str(subject.pk), reference=reference)
    note_action(
        ActionType.IMPERSONATION,
        actor=actor,
        description=f"Began {viewing}, read-only, for {reference}",
        reason=reason,
        target_user=subject,
        order=order_of(subject, reference),
    )
    _look_out_for_many(actor, moment)
    return viewing


def order_of(subject: User, reference: str) -> Order | None:
    """The order of this person that a reference names."""
    number = re.fullmatch(r"(?:P4-|#)?(\d{1,9})", reference, re.IGNORECASE)
    return Order.objects.visible_to(subject).filter(number=int(number[1])).first() if number else None


def _look_out_for_many(agent: User, moment: datetime) -> None:
    """An agent who looks at very many people in a day is looked at."""
    people = Viewing.objects.filter(agent=agent, started_at__gt=moment - DAY).values("subject").distinct().count()
    if people > MANY_PEOPLE:
        open_incident(
            Finding(
                # The name that the detector of misuse gives it, so that both find one case.
                fingerprint=f"insider:{agent.pk}:viewings:{moment:%Y-%m-%d}",
                incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
                severity=IncidentSeverity.MEDIUM,
                confidence=60,
                description=f"{agent.name} has viewed as {people} people within a day.",
                user_id=agent.pk,
                pattern="viewings",
                reasons=[Reason(60, f"{people} people were seen through their eyes within 24 hours")],
                evidence={"viewed": people},
            )
        )


@transaction.atomic
def end_viewing(viewing_id: UUID, *, actor: User | None, why: EndReason) -> Viewing:
    """End a viewing; one that is over stays as it ended. Its own agent may, who restricts accounts may, and the site itself (no actor)."""
    viewing = Viewing.objects.lock(viewing_id)
    if actor is not None and actor.pk != viewing.agent_id:
        require(actor, "restrict")
    if viewing.ended_at is None:
        _end(viewing, why, now(), actor)
    return viewing


def _end(viewing: Viewing, why: EndReason, moment: datetime, actor: User | None) -> None:
    viewing.ended_at, viewing.end_reason = max(viewing.started_at, min(moment, viewing.expires_at)), why
    viewing.save(update_fields=["ended_at", "end_reason"])
    record(
        Event.VIEWING_ENDED,
        actor=actor,
        as_a=ActorType.ADMIN if actor else None,
        target=viewing,
        about=str(viewing.subject_id),
        why=why,
        seconds=int(viewing.duration(moment).total_seconds()),
        pages=viewing.pages,
        refused=viewing.refused,
    )


def why_over(viewing: Viewing, agent: User, subject: User, moment: datetime) -> EndReason | None:
    """Why a viewing that is open may not go on, by the rows as they are now; None when it may."""
    if viewing.expires_at <= moment:
        return EndReason.TIME
    if not may(agent, "view_as") or agent.is_suspended or agent.get_session_auth_hash() != viewing.agent_auth:
        return EndReason.AGENT_CHANGED
    if not subject.is_active or subject.is_suspended or is_of_staff(subject):
        return EndReason.SUBJECT_CHANGED
    return None


@transaction.atomic
def note_page(viewing_id: UUID, *, view_name: str, method: str, path: str, refused: str = "") -> ViewedPage | None:
    """Write a request of an open viewing down before anything is shown; None when the viewing is over. Raises TooMany."""
    moment = now()
    open_still = Viewing.objects.open().filter(pk=viewing_id, expires_at__gt=moment)
    if not open_still.update(pages=F("pages") + 1, refused=F("refused") + (1 if refused else 0)):
        return None
    number = Viewing.objects.values_list("pages", flat=True).get(pk=viewing_id)
    if ViewedPage.objects.filter(viewing=viewing_id, number=number - PAGES_A_MINUTE, seen_at__gt=moment - timedelta(minutes=1)).exists():
        raise TooMany("These are more pages than anybody reads in a minute. Wait a little.")
    return ViewedPage.objects.create(
        viewing_id=viewing_id,
        number=number,
        view_name=view_name[:120],
        method=method[:10],
        path=path,
        refused=refused,
        request_id=context.current().request_id,
        seen_at=moment,
    )


def note_answer(page: ViewedPage, *, status: int, milliseconds: int) -> None:
    """How a page that was written down was answered."""
    ViewedPage.objects.filter(pk=page.pk).update(answered=status, milliseconds=milliseconds)


@transaction.atomic
def note_refusal(viewing_id: UUID, page: ViewedPage, *, actor: User, why: str, tried: str = "") -> None:
    """A viewing reached for what it may not do: recorded, and beyond a few of them an incident. `why` is method, view or write."""
    viewing = Viewing.objects.lock(viewing_id)
    if not page.refused:  # it was let in, and stopped by the database or the guard
        ViewedPage.objects.filter(pk=page.pk).update(refused=why)
        viewing.refused += 1
        viewing.save(update_fields=["refused"])
    record(
        Event.VIEWING_REFUSED,
        actor=actor,
        as_a=ActorType.ADMIN,
        target=viewing,
        about=str(viewing.subject_id),
        why=why,
        view=page.view_name,
        method=page.method,
        page=page.number,
    )
    if why == "write":
        # One line, whatever was tried: what is written by a page must not look like a line of the log.
        said = CONTROL.sub(" ", tried)[:500] or "stopped by the database"
        log.error("%s: %s tried to write while only looking: %s", viewing, CONTROL.sub(" ", page.view_name), said)
    if viewing.refused == SUSPICIOUS_REFUSALS:
        open_incident(
            Finding(
                fingerprint=f"viewing:refused:{viewing.pk}",
                incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
                severity=IncidentSeverity.MEDIUM,
                confidence=60,
                description=f"{viewing} has reached {viewing.refused} times for what a viewing may not do.",
                user_id=viewing.agent_id,
                related_users=[viewing.subject_id],
                pattern="refused_viewing",
                reasons=[Reason(60, f"{viewing.refused} requests of one viewing were refused", str(viewing))],
                evidence={"viewing": str(viewing), "refused": viewing.refused},
            )
        )


def end_open_of(agent: User, *, why: EndReason) -> None:
    """End what an agent has open, if anything."""
    for viewing_id in Viewing.objects.open().filter(agent=agent).values_list("pk", flat=True):
        end_viewing(viewing_id, actor=agent, why=why)


def end_lapsed(moment: datetime) -> int:
    """Close viewings whose time is over or that may not go on, so that it is always known how long each lasted; for the sweep."""
    ended = 0
    for viewing in _soonest(Viewing.objects.open().select_related("agent", "subject")):
        why = why_over(viewing, viewing.agent, viewing.subject, moment)
        if why is None and not _signed_in(viewing, moment):
            why = EndReason.SIGNED_OUT
        if why is not None:
            end_viewing(viewing.pk, actor=None, why=why)
            ended += 1
    return ended


def _soonest(viewings: Iterable[Viewing]) -> list[Viewing]:
    return sorted(viewings, key=lambda viewing: viewing.expires_at)[:500]


def _signed_in(viewing: Viewing, moment: datetime) -> bool:
    keys = list(Session.objects.filter(user=viewing.agent_id, expire_date__gt=moment).values_list("session_key", flat=True))
    tokens = ApiToken.objects.usable(moment).filter(user=viewing.agent_id).values_list("pk", flat=True)
    return any(hashed(key) == viewing.agent_session for key in [*keys, *(f"token:{pk}" for pk in tokens)])
