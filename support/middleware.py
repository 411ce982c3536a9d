"""While a viewing is open, pages of the site are those of the person, and nothing of the request can write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.messages.storage.base import BaseStorage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone

from port444.accounts.models import ApiToken, Scope, User
from port444.accounts.queries import passed_second_factor
from port444.accounts.sessions import SessionStore
from port444.kit import context, readonly, rest
from port444.kit.clock import now
from port444.kit.errors import TooMany
from port444.kit.http import Handler, answer

from . import actions, models
from .models import EndReason, ViewedPage
from .viewer import guard, token
from .viewer.addresses import END, SIGN_OUT, Place, place_of, why_closed

LOOKING = ("GET", "HEAD")
HEADER = "Port444-View"  # with which a program says that a request belongs to its viewing, as a browser does with the cookie
WORDS = {
    EndReason.BUTTON: "It was ended.",
    EndReason.TIME: "Its hour is over.",
    EndReason.SIGNED_OUT: "It belongs to a session that is over, or to another browser.",
    EndReason.AGENT_CHANGED: "Your rights or your password have changed since it began.",
    EndReason.SUBJECT_CHANGED: "The account of the person has changed.",
    EndReason.REVOKED: "Another member of staff has ended it.",
    EndReason.REPLACED: "You have begun another one, in this window or in another.",
}


class NoMessages(BaseStorage):
    """What waits to be said to the agent is not shown on the person's pages."""

    def _get(self, *args: Any, **options: Any) -> tuple[list[Any], bool]:
        return [], True

    def _store(self, messages: Any, response: HttpResponse, *args: Any, **options: Any) -> list[Any]:
        return []


class Viewing:
    """The innermost middleware: all that stands before it knows the agent alone, by their own sign-in, which is never swapped."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        request.viewing = None
        held, by_header = held_by(request)
        if not held:
            return self.get_response(request)
        name, address = name_of(request)
        if name == SIGN_OUT and request.method == "POST":
            return self._sign_out(request)
        # Who names a viewing with the request itself means to look, in the console as well; all that it may do there is to end.
        if place_of(name) is Place.OWN and (not by_header or request.method in LOOKING or name == END):
            return self.get_response(request)
        viewing = find(held)
        why = None if viewing is None else EndReason(viewing.end_reason) if viewing.ended_at else self._over(request, viewing)
        if viewing is None or why is not None:
            return over(request, why)
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": ", ".join((*LOOKING, "OPTIONS")), "Cache-Control": "no-store"})
        return self._look(request, viewing, name, address)

    def _sign_out(self, request: Any) -> HttpResponse:
        if isinstance(request.user, User):
            actions.end_open_of(request.user, why=EndReason.SIGNED_OUT)
        return forget(self.get_response(request))

    def _over(self, request: Any, viewing: models.Viewing) -> EndReason | None:
        """Why it may not go on; ends it in that case."""
        agent = request.user
        if agent.pk != viewing.agent_id or actions.hashed(actions.caller_key(request)) != viewing.agent_session:
            why: EndReason | None = EndReason.SIGNED_OUT if agent.pk in (None, viewing.agent_id) else EndReason.AGENT_CHANGED
        elif settings.STAFF_SECOND_FACTOR and not passed_second_factor(request, agent):
            why = EndReason.AGENT_CHANGED
        else:
            why = actions.why_over(viewing, agent, viewing.subject, now())
        if why is not None:
            actions.end_viewing(viewing.pk, actor=None, why=why)
        return why

    def _look(self, request: Any, viewing: models.Viewing, name: str, address: str) -> HttpResponse:
        """Write the request down, then answer it as the person is answered, or refuse it."""
        began = time.monotonic()
        refused = "" if request.method in LOOKING else "method"
        if not refused and name and place_of(name) is Place.CLOSED:
            refused = "view"
        agent = request.user
        try:
            page = actions.note_page(viewing.pk, view_name=name, method=request.method, path=address, refused=refused)
        except TooMany as error:
            return rest.refusal(error) if is_api(request) else answer(request, error)
        if page is None:
            return over(request, EndReason.TIME)
        if refused:
            actions.note_refusal(viewing.pk, page, actor=agent, why=refused)
        with as_subject(request, viewing) as looking:
            response = refusal(request, viewing, page, refused) if refused else self.get_response(request)
            stopped = request.stopped or ", ".join(looking.tried)
            if not stopped and response.streaming:
                stopped = "a streamed answer"
        if stopped and not refused:
            response.close()
            with as_subject(request, viewing):
                response = refusal(request, viewing, page, "write")
            actions.note_refusal(viewing.pk, page, actor=agent, why="write", tried=stopped)
        actions.note_answer(page, status=response.status_code, milliseconds=int((time.monotonic() - began) * 1000))
        return closed(request, response)

    def process_exception(self, request: Any, exception: Exception) -> HttpResponse | None:
        """The database, or the guard, has stopped an attempt to write."""
        if getattr(request, "viewing", None) is None or not guard.is_refusal(exception):
            return None
        request.stopped = f"{type(exception).__name__}: {exception}"[:300]
        return HttpResponse(status=403)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def held_by(request: HttpRequest) -> tuple[str, bool]:
    """The token of a viewing that a request holds, and whether a header holds it. Beside a token of a program, cookies count for nothing."""
    if is_api(request) and HEADER in request.headers:
        return request.headers[HEADER], True
    if is_api(request) and "Authorization" in request.headers:
        return "", False
    return request.COOKIES.get(settings.VIEW_COOKIE, ""), False


def name_of(request: HttpRequest) -> tuple[str, str]:
    """The name of the view that answers, empty when none does, and the address as it is written down: of what is closed only its
    pattern, for there are tokens in some of them."""
    try:
        match = resolve(request.path_info)
    except Resolver404:
        return "", request.path
    name = str(match.view_name)
    return name, request.path if place_of(name) is Place.OPEN else f"/{match.route}"


def find(held: str) -> models.Viewing | None:
    """The viewing that the browser's token names, in whatever state it is."""
    try:
        viewing_id = token.read(held, now())
    except token.BadToken:
        return None
    return models.Viewing.objects.select_related("agent", "subject__builder").filter(pk=viewing_id).first()


