"""Turning a call into an order."""

from __future__ import annotations

from uuid import UUID, uuid5

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from consultations import actions
from consultations.forms import ConvertForm
from port444.kit.errors import Invalid
from port444.kit.http import UserRequest, done
from port444.orders.models import OrderStatus

from .calls import call_of


@login_required
@require_POST
def convert(request: UserRequest, call_id: UUID) -> HttpResponse:
    call = call_of(request, call_id)
    form = ConvertForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("This order button is out of date. Reload the page and press it again."), code="client_key")
    package_id = form.cleaned_data["package"]
    # One page offers several packages with one key: who comes back and picks another one wants another order.
    key = uuid5(form.cleaned_data["client_key"], str(package_id))
    order = actions.convert_call(call.pk, actor=request.user, package_id=package_id, client_key=key)
    if order.status == OrderStatus.PENDING_PAYMENT:
        return done(request, reverse("payments:checkout", args=[order.invoice_id]))
    return done(request, reverse("orders:detail", args=[order.number]))
