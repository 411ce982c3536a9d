"""When a builder takes calls: windows of wall clock time, days off, and the rules around each call."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from port444.accounts.models import check_zone
from port444.builders.models import Builder
from port444.kit.ids import uuid7

DAY_MINUTES = 24 * 60
NTH = [1, 2, 3, 4, -1]  # of the weekdays of a month; -1 is the last


class RefundPolicy(models.TextChoices):
    """What a client gets back who cancels later than `free_hours` before the start. With NONE there is no free time at all."""

    FREE = "free", pgettext_lazy("refund", "Nothing")
    HALF = "half", pgettext_lazy("refund", "Half")
    NONE = "none", _("Nothing, whenever")


class MeetingProvider(models.TextChoices):
    OWN_LINK = "own_link", _("Your own link")
    GOOGLE_MEET = "google_meet", _("Google Meet")
    ZOOM = "zoom", "Zoom"
    CAL_COM = "cal_com", "Cal.com"


class CallSettings(models.Model):
    """How a builder takes calls. Windows are wall clock in `time_zone`. Refund and move rules are copied onto a call when it is booked."""

    builder = models.OneToOneField(Builder, on_delete=models.CASCADE, primary_key=True, related_name="call_settings")
    time_zone = models.CharField(max_length=64, validators=[check_zone])
    notice_hours = models.PositiveSmallIntegerField(default=4)
    horizon_days = models.PositiveSmallIntegerField(default=60)
    gap_minutes = models.PositiveSmallIntegerField(default=0)
    calls_a_day = models.PositiveSmallIntegerField(null=True, blank=True)
    refund_policy = models.CharField(max_length=4, choices=RefundPolicy.choices, default=RefundPolicy.FREE)
    free_hours = models.PositiveSmallIntegerField(default=24)
    move_limit = models.PositiveSmallIntegerField(default=2)
    move_hours = models.PositiveSmallIntegerField(default=12)
    meeting_provider = models.CharField(max_length=12, choices=MeetingProvider.choices, default=MeetingProvider.OWN_LINK)

    class Meta:
        verbose_name_plural = "call settings"
        constraints = [
            models.CheckConstraint(condition=Q(notice_hours__lte=336), name="call_settings_notice_in_range"),
            models.CheckConstraint(condition=Q(horizon_days__gte=1, horizon_days__lte=180), name="call_settings_horizon_in_range"),
            models.CheckConstraint(condition=Q(gap_minutes__lte=120), name="call_settings_gap_in_range"),
            models.CheckConstraint(
                condition=Q(calls_a_day__gte=1, calls_a_day__lte=24) | Q(calls_a_day__isnull=True), name="call_settings_calls_a_day"
            ),
            models.CheckConstraint(condition=Q(refund_policy__in=RefundPolicy.values), name="call_settings_refund_policy"),
            models.CheckConstraint(condition=Q(free_hours__gte=1, free_hours__lte=336), name="call_settings_free_hours"),
            models.CheckConstraint(condition=Q(move_limit__lte=9), name="call_settings_move_limit"),
            models.CheckConstraint(condition=Q(move_hours__lte=336), name="call_settings_move_hours"),
            models.CheckConstraint(condition=Q(meeting_provider__in=MeetingProvider.values), name="call_settings_meeting_provider"),
        ]

    def __str__(self) -> str:
        return f"Calls in {self.time_zone}"


class RuleKind(models.TextChoices):
    WEEKLY = "weekly", _("Every week, or every few weeks")
    MONTHLY_DATE = "monthly_date", _("On a day of the month")
    MONTHLY_WEEKDAY = "monthly_weekday", _("On a weekday of the month")
    ONCE = "once", _("Once")


class AvailabilityRule(models.Model):
    """A window of open time, in minutes after local midnight; several may lie on one day. An end of 1440 is midnight.

    WEEKLY: `weekday` (Monday is 0) every `interval_weeks` weeks, counted in whole weeks from the week of `anchor_on`, which only an
    interval of 1 can do without. MONTHLY_DATE: `month_day` 1 to 31, skipped in shorter months, or -1 for the last day.
    MONTHLY_WEEKDAY: the `nth` (1 to 4, or -1 for the last) `weekday`. ONCE: the date `on`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="availability")
    kind = models.CharField(max_length=16, choices=RuleKind.choices, default=RuleKind.WEEKLY)
    weekday = models.PositiveSmallIntegerField(null=True)
    interval_weeks = models.PositiveSmallIntegerField(default=1)
    anchor_on = models.DateField(null=True)
    month_day = models.SmallIntegerField(null=True)
    nth = models.SmallIntegerField(null=True)
    on = models.DateField(null=True)
    start_minute = models.PositiveSmallIntegerField()
    end_minute = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["kind", "weekday", "month_day", "on", "start_minute"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__lte=6) | Q(weekday__isnull=True), name="availability_weekday"),
            models.CheckConstraint(condition=Q(end_minute__gt=F("start_minute"), end_minute__lte=DAY_MINUTES), name="availability_start_before_end"),
            models.CheckConstraint(
                condition=Q(kind="weekly", weekday__isnull=False, month_day__isnull=True, nth__isnull=True, on__isnull=True)
                & (Q(interval_weeks=1) | Q(interval_weeks__gte=2, interval_weeks__lte=8, anchor_on__isnull=False))
                | Q(kind="monthly_date", weekday__isnull=True, nth__isnull=True, on__isnull=True, interval_weeks=1)
                & (Q(month_day=-1) | Q(month_day__gte=1, month_day__lte=31))
                | Q(kind="monthly_weekday", weekday__isnull=False, nth__in=NTH, month_day__isnull=True, on__isnull=True, interval_weeks=1)
                | Q(kind="once", on__isnull=False, weekday__isnull=True, month_day__isnull=True, nth__isnull=True, interval_weeks=1),
                name="availability_kind_is_whole",
            ),
            models.UniqueConstraint(
                fields=["builder", "weekday", "start_minute"], condition=Q(kind="weekly", interval_weeks=1), name="availability_window_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.start_minute}-{self.end_minute}"


class DayOff(models.Model):
    """Local days, first and last included, on which nothing that recurs is open. A window of kind ONCE still is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="days_off")
    first_on = models.DateField()
    last_on = models.DateField()
    note = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["first_on"]
        verbose_name_plural = "days off"
        constraints = [
            models.CheckConstraint(condition=Q(last_on__gte=F("first_on")), name="day_off_first_before_last"),
            models.UniqueConstraint(fields=["builder", "first_on", "last_on"], name="day_off_once"),
        ]

    def __str__(self) -> str:
        return f"{self.first_on} to {self.last_on}"
