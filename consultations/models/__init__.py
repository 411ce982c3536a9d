"""Paid calls: when a builder takes them, who has booked one, and what stands for it in calendars and meeting rooms."""

from .attendance import Absence, AbsenceStatus, Attendance, Source
from .calendars import (
    CalendarEvent,
    CalendarFeed,
    CalendarLink,
    CalendarProvider,
    EventStatus,
    ExternalEvent,
    LinkedCalendar,
    LinkStatus,
    PushChannel,
)
from .calls import (
    BLOCKING,
    COMPLETE_AFTER_HOURS,
    JOIN_MINUTES,
    Back,
    ClaimStatus,
    Consultation,
    ConsultationQuerySet,
    ConsultationStatus,
    Party,
    SlotClaim,
)
from .hours import DAY_MINUTES, AvailabilityRule, CallSettings, DayOff, MeetingProvider, RefundPolicy, RuleKind
from .meetings import MeetingRoom, RoomStatus
from .moves import Proposal, ProposalKind, ProposalStatus
from .reminders import AHEAD, WORTH_UNTIL, Reminder, ReminderKind, ReminderStatus

__all__ = [
    "AHEAD",
    "BLOCKING",
    "COMPLETE_AFTER_HOURS",
    "DAY_MINUTES",
    "JOIN_MINUTES",
    "WORTH_UNTIL",
    "Absence",
    "AbsenceStatus",
    "Attendance",
    "AvailabilityRule",
    "Back",
    "CalendarEvent",
    "CalendarFeed",
    "CalendarLink",
    "CalendarProvider",
    "CallSettings",
    "ClaimStatus",
    "Consultation",
    "ConsultationQuerySet",
    "ConsultationStatus",
    "DayOff",
    "EventStatus",
    "ExternalEvent",
    "LinkStatus",
    "LinkedCalendar",
    "MeetingProvider",
    "MeetingRoom",
    "Party",
    "Proposal",
    "ProposalKind",
    "ProposalStatus",
    "PushChannel",
    "RefundPolicy",
    "Reminder",
    "ReminderKind",
    "ReminderStatus",
    "RoomStatus",
    "RuleKind",
    "SlotClaim",
    "Source",
]
