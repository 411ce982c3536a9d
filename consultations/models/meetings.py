"""Rooms in which calls take place."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.states import StateMachine, known_status

from .calls import Consultation
from .hours import MeetingProvider

ASK_AFTER = timedelta(minutes=10)  # after the end of a call, when providers have written down who was there


class RoomStatus(models.TextChoices):
    WANTED = "wanted", _("Being prepared")
    READY = "ready", _("Ready")
    UNWANTED = "unwanted", _("To be closed")
    CLOSED = "closed", _("Closed")
    FAILED = "failed", _("Could not be made")


class MeetingRoom(StateMachine):
    """The room of a chain at a meeting provider, and the outbox of making, moving and closing it.

    `wanted` counts what should be there (the call's ical_sequence), `made` what is. `host` is the provider's user in whose name
    the room is. A room of Google Meet comes with the calendar event that carries it. A ready one is tried next when its call is over:
    then the provider is asked who was there.
    """

    called = _("meeting room")
    NEXT = {
        RoomStatus.WANTED: frozenset({RoomStatus.READY, RoomStatus.UNWANTED, RoomStatus.CLOSED, RoomStatus.FAILED}),
        RoomStatus.READY: frozenset({RoomStatus.WANTED, RoomStatus.UNWANTED, RoomStatus.CLOSED}),
        RoomStatus.UNWANTED: frozenset({RoomStatus.CLOSED, RoomStatus.WANTED, RoomStatus.FAILED}),
        RoomStatus.FAILED: frozenset({RoomStatus.WANTED, RoomStatus.CLOSED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    chain = models.UUIDField(unique=True)
    consultation = models.ForeignKey(Consultation, on_delete=models.CASCADE, related_name="rooms")
    provider = models.CharField(max_length=12, choices=MeetingProvider.choices)
    status = models.CharField(max_length=8, choices=RoomStatus.choices, default=RoomStatus.WANTED)
    url = models.URLField(max_length=1000, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    host = models.CharField(max_length=254, blank=True)
    wanted = models.PositiveSmallIntegerField(default=0)
    made = models.SmallIntegerField(default=-1)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=now)
    last_error = models.CharField(max_length=300, blank=True)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            known_status("meeting_room_status_known", RoomStatus),
            models.CheckConstraint(condition=Q(provider__in=MeetingProvider.values), name="meeting_room_provider"),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(status__in=["wanted", "unwanted"]), name="meeting_room_outbox"),
            models.Index(fields=["next_try_at"], condition=Q(status="ready"), name="meeting_room_to_ask"),
            models.Index(fields=["provider", "external_id"], condition=~Q(external_id=""), name="meeting_room_external"),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.status}"
