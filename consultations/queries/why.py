"""Why a time is not offered. The rules are those of `slots` and `times`, asked one by one; without a reason the time is listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.urls import reverse_lazy
from django.utils.functional import Promise

from consultations.models import BLOCKING, CallSettings, ClaimStatus, DayOff, ExternalEvent, SlotClaim
from consultations.slots import DAY, STEP, Hours, instant, windows_between
from port444.builders.models import Builder

from .busy import STALE, calendars_read, events_between, known_since
from .times import call_settings, calls_of_days, hours_of, open_starts

HOURS, CALENDARS = reverse_lazy("consultations:availability"), reverse_lazy("consultations:calendars")


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands in the way: `icon` of the sprite, what it is, more about it, and where it can be changed."""

    icon: str
    title: str
    text: str = ""
    link: str | Promise = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be said about one time. `free`: the starts of that day which clients see."""

    starts_at: datetime
    minutes: int
    reasons: Sequence[Reason]
    free: Sequence[datetime]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides about the times between two moments."""

    builder: Builder
    terms: CallSettings
    hours: Hours
    moment: datetime
    claims: Sequence[SlotClaim]
    events: Sequence[ExternalEvent]
    calls: Sequence[int]
    days_off: Sequence[DayOff]
    known_since: datetime | None
    oldest: str

    def clock(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.hours.zone):%H:%M}"

    def day(self, moment: datetime) -> str:
        local = moment.astimezone(self.hours.zone)
        return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def explain(builder: Builder, *, starts_at: datetime, minutes: int, moment: datetime) -> Answer:
    """Every reason why clients cannot start a call of `minutes` at `starts_at`; none when it is on offer.

    The builder comes from `for_booking`.
    """
    facts = facts_of(builder, starts_at, starts_at + timedelta(minutes=minutes), moment)
    if isinstance(facts, Reason):
        return Answer(starts_at, minutes, [facts], [])
    zone = facts.hours.zone
    listed = open_starts(builder, client_id=None, minutes=minutes, moment=moment) if builder.call_price(minutes) is not None else []
    day: date = starts_at.astimezone(zone).date()
    reasons = list(reasons_of(facts, starts_at, minutes))
    if not reasons and starts_at not in listed:
        reasons = [Reason("circle-question-mark", "This time is not on offer.", "It changed while we looked. Ask again.")]
    return Answer(starts_at, minutes, reasons, [start for start in listed if start.astimezone(zone).date() == day])


def facts_of(builder: Builder, since: datetime, until: datetime, moment: datetime) -> Facts | Reason:
    """What decides about [since, until), or the one reason why nothing is offered at all."""
    terms, hours = call_settings(builder), hours_of(builder)
    if not builder.consultation_enabled or terms is None:
        return Reason("video-off", "Calls are switched off.", "Nobody can book you until you switch them on.", HOURS)
    if hours is None:
        return Reason("tag", "No length has a price.", "Give at least one length of call a price.", HOURS)
    gap = timedelta(seconds=hours.gap)
    claims = SlotClaim.objects.filter(BLOCKING, builder=builder, busy__overlap=(since - gap, until + gap))
    claims = claims.exclude(status=ClaimStatus.HELD, hold_expires_at__lte=moment).select_related("consultation__client")
    oldest = calendars_read(builder).select_related("link").order_by("synced_at").first()
    return Facts(
        builder=builder,
        terms=terms,
        hours=hours,
        moment=moment,
        claims=list(claims),
        events=list(events_between(builder, since - gap, until + gap).select_related("calendar__link").order_by("starts_at")),
        calls=calls_of_days(builder, hours, None, moment, until),
        days_off=list(builder.days_off.all()),
        known_since=known_since(builder),
        oldest=f"{oldest.link.get_provider_display()}: {oldest.name}" if oldest else "",
    )


def reasons_of(facts: Facts, starts_at: datetime, minutes: int) -> Iterator[Reason]:
    if facts.builder.call_price(minutes) is None:
        yield Reason("tag", f"Calls of {minutes} minutes have no price.", "Only lengths with a price are offered.", HOURS)
    if facts.known_since is not None and facts.known_since <= facts.moment - STALE:
        text = f"{facts.oldest} was last read {facts.day(facts.known_since)}. A list older than a day is not trusted."
        yield Reason("wifi-off", "We do not know when you are busy.", text, CALENDARS)
    yield from _of_the_rules(facts, starts_at)
    yield from _of_the_hours(facts, starts_at, minutes)
    yield from _of_what_is_taken(facts, starts_at, starts_at + timedelta(minutes=minutes))


def _of_the_rules(facts: Facts, start: datetime) -> Iterator[Reason]:
    earliest, latest = facts.moment + timedelta(seconds=facts.hours.notice), facts.moment + timedelta(seconds=facts.hours.horizon)
    if start.timestamp() < int(facts.moment.timestamp()):
        yield Reason("history", "This time has passed.")
    elif start.timestamp() < int(facts.moment.timestamp()) + facts.hours.notice:
        hours = facts.terms.notice_hours
        text = f"The earliest is {facts.day(earliest)}."
        yield Reason("hourglass", f"You ask for {hours} hour{'s' if hours != 1 else ''} notice.", text, HOURS)
    elif start.timestamp() > int(facts.moment.timestamp()) + facts.hours.horizon:
        text = f"The latest is {facts.day(latest)}."
        yield Reason("calendar-clock", f"Clients book at most {facts.terms.horizon_days} days ahead.", text, HOURS)


