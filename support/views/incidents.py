"""Incidents: what waits, one of them with its facts and its decision, and what is kept quiet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.mfa.base.forms import ReauthenticateForm
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from auditlog.actions.casework import HARMLESS, USUAL_QUIET, Closed
from auditlog.actions.closing import wish_of
from auditlog.actions.incidents import ALWAYS_HEARD
from auditlog.models import LIVE, IncidentLog, IncidentSeverity, IncidentType, Suppression, Verdict
from port444.accounts.models import User
from port444.accounts.queries import recently_proved
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed
from port444.kit.http import UserRequest, done
from support import actions
from support import incidents as reads
from support.actions.deciding import Do, is_serious
from support.actions.incidents import WORK, may_have
from support.forms import CloseManyForm, DecideForm, DeclineForm, IncidentNote, JoinForm, OpenIncidentForm, ReopenForm
from support.incidents import address, guide_of
from support.queues import long
from support.roles import may

from .frame import console_page, show

WISHES = {Do.FALSE: "a false positive", Do.NOTHING: "closed without an action"}
REFUSALS = (Conflict, Invalid, NotAllowed)


# The list


@require_GET
@console_page("see_incidents")
def incidents(request: UserRequest) -> HttpResponse:
    """What waits, due first first; one's own, what others work on, weak signals, and what is closed, newest first."""
    return _list(request, reads.wanted_of(request.GET.dict()), request.GET.get("after", ""))


def _list(request: UserRequest, wanted: reads.Wanted, after: str = "", *, form: CloseManyForm | None = None, status: int = 200) -> HttpResponse:
    moment = now()
    rows, more = reads.list_incidents(wanted, request.user, moment, after=after)
    counts = reads.counts_of(request.user)
    asked = wanted.asked
    may_work = may(request.user, WORK)
    context = {
        "rows": rows,
        "wanted": wanted,
        "asked": urlencode(asked),
        "lists": [(tab, label, counts.get(tab, ""), f"?{urlencode({**asked, 'tab': tab})}") for tab, label in reads.TABS.items()],
        "types": [(key, reads.TYPE_WORDS[IncidentType(key)].capitalize()) for key in IncidentType.values],
        "severities": [(key, label.capitalize()) for key, label in IncidentSeverity.choices],
        "detectors": [(key or "none", words) for key, words in reads.DETECTOR_WORDS.items()],
        "more": f"?{urlencode({**asked, 'after': more})}" if more else "",
        "first": f"?{urlencode(asked)}" if after else "",
        "longer": f"?{urlencode({**asked, 'show': reads.MOST_SHOWN})}" if wanted.limit == reads.SHOWN else "",
        "may_work": may_work,
        "may_close": may_work and bool(rows) and not wanted.is_closed,
        "form": form or CloseManyForm(),
        "picked": form.data.getlist("pick") if form is not None and hasattr(form.data, "getlist") else [],
        "all_picked": form is not None and bool(form.data.get("all")),
        "after": after,
    }
    return show(request, "support/incidents/list.html", context, section="incidents", title="Incidents", status=status)


@require_POST
@console_page(WORK)
def next_incident(request: UserRequest) -> HttpResponse:
    """Take what is due first and go to it."""
    weak = request.POST.get("tab") == "weak"
    found = actions.take_next_incident(actor=request.user, weak=weak)
    if found is None:
        return done(request, reverse("support:incidents") + ("?tab=weak" if weak else ""), "Nothing waits that nobody has.")
    return done(request, address(found), f"{found} is yours.")


@require_POST
@console_page(WORK)
def close_incidents(request: UserRequest) -> HttpResponse:
    """Close what is ticked with one reason; before that, say how many it would be and ask."""
    form, wanted = CloseManyForm(request.POST), reads.wanted_of(request.POST.dict())
    if not form.is_valid():
        return _list(request, wanted, request.POST.get("after", ""), form=form, status=422)
    said = form.cleaned_data
    if form.sure is None:
        return _sure(request, wanted, form)
    try:
        result = actions.close_incidents(said["pick"], actor=request.user, verdict=Verdict(said["verdict"]), reason=said["reason"], sure=form.sure)
    except Conflict as error:
        return _sure(request, wanted, form, error)
    return done(request, f"{reverse('support:incidents')}?{urlencode(wanted.asked)}", f"{len(result.closed)} closed.{_left_words(result)}")


