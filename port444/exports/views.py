"""Taking one's data away, and leaving."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest, done
from port444.kit.language import dated
from port444.kit.reauthentication import password_again

from . import actions
from .models import Closing, CopyStatus, PersonalCopy

SHOWN = 5


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@password_again
def own(request: UserRequest) -> HttpResponse:
    """Copies of what is held of the person, and how to leave. What is pressed says what is wanted."""
    if request.method == "POST":
        return done(request, reverse("exports:own"), _do(request.user, request.POST.get("act", "")))
    closing = Closing.objects.standing().filter(user=request.user).first()
    context = {
        "copies": PersonalCopy.objects.visible_to(request.user).order_by("-id")[:SHOWN],
        "closing": closing,
        "in_the_way": actions.own_words(request.user, now()) if closing is None or closing.in_the_way else [],
        "days": actions.CLOSING_DAYS,
        "kept_days": actions.KEPT_DAYS,
    }
    return render(request, "exports/own.html", context)


def _do(user: User, act: str) -> str:
    """What was asked for is done; the words that say so."""
    if act == "copy":
        actions.ask_for_copy(user.pk, actor=user)
        return _("We put it together now and tell you when it is ready.")
    if act == "close":
        closing = actions.ask_to_close(user.pk, actor=user)
        return _("Your account closes on %(day)s. Until then you can keep it.") % {"day": dated(closing.closes_at, "j F")}
    if act == "keep":
        actions.keep_account(user.pk, actor=user)
        return _("Your account stays.")
    raise Invalid(_("Press one of the buttons of the page."), code="act")


@login_required
@never_cache
@require_GET
@password_again
def copy(request: UserRequest, copy_id: UUID) -> HttpResponseBase:
    """The zip, for the person alone, after their password."""
    made = get_object_or_404(PersonalCopy.objects.visible_to(request.user), pk=copy_id, status=CopyStatus.READY, until__gt=now())
    try:
        content = default_storage.open(made.file_name)
    except FileNotFoundError as error:
        raise Http404 from error
    actions.told_copy(made, actor=request.user)
    response = FileResponse(content, as_attachment=True, filename=f"port444-{made.asked_at:%Y-%m-%d}.zip", content_type="application/zip")
    response["X-Content-Type-Options"] = "nosniff"
    return response
