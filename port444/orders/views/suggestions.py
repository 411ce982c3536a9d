"""What a builder does with a hint in a conversation: send the offer as it is, or put it aside. Editing it first is the form of offers."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from port444.kit.errors import DomainError
from port444.kit.http import UserRequest, done
from port444.orders import actions, queries
from port444.orders.models import Suggestion


def _hint(request: UserRequest, suggestion_id: UUID) -> Suggestion:
    return get_object_or_404(Suggestion.objects.visible_to(request.user).select_related("conversation__client"), pk=suggestion_id)


@login_required
@require_POST
def send_suggestion(request: UserRequest, suggestion_id: UUID) -> HttpResponse:
    """One press: the offer is in the conversation, which asks for what is new at once."""
    hint = _hint(request, suggestion_id)
    try:
        offer = actions.send_suggestion(hint.pk, actor=request.user)
    except DomainError as error:
        if not request.htmx:
            raise
        response = render(request, "orders/offers/_refused.html", {"error": error}, status=error.status)
        response["HX-Trigger"] = "talk"
        return response
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Trigger": "talk"})
    return done(request, queries.offers.offer_url(offer), _("%(client)s has your offer.") % {"client": hint.conversation.client.first_name})


@login_required
@require_POST
def dismiss_suggestion(request: UserRequest, suggestion_id: UUID) -> HttpResponse:
    """Not now: the card goes."""
    hint = _hint(request, suggestion_id)
    actions.dismiss_suggestion(hint.pk, actor=request.user)
    if request.htmx:
        return HttpResponse()
    return done(request, hint.conversation.get_absolute_url(), _("Put aside."))