def _of_the_hours(facts: Facts, starts_at: datetime, minutes: int) -> Iterator[Reason]:
    start, end, hours = int(starts_at.timestamp()), int(starts_at.timestamp()) + minutes * 60, facts.hours
    whole = replace(hours, days_off=(), calls_a_day=None)
    windows = [window for window in windows_between(whole, start - DAY, end + DAY) if window[1] > start - DAY and window[0] < end + DAY]
    around = [window for window in windows if window[0] <= start and end <= window[1]]
    if not around:
        yield _outside(facts, windows, start, end, minutes)
    elif all((start - phase) % (STEP[minutes] * 60) for _, _, phase in around):
        step = "quarter of an hour" if STEP[minutes] == 15 else "half hour"
        text = "Other times are not offered, so that no time is lost between calls."
        yield Reason("clock", f"Calls of {minutes} minutes start on every {step}.", text)
    if around and not _covers(replace(whole, days_off=hours.days_off), start, end):
        local = starts_at.astimezone(hours.zone).date()
        off = next((off for off in facts.days_off if off.first_on <= local <= off.last_on), None)
        until = f" until {off.last_on:%a} {off.last_on.day} {off.last_on:%b}" if off and off.last_on > local else ""
        note = f" ({off.note})" if off and off.note else ""
        text = "Only hours opened for that date alone are open on a day off."
        yield Reason("tree-palm", f"It is a day off{until}{note}.", text, HOURS)
    if around and not _covers(replace(whole, calls_a_day=hours.calls_a_day), start, end, facts.calls):
        text = f"You take at most {hours.calls_a_day} a day."
        yield Reason("calendar-check", "The day is full.", text, HOURS)


def _covers(hours: Hours, start: int, end: int, calls: Sequence[int] = ()) -> bool:
    return any(opens <= start and end <= closes for opens, closes, _ in windows_between(hours, start, end, calls))


def _outside(facts: Facts, windows: Sequence[tuple[int, int, int]], start: int, end: int, minutes: int) -> Reason:
    zone = facts.hours.zone
    inside = next((window for window in windows if window[0] <= start < window[1]), None)
    if inside is not None:
        text = f"You close at {_clock(inside[1], zone)}; a call of {minutes} minutes would end at {_clock(end, zone)}."
        return Reason("clock", "It would end after your hours.", text, HOURS)
    local = datetime.fromtimestamp(start, zone).date()
    that_day = [window for window in windows if datetime.fromtimestamp(window[0], zone).date() == local]
    if not that_day:
        return Reason("clock", "You are closed on that day.", "Open hours on it to be booked.", HOURS)
    spans = ", ".join(f"{_clock(opens, zone)} to {_clock(closes, zone, is_end=True)}" for opens, closes, _ in that_day)
    return Reason("clock", "It is outside your hours.", f"You are open {spans} on that day.", HOURS)


def _clock(seconds: int, zone: ZoneInfo, *, is_end: bool = False) -> str:
    text = f"{datetime.fromtimestamp(seconds, zone):%H:%M}"
    return "24:00" if is_end and text == "00:00" else text


def _of_what_is_taken(facts: Facts, start: datetime, end: datetime) -> Iterator[Reason]:
    gap = timedelta(seconds=facts.hours.gap)
    for claim in facts.claims:
        if claim.busy.lower - gap < end and start < claim.busy.upper:
            yield _of_a_claim(facts, claim, start, end)
    for event in facts.events:
        if event.starts_at - gap < end and start < event.ends_at and event.starts_at < event.ends_at:
            yield _of_an_event(facts, event, start, end)
    builder = facts.builder
    if builder.away_stops_calls and builder.away_from and builder.away_until and builder.away_from < end and start < builder.away_until:
        yield Reason("sailboat", "You are away.", f"You are back {facts.day(builder.away_until)}.")


def _of_a_claim(facts: Facts, claim: SlotClaim, start: datetime, end: datetime) -> Reason:
    call = claim.consultation
    when = f"{facts.day(call.scheduled_at)} to {facts.clock(call.ends_at)}"
    if claim.status == ClaimStatus.HELD:
        until = f" until {facts.clock(claim.hold_expires_at)}" if claim.hold_expires_at else ""
        return Reason("hourglass", f"It is held for somebody who is paying{until}.", f"The time that is held: {when}.")
    name = call.client.first_name
    if start < call.ends_at and call.scheduled_at < end:
        return Reason("video", f"Your call with {name}.", when, call.url)
    if start >= call.ends_at:
        text = f"The call is {when}; the break lasts until {facts.clock(claim.busy.upper)}."
        return Reason("timer", f"Your break after the call with {name}.", text, call.url)
    text = f"After a call until {facts.clock(end)} there would be no break of {facts.terms.gap_minutes} minutes before it ({when})."
    return Reason("timer", f"Too close to your call with {name}.", text, call.url)


def _of_an_event(facts: Facts, event: ExternalEvent, start: datetime, end: datetime) -> Reason:
    where = f"{event.calendar.link.get_provider_display()}: {event.calendar.name}"
    when = "all day" if event.is_all_day else f"{facts.day(event.starts_at)} to {_end(facts, event)}"
    if start < event.ends_at and event.starts_at < end:
        return Reason("calendar-x-2", f"Busy in {where}.", when[0].upper() + when[1:] + ".", CALENDARS)
    text = f"After a call until {facts.clock(end)} there would be no break of {facts.terms.gap_minutes} minutes before it ({when})."
    return Reason("timer", f"Too close to an event in {where}.", text, CALENDARS)


def _end(facts: Facts, event: ExternalEvent) -> str:
    same = event.starts_at.astimezone(facts.hours.zone).date() == event.ends_at.astimezone(facts.hours.zone).date()
    return facts.clock(event.ends_at) if same else facts.day(event.ends_at)


def moment_of(day: date, minute: int, zone: str) -> datetime:
    """A wall clock time of the builder as an instant, as the slots see it."""
    return datetime.fromtimestamp(instant(day, minute, ZoneInfo(zone)), UTC)
