"""What needs somebody: the queues, one's own cases, and what was done lately."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.http import UserRequest
from support.queries import health, last_actions, own_incidents, own_plans
from support.queues import QUEUES, SHOWN, Case, Heap, cases_of, heap_of, queue_of
from support.roles import may, require

from .frame import console_page, show

STATES = {"": "All", "late": "Overdue", "soon": "Due soon", "good": "In time"}


@require_GET
@console_page("see_people")
def home(request: UserRequest) -> HttpResponse:
    moment, user = now(), request.user
    heaps = [heap_of(queue, moment, user) for queue in QUEUES if may(user, queue.permission)]
    mine = sorted([*own_plans(user, moment), *(own_incidents(user, moment) if may(user, "see_incidents") else [])], key=lambda case: case.due)
    context = {
        "moment": moment,
        "heaps": heaps,
        "next": _next(heaps, mine, user),
        "mine": mine,
        "overdue": sum(case.due <= moment for case in mine),
        "actions": last_actions(),
        "health": health(moment),
    }
    return show(request, "support/home.html", context, section="home", title="What needs you")


def _next(heaps: list[Heap], mine: list[Case], reader: User) -> tuple[Heap, Case] | None:
    """The case that is due first in the queues, but not one's own request, which waits for somebody else."""
    own = {case.pk for case in mine}
    waiting = sorted((heap for heap in heaps if heap.next_due), key=lambda heap: (heap.next_due, heap.queue.key))
    for heap in waiting[:2]:
        for case in cases_of(heap.queue, heap.moment, reader, limit=5):
            if case.pk not in own:
                return heap, case
    return None


@require_GET
@console_page("see_people")
def queue(request: UserRequest, key: str) -> HttpResponse:
    """One queue, what is due first first."""
    found = queue_of(key)
    if found is None:
        raise Http404
    require(request.user, found.permission)
    moment = now()
    state = request.GET.get("state", "") if request.GET.get("state", "") in STATES else ""
    cases = cases_of(found, moment, request.user, state=state, after=request.GET.get("after", ""))
    more = len(cases) > SHOWN
    cases = cases[:SHOWN]
    kept = {"state": state} if state else {}
    context = {
        "queue": found,
        "heap": heap_of(found, moment, request.user),
        "cases": cases,
        "moment": moment,
        "states": [(name, label, f"?{urlencode({'state': name})}" if name else "?") for name, label in STATES.items()],
        "state": state,
        "is_first": not request.GET.get("after"),
        "first": f"?{urlencode(kept)}",
        "more": f"?{urlencode({**kept, 'after': cases[-1].place})}" if more else "",
    }
    return show(request, "support/queue.html", context, section=found.key, title=found.name)
