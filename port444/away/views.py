from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from port444.builders.models import Builder
from port444.kit.http import UserRequest, done, next_url

from . import actions

# Hearing of a return


@login_required
@require_POST
def want(request: UserRequest, slug: str) -> HttpResponse:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    actions.want_to_know(builder.pk, actor=request.user)
    return _waiting(request, builder, f"We tell you once when {builder.user.first_name} is back.", waits=True)


@login_required
@require_POST
def forget(request: UserRequest, slug: str) -> HttpResponse:
    builder = get_object_or_404(Builder.objects.visible().select_related("user"), slug=slug)
    actions.forget(builder.pk, actor=request.user)
    return _waiting(request, builder, f"You will not be told when {builder.user.first_name} is back.", waits=False)


def _waiting(request: UserRequest, builder: Builder, message: str, *, waits: bool) -> HttpResponse:
    """The button in its other state, wherever on the page it stands."""
    if not request.htmx:
        return done(request, next_url(request), message)
    return render(request, "away/_tell_again.html", {"builder": builder, "waits": waits, "message": message, "next": next_url(request)})
