"""The order and the change of an address, for their two people alone."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse

from amendments.models import Amendment
from port444.kit.http import UserRequest
from port444.orders.models import Order


def order_of(request: UserRequest, number: int) -> Order:
    return get_object_or_404(Order.objects.visible_to(request.user).with_people().select_related("service", "package"), number=number)


def amendment_of(request: UserRequest, amendment_id: UUID) -> Amendment:
    return get_object_or_404(Amendment.objects.visible_to(request.user).with_people().select_related("order__service"), pk=amendment_id)


def order_url(order: Order) -> str:
    return f"{reverse('orders:detail', args=[order.number])}#change"