def _left_words(result: Closed) -> str:
    words = ""
    if result.for_two:
        words += f" Left open because of holds that take two people to end: {len(result.for_two)}. Each is closed on its own page."
    if result.left:
        words += f" {len(result.left)} left as they are: somebody else has them, or they were closed meanwhile."
    return words


def _sure(request: UserRequest, wanted: reads.Wanted, form: CloseManyForm, error: Conflict | None = None) -> HttpResponse:
    """How many it would be and which, with everything that was typed, to be sent once more."""
    said, moment = form.cleaned_data, now()
    found = actions.closable(said["pick"], actor=request.user)
    context = {
        "rows": reads.rows_of(found.closed, request.user, moment),
        "count": len(found.closed),
        "left": _left_words(found),
        "verdict": Verdict(said["verdict"]),
        "reason": said["reason"],
        "kept_quiet": sum(bool(one.detector) and one.detector not in ALWAYS_HEARD for one in found.closed) if said["verdict"] in HARMLESS else 0,
        "quiet_days": USUAL_QUIET,
        "asked": wanted.asked,
        "back": f"{reverse('support:incidents')}?{urlencode(wanted.asked)}",
        "error": error,
    }
    status = error.status if error else 200
    return show(request, "support/incidents/close.html", context, section="incidents", title="Close these incidents", status=status)


# One of them


def _find(request: UserRequest, incident_number: int) -> IncidentLog:
    found = reads.find_incident(incident_number, request.user)
    if found is None:
        raise Http404
    return found


@require_GET
@console_page("see_incidents")
def incident(request: UserRequest, incident_number: int) -> HttpResponse:
    return _page(request, _find(request, incident_number))


def _page(request: UserRequest, found: IncidentLog, *, error: DomainError | None = None, status: int = 0, **forms: Any) -> HttpResponse:
    moment = now()
    look = reads.look_at(found, request.user, moment)
    is_live, may_work = found.status in LIVE, may(request.user, WORK)
    is_mine = found.assigned_to == request.user.pk
    may_decide = may_work and is_live and found.assigned_to in (None, request.user.pk)
    wish = wish_of(found)
    asks, may_agree = wish is not None and wish.actor_id == request.user.pk, may_work and may(request.user, "approve")
    context = {
        "incident": found,
        "look": look,
        "moment": moment,
        "kind": reads.type_words(found),
        "state": reads.status_words(found),
        "severity_tone": reads.SEVERITY_TONES[IncidentSeverity(found.severity)],
        "state_tone": "go" if is_live else "",
        "is_live": is_live,
        "is_mine": is_mine,
        "is_overdue": is_live and found.due_at <= moment,
        "due_in": long(abs(found.due_at - moment)),
        "may_work": may_work,
        "can_be_quiet": bool(found.detector) and found.detector not in ALWAYS_HEARD,
        "may_decide": may_decide and not asks,
        "takes_two": is_serious(found) and bool(look.holds or found.hold_wanted_at),
        "wish": wish,
        "wished": WISHES.get(wish.facts.get("do", "")) if wish else "",
        "wished_verdict": Verdict(wish.facts["verdict"]).label.lower() if wish and wish.facts.get("verdict") in Verdict.values else "",
        "asker": look.asker,
        "asks": asks,
        "may_agree": wish is not None and not asks and may_agree,
        "needs_code": wish is not None and not asks and may_agree and not recently_proved(request),
        "decline_form": forms.get("decline_form") or DeclineForm(),
        "colleagues": [one for one in may_have(found) if one.pk != found.assigned_to] if may_work and is_live else [],
        "error": error,
        "form": forms.get("form") or _decide_form(look),
        "note_form": forms.get("note_form") or IncidentNote(),
        "reopen_form": forms.get("reopen_form") or ReopenForm(),
        "join_form": forms.get("join_form") or JoinForm(),
        "ceiling": reads.ceiling_words(look.suppression.ceiling) if look.suppression else "",
        "detector_url": reverse("support:detector", args=[found.detector]) if look.terms is not None else "",
    }
    status = status or (error.status if error else 200)
    return show(request, "support/incidents/detail.html", context, section="incidents", title=f"Incident {found}", status=status)


