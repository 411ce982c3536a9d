from __future__ import annotations

import json
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from port444.accounts.models import User
from port444.kit.http import UserRequest, done

from . import actions, emails, queries, sms
from . import outbox as mailbox
from .forms import PreferencesForm
from .models import Notification

PAGE = 30


@login_required
@require_GET
def listing(request: UserRequest) -> HttpResponse:
    """The bell's page: newest first, older ones by keyset."""
    before = None
    if "before" in request.GET:
        try:
            before = get_object_or_404(Notification.objects.visible_to(request.user), pk=UUID(request.GET["before"]))
        except ValueError as error:
            raise Http404 from error
    rows = list(queries.page_of(request.user, before=before, limit=PAGE))
    more = f"{reverse('notifications:list')}?before={rows[PAGE - 1].pk}" if len(rows) > PAGE else ""
    context = {"notifications": rows[:PAGE], "more": more, "first": before is None}
    return render(request, "notifications/list.html#rows" if request.htmx and before is not None else "notifications/list.html", context)


@login_required
@require_POST
def read(request: UserRequest, notification_id: UUID) -> HttpResponse:
    """Mark one as read and go to what it is about."""
    get_object_or_404(Notification.objects.visible_to(request.user), pk=notification_id)
    notification = actions.read_notification(notification_id, actor=request.user)
    return done(request, notification.url or reverse("notifications:list"))


@login_required
@require_POST
def read_all(request: UserRequest) -> HttpResponse:
    actions.read_all(actor=request.user)
    return done(request, reverse("notifications:list"))


@login_required
@require_GET
def bell(request: UserRequest) -> HttpResponse:
    """What a page that stays open asks for: 304 while nothing came and nothing was read. What is newer than what the page knows is told
    in a toast, and to the lists of the page that wait for news."""
    bell, known = queries.bell_of(request.user), request.headers.get("If-None-Match", "")
    if known == bell.etag:
        return HttpResponseNotModified(headers={"ETag": bell.etag, "Cache-Control": "no-store"})
    response = render(request, "notifications/_bell.html", {"bell": bell})
    response["ETag"], response["Cache-Control"] = bell.etag, "no-store"
    if bell.newest is not None and str(bell.newest) > known.strip('"').partition(".")[2]:  # the ids are in the order of time
        title = Notification.objects.values_list("title", flat=True).get(pk=bell.newest)
        response["HX-Trigger"] = json.dumps({"toast": {"text": title, "kind": "news"}, "news": {}})
    return response


@login_required
@require_http_methods(["GET", "POST"])
def preferences(request: UserRequest) -> HttpResponse:
    form = PreferencesForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        actions.change_preferences(request.user.pk, actor=request.user, chosen=form.chosen(), hours=form.hours())
        return done(request, reverse("notifications:settings"), _("Saved."))
    return render(request, "notifications/settings.html", {"form": form}, status=422 if form.is_bound else 200)


@csrf_exempt  # the signed token is the authority: mail programs post here without cookies (RFC 8058)
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop the mails of one group, signed out. Looking changes nothing, since mail scanners open every link."""
    try:
        user_id, group = emails.read_token(token)
    except (signing.BadSignature, ValueError) as error:
        raise Http404 from error
    user = get_object_or_404(User, pk=user_id)
    context = {"group": group, "name": user.first_name, "address": user.email, "stopped": False}
    if request.method == "POST":
        actions.unsubscribe(user_id, group)
        context["stopped"] = True
    return render(request, "notifications/unsubscribe.html", context)


@csrf_exempt  # Twilio signs what it posts
@require_POST
def sms_reply(request: HttpRequest) -> HttpResponse:
    """An answer to a text message: STOP ends them. Everything else is passed over."""
    fields = {name: str(request.POST[name]) for name in request.POST}
    if not sms.is_from_twilio(emails.absolute(request.get_full_path()), fields, request.headers.get("X-Twilio-Signature", "")):
        raise PermissionDenied
    if sms.is_stop(fields.get("Body", "")):
        actions.stop_sms(fields.get("From", ""))
    return HttpResponse("<Response/>", content_type="text/xml")


@require_GET
def outbox(request: HttpRequest) -> HttpResponse:
    """The newest captured mails and SMS; development only."""
    return render(request, "notifications/outbox.html", {"letters": mailbox.newest()})


@require_GET
def captured(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "notifications/captured.html", {"letter": _letter(name)})


@require_GET
def captured_html(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML of a mail as it is, in a sandbox of its own: mail alone may carry inline styles."""
    response = HttpResponse(_letter(name).html, content_type="text/html; charset=utf-8")
    response["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    return response


@require_GET
def captured_part(request: HttpRequest, name: str, part: int) -> HttpResponse:
    files = _letter(name).files
    if part >= len(files):
        raise Http404
    file = files[part]
    response = HttpResponse(file.content, content_type=file.mimetype)
    response.headers["Content-Disposition"] = file.disposition
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _letter(name: str) -> mailbox.Letter:
    letter = mailbox.read(name)
    if letter is None:
        raise Http404
    return letter
