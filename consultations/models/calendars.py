"""Calendars of builders: what is connected, what it says, and our own events in it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.sealed import SealedField
from port444.kit.states import StateMachine, known_status

from .calls import Consultation
from .words import said_failure


class CalendarProvider(models.TextChoices):
    GOOGLE = "google", _("Google Calendar")
    OUTLOOK = "outlook", _("Outlook")
    APPLE = "apple", _("Apple Calendar")
    CALDAV = "caldav", _("CalDAV")
    CAL_COM = "cal_com", "Cal.com"


class LinkStatus(models.TextChoices):
    ACTIVE = "active", _("Connected")
    BROKEN = "broken", _("Needs you to connect it again")
    OFF = "off", _("Disconnected")


class CalendarLink(StateMachine):
    """An account at a calendar provider that a builder has connected.

    `credentials` are what the provider's client needs (tokens, or address, name and password), encrypted. BROKEN: the provider
    refused them; the builder has been told. OFF: disconnected by the builder; while `hook_secret` is still there, the provider is being
    told, and then both it and the credentials are emptied.
    """

    called = _("calendar link")
    NEXT = {
        LinkStatus.ACTIVE: frozenset({LinkStatus.BROKEN, LinkStatus.OFF}),
        LinkStatus.BROKEN: frozenset({LinkStatus.ACTIVE, LinkStatus.OFF}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="calendar_links")
    provider = models.CharField(max_length=8, choices=CalendarProvider.choices)
    account = models.CharField(max_length=254)
    credentials = SealedField(default=dict)
    status = models.CharField(max_length=6, choices=LinkStatus.choices, default=LinkStatus.ACTIVE)
    hook_secret = models.CharField(max_length=64, blank=True)  # signs what the provider posts to us, where it signs at all
    last_ok_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    failed_at = models.DateTimeField(null=True)  # since when nothing has worked; null when the last attempt did
    connected_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["connected_at"]
        constraints = [
            known_status("calendar_link_status_known", LinkStatus),
            models.CheckConstraint(condition=Q(provider__in=CalendarProvider.values), name="calendar_link_provider"),
            models.UniqueConstraint(fields=["builder", "provider", "account"], condition=~Q(status="off"), name="calendar_link_once"),
        ]
        indexes = [models.Index(fields=["connected_at"], condition=Q(status="off") & ~Q(hook_secret=""), name="calendar_link_to_close")]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.account}"

    @property
    def error_words(self) -> str:
        return said_failure(self.last_error, CalendarProvider(self.provider).label)


class LinkedCalendar(models.Model):
    """One calendar of a connected account. `is_read`: its busy times block slots. `is_written`: our calls are written into it.

    `sync_token` continues where the last read ended and covers [`window_from`, `window_to`); an empty one asks for everything.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    link = models.ForeignKey(CalendarLink, on_delete=models.CASCADE, related_name="calendars")
    external_id = models.CharField(max_length=500)
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, blank=True)
    can_write = models.BooleanField(default=True)
    is_read = models.BooleanField(default=True)
    is_written = models.BooleanField(default=False)
    sync_token = models.TextField(blank=True)
    window_from = models.DateTimeField(null=True)
    window_to = models.DateTimeField(null=True)
    synced_at = models.DateTimeField(null=True)  # how old the busy list is
    next_sync_at = models.DateTimeField(default=now)
    queued_at = models.DateTimeField(null=True)  # since when a read waits in the queue
    failed_at = models.DateTimeField(null=True)  # since when it could not be read; null when the last attempt worked
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["link", "external_id"], name="linked_calendar_once"),
            models.UniqueConstraint(fields=["link"], condition=Q(is_written=True), name="linked_calendar_one_written"),
            models.CheckConstraint(condition=Q(is_written=False) | Q(can_write=True), name="linked_calendar_written_can_write"),
        ]
        indexes = [models.Index(fields=["next_sync_at"], condition=Q(is_read=True), name="linked_calendar_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def error_words(self) -> str:
        return said_failure(self.last_error, CalendarProvider(self.link.provider).label)


class PushChannel(models.Model):
    """A provider's promise to tell us of changes. Old and new ones overlap while a channel is renewed; each has a secret of its own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    calendar = models.ForeignKey(LinkedCalendar, on_delete=models.CASCADE, related_name="channels")
    external_id = models.CharField(max_length=300)  # Google's resource, Graph's subscription, Cal.com's webhook
    secret = models.CharField(max_length=64)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="push_channel_expiring")]

    def __str__(self) -> str:
        return self.external_id


class ExternalEvent(models.Model):
    """Somebody else's event in a calendar that is read: only when it is and whether it blocks. Titles are not kept.

    Our own calls come back from a provider, too; they are `CalendarEvent`s and never rows of this table.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    calendar = models.ForeignKey(LinkedCalendar, on_delete=models.CASCADE, related_name="events")
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="+")
    external_id = models.CharField(max_length=1100)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    is_busy = models.BooleanField(default=True)
    is_all_day = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["calendar", "external_id"], name="external_event_once"),
            models.CheckConstraint(condition=Q(ends_at__gte=F("starts_at")), name="external_event_ends_after_start"),
        ]
        indexes = [
            GistIndex(
                "builder",
                Func("starts_at", "ends_at", function="tstzrange", output_field=models.Field()),
                condition=Q(is_busy=True),
                name="external_event_busy",
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M}"


class EventStatus(models.TextChoices):
    WANTED = "wanted", _("To be written")
    WRITTEN = "written", _("Written")
    UNWANTED = "unwanted", _("To be removed")
    REMOVED = "removed", _("Removed")
    FAILED = "failed", _("Given up")


class CalendarEvent(StateMachine):
    """Our copy of a call in a calendar, one for a chain, and the outbox of writing it.

    `wanted` counts what should stand there (the call's ical_sequence), `written` what does. Ids outside are made from the chain,
    so that a repeat makes no second event. `etag` and `written_hash` (of the times) tell our own writes from changes made outside:
    an empty hash says that nothing stands there, MAYBE that a first write was begun. Until `lease_until` one worker has it.
    """

    MAYBE = "?"

    NEXT = {
        EventStatus.WANTED: frozenset({EventStatus.WRITTEN, EventStatus.UNWANTED, EventStatus.FAILED}),
        EventStatus.WRITTEN: frozenset({EventStatus.WANTED, EventStatus.UNWANTED}),
        EventStatus.UNWANTED: frozenset({EventStatus.REMOVED, EventStatus.WANTED, EventStatus.FAILED}),
        EventStatus.REMOVED: frozenset({EventStatus.WANTED}),
        EventStatus.FAILED: frozenset({EventStatus.WANTED, EventStatus.UNWANTED}),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    calendar = models.ForeignKey(LinkedCalendar, on_delete=models.CASCADE, related_name="copies")
    chain = models.UUIDField()
    consultation = models.ForeignKey(Consultation, on_delete=models.CASCADE, related_name="copies")
    status = models.CharField(max_length=8, choices=EventStatus.choices, default=EventStatus.WANTED)
    external_id = models.CharField(max_length=500, blank=True)
    etag = models.CharField(max_length=200, blank=True)
    wanted = models.PositiveSmallIntegerField(default=0)
    written = models.SmallIntegerField(default=-1)
    written_hash = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=now)
    queued_at = models.DateTimeField(null=True)  # since when an attempt waits in the queue
    lease_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            known_status("calendar_event_status_known", EventStatus),
            models.UniqueConstraint(fields=["calendar", "chain"], name="calendar_event_once"),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(status__in=["wanted", "unwanted"]), name="calendar_event_outbox"),
            models.Index(fields=["chain"], name="calendar_event_of_chain"),
        ]

    def __str__(self) -> str:
        return f"{self.chain} {self.status}"

    @property
    def error_words(self) -> str:
        return said_failure(self.last_error, CalendarProvider(self.calendar.link.provider).label)


class CalendarFeed(models.Model):
    """The private .ics address of a person. A higher generation makes the old address worthless."""

    user: Any = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="calendar_feed")
    generation = models.PositiveSmallIntegerField(default=0)
    read_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Feed {self.generation}"