def _decide_form(look: reads.Look, data: Any = None) -> DecideForm:
    people = [(str(face.pk), face.name) for face in look.people if not face.is_staff]
    one = look.incident.withdrawal_id is not None
    initial = {
        "do": "hold" if look.holds else "",
        "withdrawal": one,
        "hours": 72,
        "days": 90,
    }
    held = {str(hold.user_id) for hold in look.holds if hold.withdrawal_id is None}
    return DecideForm(people, [key for key, _ in people if key in held], data, initial=initial)


def _do(request: UserRequest, found: IncidentLog, act: Callable[[], IncidentLog], message: str = "") -> HttpResponse:
    """Do something, and show the page as it is then, or with the reason why it was not done."""
    try:
        act()
    except REFUSALS as error:
        return _page(request, _find(request, found.number), error=error)
    return done(request, address(found), message)


@require_http_methods(["GET", "POST"])
@console_page(WORK)
def open_incident(request: UserRequest, person_id: UUID) -> HttpResponse:
    """Write down what one saw of somebody."""
    person = get_object_or_404(User.objects.exclude(pk=request.user.pk), pk=person_id)
    form = OpenIncidentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        found = actions.open_incident_about(person.pk, actor=request.user, said=form.cleaned_data)
        return done(request, address(found), f"{found} is open and yours.")
    status = 422 if request.method == "POST" else 200
    context = {"person": person, "form": form}
    return show(request, "support/incidents/open.html", context, section="incidents", title=f"Open an incident about {person.name}", status=status)


@require_POST
@console_page(WORK)
def take_incident(request: UserRequest, incident_number: int) -> HttpResponse:
    found = _find(request, incident_number)
    return _do(request, found, lambda: actions.take_incident(found.pk, actor=request.user), "It is yours.")


@require_POST
@console_page(WORK)
def hand_incident_over(request: UserRequest, incident_number: int) -> HttpResponse:
    """To a colleague, or from one to oneself."""
    found = _find(request, incident_number)
    try:
        to = UUID(request.POST.get("to", ""))
    except ValueError:
        return _page(request, found, error=Invalid("Choose a colleague.", code="colleague"))
    return _do(request, found, lambda: actions.hand_over_incident(found.pk, actor=request.user, to=to), "Handed over.")


@require_POST
@console_page(WORK)
def put_incident_back(request: UserRequest, incident_number: int) -> HttpResponse:
    found = _find(request, incident_number)
    return _do(request, found, lambda: actions.put_incident_back(found.pk, actor=request.user), "It waits again.")


@require_POST
@console_page(WORK)
def note_incident(request: UserRequest, incident_number: int) -> HttpResponse:
    found, form = _find(request, incident_number), IncidentNote(request.POST)
    if not form.is_valid():
        return _page(request, found, note_form=form, status=422)
    return _do(request, found, lambda: actions.note_on_incident(found.pk, actor=request.user, text=form.cleaned_data["text"]), "Written down.")


@require_POST
@console_page(WORK)
def check_incident(request: UserRequest, incident_number: int) -> HttpResponse:
    """A question of the checklist was looked into, or is open again."""
    found = _find(request, incident_number)
    text = dict(guide_of(found)).get(request.POST.get("item", ""))
    if text is None:
        return _page(request, found, error=Invalid("This question is not on the list.", code="item"))
    item, is_done = request.POST["item"], request.POST.get("done") == "1"
    return _do(request, found, lambda: actions.check_on_incident(found.pk, actor=request.user, item=item, done=is_done, text=text))