@contextmanager
def as_subject(request: Any, viewing: models.Viewing) -> Iterator[readonly.Looking]:
    """The request as one of the person: their pages, clock and rights, with a session and messages that are nobody's. The agent's own token
    has let the request in; from here on it is one that reads what the person may read."""
    own = request.user, request.session, request._messages, request.api_token
    request.user, request.session, request._messages = viewing.subject, SessionStore(), NoMessages(request)
    request.api_token = ApiToken(user=viewing.subject, scopes=[Scope.READ]) if request.api_token is not None else None
    request.viewing, request.stopped = viewing, ""
    try:
        with (
            context.use(on_behalf_of=viewing.subject_id),
            timezone.override(ZoneInfo(viewing.subject.time_zone)),
            guard.enforced(viewing.subject_id, viewing.number) as looking,
        ):
            yield looking
    finally:
        request.user, request.session, request._messages, request.api_token = own


def refusal(request: Any, viewing: models.Viewing, page: ViewedPage, why: str) -> HttpResponse:
    """What says that this is no part of a viewing."""
    if is_api(request):
        return refused_call(page, why)
    facts = {"kind": why, "page": page, "reason": why_closed(page.view_name), "moment": page.seen_at}
    response = render(request, "support/viewing/refused.html", facts, status=405 if why == "method" else 403)
    if why == "method":
        response["Allow"] = ", ".join((*LOOKING, "OPTIONS"))
    return response


def refused_call(page: ViewedPage, why: str) -> HttpResponse:
    """The same to a program."""
    if why == "method":
        response = rest.problem(405, "viewing_reads_only", "A viewing looks and does nothing else.")
        response["Allow"] = ", ".join((*LOOKING, "OPTIONS"))
        return response
    if why == "view":
        return rest.problem(403, "viewing_closed", f"This is no part of a viewing. {why_closed(page.view_name)}".strip())
    return rest.problem(403, "viewing_wrote", "This would have written something, which a viewing does not. Nothing was.")


def over(request: Any, why: EndReason | None) -> HttpResponse:
    """What says that the viewing is over; from the next request on, the agent's browser is theirs again."""
    words = "The caller holds none that is known here." if why is None else WORDS[why]
    if is_api(request):
        response = rest.problem(403, "viewing_over", f"The viewing is over. {words}")
        response["Cache-Control"] = "no-store"
        return response
    return forget(render(request, "support/viewing/over.html", {"words": words}, status=403))


def forget(response: HttpResponse) -> HttpResponse:
    response.delete_cookie(settings.VIEW_COOKIE, samesite="Strict")
    response["Cache-Control"] = "no-store"
    return response


def closed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Nothing of the page is kept, sets a cookie, or can be sent anywhere but to where the viewing ends."""
    response["Cache-Control"] = "no-store"
    response.cookies.clear()
    end = request.build_absolute_uri(reverse("support:end_viewing"))
    if not hasattr(response, "_csp_config"):
        response._csp_config = {**settings.SECURE_CSP, "form-action": [end]}  # type: ignore[attr-defined]  # as csp_override does
    return response
