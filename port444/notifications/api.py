"""The API of notifications."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import Field

from port444.accounts.callers import may
from port444.accounts.models import Scope
from port444.kit.http import UserRequest
from port444.kit.rest import Paging, answers, page

from . import actions, queries
from .models import Notification
from .schemas import NotificationRow, NotificationsOut, ReadOut, notification_row

router = Router(tags=["Notifications"])


class NotificationPaging(Paging):
    unread: bool = Field(False, description="Those alone that are not read")


@router.get("/notifications", response=answers(200, NotificationsOut), auth=may(), summary="Your notifications")
def list_notifications(request: UserRequest, paging: Query[NotificationPaging]) -> HttpResponse:
    rows = queries.shown_to(request.user)
    return page(request, paging, rows.unread() if paging.unread else rows, NotificationRow, notification_row)


@router.post(
    "/notifications/{uuid:notification_id}/read",
    response=answers(200, NotificationRow),
    auth=may(Scope.MESSAGES),
    summary="Mark one as read",
)
def read_notification(request: UserRequest, notification_id: UUID) -> NotificationRow:
    found = get_object_or_404(Notification.objects.visible_to(request.user), pk=notification_id)
    actions.read_notification(found.pk, actor=request.user)
    found.refresh_from_db()
    return notification_row(found)


@router.post("/notifications/read", response=answers(200, ReadOut), auth=may(Scope.MESSAGES), summary="Mark all as read")
def read_notifications(request: UserRequest) -> ReadOut:
    return ReadOut(read=actions.read_all(actor=request.user))