@require_POST
@console_page(WORK)
def decide_incident(request: UserRequest, incident_number: int) -> HttpResponse:
    found = _find(request, incident_number)
    form = _decide_form(reads.look_at(found, request.user, now()), request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    try:
        actions.decide_incident(found.pk, actor=request.user, decision=form.decision)
    except REFUSALS as error:
        return _page(request, _find(request, found.number), error=error, form=form)
    if IncidentLog.objects.get(pk=found.pk).closing_asked_by is not None:
        return done(request, address(found), "Asked. It is closed when a second person agrees.")
    return done(request, address(found), "Decided.")


@require_POST
@console_page("approve")
def agree_to_close(request: UserRequest, incident_number: int) -> HttpResponse:
    """The second person, with a code from the authenticator app unless one was given within ten minutes."""
    found = _find(request, incident_number)
    if not recently_proved(request):
        code = ReauthenticateForm(request.POST, user=request.user)
        if not code.is_valid():
            return _page(request, found, error=Invalid("; ".join(code.errors.get("code", ["Give the code."])), code="code"))
        code.save()
    return _do(request, found, lambda: actions.agree_to_close(found.pk, actor=request.user), "Agreed. It is closed, and its holds have ended.")


@require_POST
@console_page(WORK)
def decline_to_close(request: UserRequest, incident_number: int) -> HttpResponse:
    """By the second person, or taken back."""
    found, form = _find(request, incident_number), DeclineForm(request.POST)
    if not form.is_valid():
        return _page(request, found, decline_form=form, status=422)
    return _do(request, found, lambda: actions.decline_to_close(found.pk, actor=request.user, reason=form.cleaned_data["reason"]), "It stays open.")


@require_POST
@console_page(WORK)
def reopen_incident(request: UserRequest, incident_number: int) -> HttpResponse:
    found, form = _find(request, incident_number), ReopenForm(request.POST)
    if not form.is_valid():
        return _page(request, found, reopen_form=form, status=422)
    return _do(
        request, found, lambda: actions.reopen_incident(found.pk, actor=request.user, reason=form.cleaned_data["reason"]), "It is open, and yours."
    )


@require_POST
@console_page(WORK)
def merge_incident(request: UserRequest, incident_number: int) -> HttpResponse:
    """Close it as a part of another, which is shown then."""
    found, form = _find(request, incident_number), JoinForm(request.POST)
    if not form.is_valid():
        return _page(request, found, join_form=form, status=422)
    said = form.cleaned_data
    try:
        whole = actions.merge_incident(found.pk, actor=request.user, into=said["into"], reason=said["reason"])
    except REFUSALS as error:
        return _page(request, _find(request, found.number), error=error, join_form=form)
    return done(request, address(whole), f"{found} is a part of this one now.")


# Kept quiet


@require_GET
@console_page("see_incidents")
def suppressions(request: UserRequest) -> HttpResponse:
    """What was found harmless and is kept quiet, and what was."""
    moment = now()
    ended, before = request.GET.get("which") == "ended", request.GET.get("before", "")
    rows, older = reads.list_suppressions(request.user, ended=ended, before=before, moment=moment)
    faces = reads.faces_of(row.made_by for row in rows)
    kept = {"which": "ended"} if ended else {}
    context = {
        "rows": [(row, reads.ceiling_words(row.ceiling), faces.get(row.made_by)) for row in rows],
        "ended": ended,
        "moment": moment,
        "more": f"?{urlencode({**kept, 'before': older})}" if older else "",
        "first": f"?{urlencode(kept)}" if before else "",
        "may_work": may(request.user, WORK),
    }
    return show(request, "support/incidents/suppressions.html", context, section="incidents", title="Kept quiet")


@require_POST
@console_page(WORK)
def end_suppression(request: UserRequest, suppression_id: UUID) -> HttpResponse:
    rows = Suppression.objects.filter(incident__in=IncidentLog.objects.visible_to(request.user))
    found = get_object_or_404(rows, pk=suppression_id)
    actions.end_quiet(found.pk, actor=request.user)
    return done(request, reverse("support:suppressions"), "It is heard again.")
