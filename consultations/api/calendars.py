"""Connected calendars, and the private address of one's calls. Connecting happens on the page, where the provider asks for a sign-in."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Router

from consultations import actions, queries
from consultations.models import CalendarFeed
from consultations.schemas.calendars import CalendarsOut, ChooseIn, CopyOut, DisconnectIn, FeedOut, calendars_out, copy_out
from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.http import UserRequest
from port444.kit.rest import answers

router = Router()


def _builder(request: UserRequest) -> Builder:
    builder: Builder = get_object_or_404(Builder.objects.select_related("user", "call_settings"), user=request.user)
    return builder


def _all(request: UserRequest) -> CalendarsOut:
    return calendars_out(queries.connections_of(_builder(request), now()))


@router.get("/calendars", response=answers(200, CalendarsOut), auth=may(), summary="Your connected calendars")
def list_calendars(request: UserRequest) -> CalendarsOut:
    """Of a builder: what is connected and how well it is, and what can be connected on the page."""
    return _all(request)


@router.post("/calendars/choose", response=answers(200, CalendarsOut), auth=may(Scope.CALLS), summary="Say what each calendar is for")
def choose_calendars(request: UserRequest, body: ChooseIn) -> CalendarsOut:
    """Which ones block times, and which one shows your calls."""
    actions.choose_calendars(_builder(request).pk, actor=request.user, read=set(body.read), written=body.written)
    return _all(request)


@router.post("/calendars/{uuid:link_id}/read", response=answers(200, CalendarsOut), auth=may(Scope.CALLS), summary="Read an account's calendars now")
def read_calendar_account(request: UserRequest, link_id: UUID) -> CalendarsOut:
    """It is read in the background; look again in a moment."""
    link = get_object_or_404(queries.links_of(request.user), pk=link_id)
    actions.read_soon(link.pk, actor=request.user)
    return _all(request)


@router.post("/calendars/{uuid:link_id}/disconnect", response=answers(200, CalendarsOut), auth=may(Scope.CALLS), summary="Disconnect an account")
def disconnect_calendar_account(request: UserRequest, link_id: UUID, body: DisconnectIn) -> CalendarsOut:
    """Its times block nothing from now on, and nothing is left here that could open it."""
    link = get_object_or_404(queries.links_of(request.user), pk=link_id)
    actions.disconnect_calendar(link.pk, actor=request.user, remove_copies=body.remove_copies)
    return _all(request)


@router.post(
    "/calendar-copies/{uuid:copy_id}/retry", response=answers(200, CopyOut), auth=may(Scope.CALLS), summary="Write a call into the calendar again"
)
def retry_calendar_copy(request: UserRequest, copy_id: UUID) -> CopyOut:
    copy = get_object_or_404(queries.copies_of(request.user), pk=copy_id)
    actions.retry_copy(copy.pk, actor=request.user)
    copy.refresh_from_db()
    return copy_out(copy)


def _feed(feed: CalendarFeed | None) -> FeedOut:
    url = settings.SITE_URL.rstrip("/") + reverse("consultations:feed_file", args=[queries.token_of(feed)]) if feed else None
    return FeedOut(url=url, read_at=feed.read_at if feed else None)


@router.get("/calendar-feed", response=answers(200, FeedOut), auth=may(Scope.CALLS), summary="Your private calendar address")
def get_calendar_feed(request: UserRequest, response: HttpResponse) -> FeedOut:
    """It outlives the token that asks for it, so that one that can only read does not get it."""
    response["Cache-Control"] = "no-store"
    return _feed(CalendarFeed.objects.filter(user=request.user).first())


@router.post("/calendar-feed/renew", response=answers(200, FeedOut), auth=may(Scope.CALLS), summary="Make your calendar address, or another one")
def renew_calendar_feed(request: UserRequest, response: HttpResponse) -> FeedOut:
    """The old one opens nothing any more."""
    response["Cache-Control"] = "no-store"
    return _feed(actions.renew_feed(actor=request.user))
