"""Why a time is not offered. The rules are those of `slots` and `times`, asked one by one; without a reason the time is listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from consultations.models import BLOCKING, CallSettings, ClaimStatus, DayOff, ExternalEvent, SlotClaim
from consultations.slots import DAY, STEP, Hours, instant, windows_between
from port444.builders.models import Builder
from port444.kit.language import dated

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
        return dated(local, "D j M, H:i")


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
        reasons = [Reason("circle-question-mark", _("This time is not on offer."), _("It changed while we looked. Ask again."))]
    return Answer(starts_at, minutes, reasons, [start for start in listed if start.astimezone(zone).date() == day])


def facts_of(builder: Builder, since: datetime, until: datetime, moment: datetime) -> Facts | Reason:
    """What decides about [since, until), or the one reason why nothing is offered at all."""
    terms, hours = call_settings(builder), hours_of(builder)
    if not builder.consultation_enabled or terms is None:
        return Reason("video-off", _("Calls are switched off."), _("Nobody can book you until you switch them on."), HOURS)
    if hours is None:
        return Reason("tag", _("No length has a price."), _("Give at least one length of call a price."), HOURS)
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
        title = _("Calls of %(minutes)s minutes have no price.") % {"minutes": minutes}
        yield Reason("tag", title, _("Only lengths with a price are offered."), HOURS)
    if facts.known_since is not None and facts.known_since <= facts.moment - STALE:
        read = {"calendar": facts.oldest, "at": facts.day(facts.known_since)}
        text = _("%(calendar)s was last read %(at)s. A list older than a day is not trusted.") % read
        yield Reason("wifi-off", _("We do not know when you are busy."), text, CALENDARS)
    yield from _of_the_rules(facts, starts_at)
    yield from _of_the_hours(facts, starts_at, minutes)
    yield from _of_what_is_taken(facts, starts_at, starts_at + timedelta(minutes=minutes))


def _of_the_rules(facts: Facts, start: datetime) -> Iterator[Reason]:
    earliest, latest = facts.moment + timedelta(seconds=facts.hours.notice), facts.moment + timedelta(seconds=facts.hours.horizon)
    if start.timestamp() < int(facts.moment.timestamp()):
        yield Reason("history", _("This time has passed."))
    elif start.timestamp() < int(facts.moment.timestamp()) + facts.hours.notice:
        hours = facts.terms.notice_hours
        title = ngettext("You ask for %(hours)s hour notice.", "You ask for %(hours)s hours notice.", hours) % {"hours": hours}
        yield Reason("hourglass", title, _("The earliest is %(at)s.") % {"at": facts.day(earliest)}, HOURS)
    elif start.timestamp() > int(facts.moment.timestamp()) + facts.hours.horizon:
        title = _("Clients book at most %(days)s days ahead.") % {"days": facts.terms.horizon_days}
        yield Reason("calendar-clock", title, _("The latest is %(at)s.") % {"at": facts.day(latest)}, HOURS)


def _of_the_hours(facts: Facts, starts_at: datetime, minutes: int) -> Iterator[Reason]:
    start, end, hours = int(starts_at.timestamp()), int(starts_at.timestamp()) + minutes * 60, facts.hours
    whole = replace(hours, days_off=(), calls_a_day=None)
    windows = [window for window in windows_between(whole, start - DAY, end + DAY) if window[1] > start - DAY and window[0] < end + DAY]
    around = [window for window in windows if window[0] <= start and end <= window[1]]
    if not around:
        yield _outside(facts, windows, start, end, minutes)
    elif all((start - phase) % (STEP[minutes] * 60) for _, _, phase in around):
        if STEP[minutes] == 15:
            title = _("Calls of %(minutes)s minutes start on every quarter of an hour.") % {"minutes": minutes}
        else:
            title = _("Calls of %(minutes)s minutes start on every half hour.") % {"minutes": minutes}
        yield Reason("clock", title, _("Other times are not offered, so that no time is lost between calls."))
    if around and not _covers(replace(whole, days_off=hours.days_off), start, end):
        local = starts_at.astimezone(hours.zone).date()
        off = next((off for off in facts.days_off if off.first_on <= local <= off.last_on), None)
        last = {"day": dated(off.last_on, "D j M")} if off and off.last_on > local else None
        title = _("It is a day off until %(day)s") % last if last else _("It is a day off")
        note = f" ({off.note})" if off and off.note else ""
        yield Reason("tree-palm", f"{title}{note}.", _("Only hours opened for that date alone are open on a day off."), HOURS)
    if around and not _covers(replace(whole, calls_a_day=hours.calls_a_day), start, end, facts.calls):
        text = _("You take at most %(calls)s a day.") % {"calls": hours.calls_a_day}
        yield Reason("calendar-check", _("The day is full."), text, HOURS)


def _covers(hours: Hours, start: int, end: int, calls: Sequence[int] = ()) -> bool:
    return any(opens <= start and end <= closes for opens, closes, _ in windows_between(hours, start, end, calls))


def _outside(facts: Facts, windows: Sequence[tuple[int, int, int]], start: int, end: int, minutes: int) -> Reason:
    zone = facts.hours.zone
    inside = next((window for window in windows if window[0] <= start < window[1]), None)
    if inside is not None:
        times = {"close": _clock(inside[1], zone), "minutes": minutes, "end": _clock(end, zone)}
        text = _("You close at %(close)s; a call of %(minutes)s minutes would end at %(end)s.") % times
        return Reason("clock", _("It would end after your hours."), text, HOURS)
    local = datetime.fromtimestamp(start, zone).date()
    that_day = [window for window in windows if datetime.fromtimestamp(window[0], zone).date() == local]
    if not that_day:
        return Reason("clock", _("You are closed on that day."), _("Open hours on it to be booked."), HOURS)
    open_then = ({"from": _clock(opens, zone), "to": _clock(closes, zone, is_end=True)} for opens, closes, _phase in that_day)
    spans = ", ".join(_("%(from)s to %(to)s") % span for span in open_then)
    return Reason("clock", _("It is outside your hours."), _("You are open %(spans)s on that day.") % {"spans": spans}, HOURS)


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
        yield Reason("sailboat", _("You are away."), _("You are back %(at)s.") % {"at": facts.day(builder.away_until)})


def _of_a_claim(facts: Facts, claim: SlotClaim, start: datetime, end: datetime) -> Reason:
    call = claim.consultation
    when = _("%(from)s to %(to)s") % {"from": facts.day(call.scheduled_at), "to": facts.clock(call.ends_at)}
    if claim.status == ClaimStatus.HELD:
        held = {"until": facts.clock(claim.hold_expires_at)} if claim.hold_expires_at else None
        title = _("It is held for somebody who is paying until %(until)s.") % held if held else _("It is held for somebody who is paying.")
        return Reason("hourglass", title, _("The time that is held: %(when)s.") % {"when": when})
    name = {"name": call.client.first_name}
    if start < call.ends_at and call.scheduled_at < end:
        return Reason("video", _("Your call with %(name)s.") % name, when, call.url)
    if start >= call.ends_at:
        text = _("The call is %(when)s; the break lasts until %(until)s.") % {"when": when, "until": facts.clock(claim.busy.upper)}
        return Reason("timer", _("Your break after the call with %(name)s.") % name, text, call.url)
    return Reason("timer", _("Too close to your call with %(name)s.") % name, _no_break(facts, end, when), call.url)


def _no_break(facts: Facts, end: datetime, when: str) -> str:
    words = {"end": facts.clock(end), "minutes": facts.terms.gap_minutes, "when": when}
    return _("After a call until %(end)s there would be no break of %(minutes)s minutes before it (%(when)s).") % words


def _of_an_event(facts: Facts, event: ExternalEvent, start: datetime, end: datetime) -> Reason:
    where = f"{event.calendar.link.get_provider_display()}: {event.calendar.name}"
    span = {"from": facts.day(event.starts_at), "to": _end(facts, event)}
    when = _("all day") if event.is_all_day else _("%(from)s to %(to)s") % span
    if start < event.ends_at and event.starts_at < end:
        return Reason("calendar-x-2", _("Busy in %(calendar)s.") % {"calendar": where}, f"{capfirst(when)}.", CALENDARS)
    return Reason("timer", _("Too close to an event in %(calendar)s.") % {"calendar": where}, _no_break(facts, end, when), CALENDARS)


def _end(facts: Facts, event: ExternalEvent) -> str:
    same = event.starts_at.astimezone(facts.hours.zone).date() == event.ends_at.astimezone(facts.hours.zone).date()
    return facts.clock(event.ends_at) if same else facts.day(event.ends_at)


def moment_of(day: date, minute: int, zone: str) -> datetime:
    """A wall clock time of the builder as an instant, as the slots see it."""
    return datetime.fromtimestamp(instant(day, minute, ZoneInfo(zone)), UTC)
