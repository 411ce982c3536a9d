"""Apple's calendar and every other that speaks CalDAV (RFC 4791, 6578, 6764), on our own guarded session.

What is kept between reads is one token: JSON with the server's sync-token or ctag, a digest of the etags in the window, and the
window. While they say that nothing changed, `changes` is empty. When anything did, all of the window is read again and the list
is full: CalDAV names changed resources, not instances, and what vanished from a series is known only by what is still there.

The external id of an event is its resource's path inside the calendar; an instance of a recurring one adds `#` and its
RECURRENCE-ID in UTC.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit
from uuid import UUID
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import requests
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy
from requests_hardened.ip_filter import InvalidIPAddress

from consultations import ical
from port444.kit import outbound
from port444.kit.clock import now

from .occurrences import Occurrence, Unreadable, expand, find_zone, zone_name
from .protocol import (
    Booking,
    Calendar,
    Changes,
    Conflicting,
    Connection,
    Event,
    Gone,
    Limited,
    NotConnected,
    Refused,
    Subscription,
    Unreachable,
    Written,
)

log = logging.getLogger(__name__)

D, C, CS = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{http://calendarserver.org/ns/}"
NAMESPACES = 'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:cs="http://calendarserver.org/ns/"'
APPLE = re.compile(r"(?:p\d{1,3}-)?caldav\.icloud\.com")
DAY = timedelta(days=1)
MOST_REDIRECTS = 5
CHUNK = 100  # resources asked for at once
MOST_RESOURCES = 5_000
PATIENCE = 45.0  # seconds for one reading of a calendar, requests and expansion together
WAIT = 60.0  # seconds, when a server says "too many" and not for how long
LONGEST_WAIT = 3600.0
WRITES = {f"{D}all", f"{D}write", f"{D}write-content", f"{D}bind"}


class _TooMuch(Unreachable):
    """One answer was larger than we read."""


def connect(url: str, name: str, password: str) -> Connection:
    """Find the calendars of a person from what they typed: the address of the server or of anything on it, name and password."""
    server = _Server(_address(url), name.strip(), password)
    principal = server.find_principal()
    item = server.one("PROPFIND", principal, _propfind("<c:calendar-home-set/>", "<c:calendar-user-address-set/>"))
    home = item.href_in(f"{C}calendar-home-set") if item else ""
    if item is None or not home:
        raise Refused(gettext_lazy("This server has no calendars for you."))
    addresses = [text.lower() for text in item.texts_in(f"{C}calendar-user-address-set") if text.lower().startswith("mailto:")]
    if not addresses and "@" in server.name:
        addresses = [f"mailto:{server.name.lower()}"]
    credentials = {"url": server.start, "name": server.name, "password": password, "home": home, "addresses": addresses, "time_zone": ""}
    account = server.name if "@" in server.name else f"{server.name} at {urlsplit(server.start).hostname}"
    return Connection(account[:254], credentials, CalDAV(credentials).calendars())


def client(credentials: Mapping[str, Any], keep: Callable[[dict[str, Any]], None] | None = None) -> CalDAV:
    """The client of a connected account. `time_zone` among the credentials is the builder's, for calendars that name none."""
    return CalDAV(credentials)


class CalDAV:
    """A CalendarClient. `passed_over` counts the resources of the last reading that could not be read and block nothing."""

    def __init__(self, credentials: Mapping[str, Any]) -> None:
        self.server = _Server(credentials["url"], credentials["name"], credentials["password"])
        self.home = str(credentials["home"])
        self.mine = frozenset(credentials.get("addresses", ()))
        self.zone = find_zone(str(credentials.get("time_zone", ""))) or ZoneInfo("UTC")
        self.passed_over = 0

    def calendars(self) -> Sequence[Calendar]:
        asked = _propfind(
            "<d:resourcetype/>",
            "<d:displayname/>",
            "<c:supported-calendar-component-set/>",
            "<c:calendar-timezone/>",
            "<d:current-user-privilege-set/>",
        )
        found: list[Calendar] = []
        for item in self.server.items("PROPFIND", self.home, asked, depth=1):
            if not item.has(f"{D}resourcetype", f"{C}calendar") or not _takes_events(item):
                continue
            name = item.text(f"{D}displayname") or unquote(item.url.rstrip("/").rpartition("/")[2])
            can_write = _can_write(item)
            primary = can_write and not any(calendar.is_primary for calendar in found)
            found.append(Calendar(item.url, name[:200], zone_name(item.text(f"{C}calendar-timezone")), primary, can_write))
        return found

    def busy(self, calendar_ids: Sequence[str], since: datetime, until: datetime) -> Sequence[tuple[datetime, datetime]]:
        ends, self.passed_over = time.monotonic() + PATIENCE, 0
        spans = []
        for calendar_id in calendar_ids:
            calendar = _Collection(self, calendar_id)
            try:
                items = self.server.items("REPORT", calendar.url, _query(since, until, "<c:calendar-data/>"), depth=1)
                read: Iterable[_Resource] = [_Resource(item.url, "", item.text(f"{C}calendar-data")) for item in items]
            except _TooMuch:
                read = calendar.read(list(calendar.etags(since, until)), ends)
            for resource in read:
                found = self._occurrences(resource, calendar, since, until, ends) or ()
                spans += [(at.starts_at, at.ends_at) for at in found if at.is_busy]
        return _merged((max(start, since), min(end, until)) for start, end in spans)

    def changes(self, calendar_id: str, token: str, since: datetime, until: datetime) -> Changes:
        ends, self.passed_over = time.monotonic() + PATIENCE, 0
        calendar = _Collection(self, calendar_id)
        window = f"{_utc(since)}/{_utc(until)}"
        known = _Token.read(token) if token else None
        if known is not None and known.window == window and not calendar.has_changed(known):
            return Changes((), token, is_full=False)
        sync, ctag = calendar.marks()  # before the list: what changes in between is then seen twice, not never
        etags = calendar.etags(since, until)
        fresh = _Token(sync, ctag, _digest(etags), window)
        if known is not None and known.window == window and known.digest == fresh.digest:
            return Changes((), fresh.text(), is_full=False)
        events: list[Event] = []
        for resource in calendar.read(list(etags), ends):
            found = self._occurrences(resource, calendar, since, until, ends)
            events += _events(resource, calendar.name_of(resource.url), found)
        if self.passed_over:
            log.warning("%d resources of a calendar could not be read", self.passed_over)
        return Changes(list({event.external_id: event for event in events}.values()), fresh.text(), is_full=True)

    def write(self, calendar_id: str, booking: Booking, known: Written | None) -> Written:
        calendar = _Collection(self, calendar_id)
        owner = next(iter(sorted(self.mine)), "")
        content = ical.entry(booking, owner=owner)
        if known is not None:
            return calendar.replace(known.external_id, known.etag, content)
        name = ical.file_name(booking.chain)
        answer = calendar.put(name, content, {"If-None-Match": "*"})
        if answer.ok:
            return Written(name, calendar.etag_after(answer, name))
        if answer.status_code in (403, 409):  # the invitation was taken over from the mail: the same event under another name
            name = calendar.name_in_conflict(answer, ical.uid_of(booking.chain))
        elif answer.status_code != 412:
            raise _failure(answer)
        return calendar.replace(name, "", content)

    def fetch(self, calendar_id: str, external_id: str) -> Written:
        calendar = _Collection(self, calendar_id)
        answer = calendar.get(external_id)
        if answer is None:
            raise Refused(gettext_lazy("The event is not there."))
        return Written(external_id, answer.headers.get("ETag", ""))

    def remove(self, calendar_id: str, external_id: str) -> None:
        calendar = _Collection(self, calendar_id)
        answer = self.server.ask("DELETE", calendar.url_of(external_id))
        if not answer.ok and answer.status_code not in (404, 410):
            raise _failure(answer, writing=True)

    def watch(self, calendar_id: str, channel_id: str, secret: str, address: str) -> Subscription | None:
        """CalDAV has no pushes that everybody could use; it is asked again and again."""
        return None

    def unwatch(self, calendar_id: str, channel_id: str, external_id: str) -> None:
        """There is nothing to take back."""

    def _occurrences(self, resource: _Resource, calendar: _Collection, since: datetime, until: datetime, ends: float) -> list[Occurrence] | None:
        """None for a resource that cannot be read."""
        if time.monotonic() > ends:
            raise Unreachable("The calendar is too large to be read in time.")
        try:
            return expand(resource.text, since=since, until=until, zone=lambda: calendar.zone, mine=self.mine)
        except Unreadable as error:
            self.passed_over += 1
            log.info("A resource of a calendar was passed over: %s", error)
            return None


class _Collection:
    """One calendar on its server."""

    def __init__(self, client: CalDAV, url: str) -> None:
        self.client = client
        self.server = client.server
        self.url = url
        self.path = unquote(urlsplit(url).path).rstrip("/") + "/"

    @cached_property
    def zone(self) -> tzinfo:
        """Of all-day events and times without a zone: the calendar's, else the builder's."""
        item = self.server.one("PROPFIND", self.url, _propfind("<c:calendar-timezone/>"))
        name = zone_name(item.text(f"{C}calendar-timezone")) if item else ""
        return ZoneInfo(name) if name else self.client.zone

    def name_of(self, url: str) -> str:
        path = unquote(urlsplit(url).path)
        name = path.removeprefix(self.path)
        return name if len(name) <= 500 else f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"

    def url_of(self, name: str) -> str:
        return urljoin(self.url.rstrip("/") + "/", quote(name))

    def marks(self) -> tuple[str, str]:
        """The server's sync-token, where it can say what changed since, and its ctag."""
        item = self.server.one("PROPFIND", self.url, _propfind("<d:sync-token/>", "<d:supported-report-set/>", "<cs:getctag/>"))
        if item is None:
            return "", ""
        reports = item.props.get(f"{D}supported-report-set")
        offered = reports is not None and reports.find(f".//{D}sync-collection") is not None
        return (item.text(f"{D}sync-token") if offered else ""), item.text(f"{CS}getctag")

    def has_changed(self, known: _Token) -> bool:
        """Raises Gone when the server no longer knows the token."""
        if known.sync:
            body = (
                f"<d:sync-collection {NAMESPACES}><d:sync-token>{escape(known.sync)}</d:sync-token>"
                "<d:sync-level>1</d:sync-level><d:prop><d:getetag/></d:prop></d:sync-collection>"
            )
            try:
                return bool(self.server.items("REPORT", self.url, body, depth=0))
            except _TooMuch:
                return True
        return not known.ctag or self.marks()[1] != known.ctag

    def etags(self, since: datetime, until: datetime) -> dict[str, str]:
        items = self.server.items("REPORT", self.url, _query(since, until, "<d:getetag/>"), depth=1)
        if len(items) > MOST_RESOURCES:
            raise Unreachable("The calendar holds too many events.")
        return {item.url: item.text(f"{D}getetag") for item in items}

    def read(self, urls: Sequence[str], ends: float) -> Iterable[_Resource]:
        """The texts of these resources. What is gone by now is left out; what is too large counts as passed over."""
        for start in range(0, len(urls), CHUNK):
            yield from self._read_chunk(urls[start : start + CHUNK], ends)

    def _read_chunk(self, urls: Sequence[str], ends: float) -> Iterable[_Resource]:
        if time.monotonic() > ends:
            raise Unreachable("The calendar is too large to be read in time.")
        hrefs = "".join(f"<d:href>{escape(urlsplit(url).path)}</d:href>" for url in urls)
        body = f"<c:calendar-multiget {NAMESPACES}><d:prop><d:getetag/><c:calendar-data/></d:prop>{hrefs}</c:calendar-multiget>"
        try:
            items = self.server.items("REPORT", self.url, body, depth=1)
        except _TooMuch:
            if len(urls) == 1:
                yield _Resource(urls[0], "", "")  # which cannot be read
                return
            yield from self._read_chunk(urls[: len(urls) // 2], ends)
            yield from self._read_chunk(urls[len(urls) // 2 :], ends)
        else:
            yield from (_Resource(item.url, item.text(f"{D}getetag"), text) for item in items if (text := item.text(f"{C}calendar-data")))

    def get(self, name: str) -> requests.Response | None:
        answer = self.server.ask("GET", self.url_of(name))
        if answer.status_code in (404, 410):
            return None
        if not answer.ok:
            raise _failure(answer)
        return answer

    def put(self, name: str, content: bytes, condition: Mapping[str, str]) -> requests.Response:
        return self.server.ask("PUT", self.url_of(name), content, {"Content-Type": "text/calendar; charset=utf-8", **condition})

    def replace(self, name: str, etag: str, content: bytes) -> Written:
        """Bring our event up to date if it still is what `etag` says; without one, if nobody changes it meanwhile.

        One that was deleted is made again: whoever asks for a write wants it there.
        """
        if not etag:
            there = self.get(name)
            etag = there.headers.get("ETag", "") if there is not None else ""
        answer = self.put(name, content, {"If-Match": etag or "*"})
        if answer.status_code in (404, 410, 412) and self.get(name) is None:
            answer = self.put(name, content, {"If-None-Match": "*"})
        if answer.status_code in (409, 412):
            raise Conflicting("The event was changed in the calendar.")
        if not answer.ok:
            raise _failure(answer, writing=True)
        return Written(name, self.etag_after(answer, name))

    def etag_after(self, answer: requests.Response, name: str) -> str:
        """Servers that change what they are given do not say its etag."""
        if etag := answer.headers.get("ETag", ""):
            return etag
        item = self.server.one("PROPFIND", self.url_of(name), _propfind("<d:getetag/>"))
        return item.text(f"{D}getetag") if item else ""

    def name_in_conflict(self, answer: requests.Response, uid: str) -> str:
        """The resource that holds `uid` already, which a refused PUT may name (RFC 4791, 5.3.2.1). Raises Refused for other refusals."""
        try:
            refusal = fromstring(answer.content, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError):
            raise _failure(answer, writing=True) from None
        conflict = next(refusal.iter(f"{C}no-uid-conflict"), None)
        if conflict is None:
            raise _failure(answer, writing=True)
        named = conflict.findtext(f"{D}href") or ""
        url = urljoin(self.url, named.strip()) if named.strip() else self._url_with(uid)
        if not unquote(urlsplit(url).path).startswith(self.path):
            raise Refused(gettext_lazy("The call is in another calendar of the account already."))
        return self.name_of(url)

    def _url_with(self, uid: str) -> str:
        body = (
            f"<c:calendar-query {NAMESPACES}><d:prop><d:getetag/></d:prop><c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>"
            f"<c:prop-filter name='UID'><c:text-match>{escape(uid)}</c:text-match></c:prop-filter></c:comp-filter></c:comp-filter></c:filter>"
            "</c:calendar-query>"
        )
        return next((item.url for item in self.server.items("REPORT", self.url, body, depth=1)), "")


@dataclass(frozen=True, slots=True)
class _Resource:
    url: str
    etag: str
    text: str


@dataclass(frozen=True, slots=True)
class _Item:
    """One resource in an answer: its address, and the properties that the server has."""

    url: str
    props: Mapping[str, Element]

    def text(self, name: str) -> str:
        found = self.props.get(name)
        return (found.text or "").strip() if found is not None else ""

    def has(self, name: str, inside: str) -> bool:
        found = self.props.get(name)
        return found is not None and found.find(inside) is not None

    def texts_in(self, name: str) -> list[str]:
        found = self.props.get(name)
        return [] if found is None else [(each.text or "").strip() for each in found.iter(f"{D}href")]

    def href_in(self, name: str) -> str:
        first = next(iter(self.texts_in(name)), "")
        return urljoin(self.url, first) if first else ""


class _Server:
    """Requests to one server, with the password, which no other server ever sees."""

    def __init__(self, start: str, name: str, password: str) -> None:
        self.start = start
        self.name = name
        self.session = outbound.session(guarded=True)
        self.key = b64encode(f"{name}:{password}".encode()).decode()

    def find_principal(self) -> str:
        """Where the person's own resources are named: at the address that was typed, or where RFC 6764 says."""
        places = [urljoin(self.start, "/.well-known/caldav"), urljoin(self.start, "/")]
        if urlsplit(self.start).path.strip("/"):
            places.insert(0, self.start)
        for place in places:
            answer = self.ask("PROPFIND", place, _propfind("<d:current-user-principal/>"), {"Depth": "0"})
            if answer.status_code != 207:
                if answer.status_code in (401, 403, 429) or (answer.status_code >= 500 and answer.status_code != 501):
                    raise _failure(answer)
                continue
            for item in _items(answer):
                if found := item.href_in(f"{D}current-user-principal"):
                    return found
        raise Refused(
            format_lazy(
                gettext_lazy("There is no calendar server at {host}. Your provider's help names its CalDAV address; enter all of it."),
                host=urlsplit(self.start).hostname,
            )
        )

    def one(self, method: str, url: str, body: str) -> _Item | None:
        return next(iter(self.items(method, url, body, depth=0)), None)

    def items(self, method: str, url: str, body: str, *, depth: int) -> list[_Item]:
        answer = self.ask(method, url, body, {"Depth": str(depth)})
        if answer.status_code != 207:
            raise _failure(answer)
        return _items(answer)

    def ask(self, method: str, url: str, body: str | bytes = b"", headers: Mapping[str, str] | None = None) -> requests.Response:
        """One request; redirects are followed, each only to where the password may go."""
        sent = {"Content-Type": "application/xml; charset=utf-8", "Authorization": f"Basic {self.key}", **(headers or {})}
        for _ in range(MOST_REDIRECTS + 1):
            self._check(url)
            answer = self._send(method, url, body.encode() if isinstance(body, str) else body, sent)
            if answer.status_code not in (301, 302, 303, 307, 308) or not answer.headers.get("Location"):
                return answer
            url = urljoin(url, answer.headers["Location"])
        raise Refused(gettext_lazy("This server sends us from one address to the next without end."))

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self.session.request(method, url, data=body, headers=dict(headers))
        except (InvalidIPAddress, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise Refused(gettext_lazy("That address cannot be used. Enter a public https:// address.")) from error
        except outbound.TooLarge as error:
            raise _TooMuch("The answer is too large.") from error
        except requests.exceptions.SSLError as error:
            raise Unreachable("The server's certificate is not valid.") from error
        except requests.Timeout as error:
            raise Unreachable("The server did not answer in time.") from error
        except requests.RequestException as error:
            raise Unreachable(f"The server cannot be reached ({type(error).__name__}).") from error

    def _check(self, url: str) -> None:
        """The typed server, a name below it, or Apple's own partitions; never in the clear when it began encrypted."""
        try:
            first, here = urlsplit(self.start), urlsplit(url)
            known = (first.hostname or "", first.port or 443)
            host, port = here.hostname or "", here.port or 443
        except ValueError as error:
            raise Refused(gettext_lazy("This server sends us to an address that cannot be used.")) from error
        if here.scheme != "https" and here.scheme != first.scheme:
            raise Refused(gettext_lazy("This server sends us to an address that is not encrypted."))
        same = host == known[0] and port in (known[1], 443)
        below = port == 443 and "." in known[0] and not _is_ip(known[0]) and host.endswith(f".{known[0]}")
        apple = port == 443 and APPLE.fullmatch(known[0]) is not None and APPLE.fullmatch(host) is not None
        if not (same or below or apple) or "@" in here.netloc:
            raise Refused(format_lazy(gettext_lazy("This server sends us on to {host}. If you trust it, enter that address yourself."), host=host))


@dataclass(frozen=True, slots=True)
class _Token:
    sync: str
    ctag: str
    digest: str
    window: str

    def text(self) -> str:
        return json.dumps({"sync": self.sync, "ctag": self.ctag, "digest": self.digest, "window": self.window})

    @classmethod
    def read(cls, text: str) -> _Token:
        try:
            held = json.loads(text)
            return cls(str(held["sync"]), str(held["ctag"]), str(held["digest"]), str(held["window"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Gone("The token cannot be read.") from error


def _address(typed: str) -> str:
    """The https address that was meant, without query and fragment."""
    text = typed.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        named = parts.hostname and parts.port != 0
    except ValueError as error:
        raise Refused(gettext_lazy("That is no address of a server.")) from error
    if not named or "@" in parts.netloc:
        raise Refused(gettext_lazy("That is no address of a server."))
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", "", ""))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _failure(answer: requests.Response, *, writing: bool = False) -> Exception:
    """What an answer means that is not the wished one. A refused write says something about the calendar, not about the password."""
    status = answer.status_code
    if status in (403, 409, 412, 507) and b"valid-sync-token" in answer.content[:10_000]:
        return Gone("The server no longer knows the token.")
    if status == 401 or (status == 403 and not writing):
        return NotConnected("The server refuses this name or password.")
    if status in (429, 503):
        wait = _retry_after(answer.headers.get("Retry-After", ""))
        if wait is not None or status == 429:
            return Limited("The server asks us to wait.", WAIT if wait is None else wait)
    if status >= 500 and status not in (501, 507):
        return Unreachable(f"The server has a fault ({status}).")
    if status in (404, 405, 410, 501):
        return Refused(gettext_lazy("There is no calendar at this address."))
    if 200 <= status < 300:
        return Unreachable("The server's answer is not CalDAV.")
    return Refused(format_lazy(gettext_lazy("The server refuses the request ({status})."), status=status))


def _retry_after(text: str) -> float | None:
    """Seconds, from a number or a date."""
    try:
        seconds = float(text) if text.strip().isdigit() else (parsedate_to_datetime(text) - now()).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 1.0), LONGEST_WAIT)


def _items(answer: requests.Response) -> list[_Item]:
    """The resources of a multi-status that are there. Raises Gone, or Unreachable for an answer that cannot be read."""
    try:
        root = fromstring(answer.content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Unreachable("The server's answer cannot be read.") from error
    if root.tag != f"{D}multistatus":
        raise Unreachable("The server's answer is not CalDAV.")
    return [_item(response, answer.url or "") for response in root.iter(f"{D}response")]


def _item(response: Element, base: str) -> _Item:
    props: dict[str, Element] = {}
    for found in response.iter(f"{D}propstat"):
        if " 200" in (found.findtext(f"{D}status") or " 200"):
            for prop in found.iter(f"{D}prop"):
                props |= {each.tag: each for each in prop}
    return _Item(urljoin(base, (response.findtext(f"{D}href") or "").strip()), props)


def _propfind(*names: str) -> str:
    return f"<d:propfind {NAMESPACES}><d:prop>{''.join(names)}</d:prop></d:propfind>"


def _query(since: datetime, until: datetime, *names: str) -> str:
    """A day more on both sides: servers put times without a zone, and whole days, into zones of their own choice."""
    since, until = since - DAY, until + DAY
    return (
        f"<c:calendar-query {NAMESPACES}><d:prop>{''.join(names)}</d:prop><c:filter><c:comp-filter name='VCALENDAR'><c:comp-filter name='VEVENT'>"
        f"<c:time-range start='{_utc(since)}' end='{_utc(until)}'/></c:comp-filter></c:comp-filter></c:filter></c:calendar-query>"
    )


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _takes_events(item: _Item) -> bool:
    kinds = item.props.get(f"{C}supported-calendar-component-set")
    return kinds is None or len(kinds) == 0 or any(kind.get("name") == "VEVENT" for kind in kinds)


def _can_write(item: _Item) -> bool:
    granted = item.props.get(f"{D}current-user-privilege-set")
    return granted is None or any(each.tag in WRITES for each in granted.iter())


def _digest(etags: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(etags.items())).encode()).hexdigest()


def _events(resource: _Resource, name: str, found: Sequence[Occurrence] | None) -> list[Event]:
    """The events of one resource; `found` is None when it cannot be read.

    Ours shows up under its plain name also when somebody made a series of it or broke it: missing would mean that it was deleted.
    """
    if found is None:
        chain = _chain_in(resource.text, name)
        return [Event(external_id=name, is_busy=False, etag=resource.etag, chain=chain)] if chain else []
    events = [
        Event(
            external_id=f"{name}#{at.key}" if at.key else name,
            starts_at=at.starts_at,
            ends_at=at.ends_at,
            is_busy=at.is_busy,
            is_all_day=at.is_all_day,
            etag=resource.etag,
            chain=ical.chain_of(at.uid),
        )
        for at in sorted(found, key=lambda at: at.key)
    ]
    if events and events[0].chain:
        events[0] = replace(events[0], external_id=name)
    return events


def _chain_in(text: str, name: str) -> UUID | None:
    """The chain of a call whose resource cannot be read, by its UID or by the name that we gave it."""
    uid = re.search(r"^UID[^:\r\n]*:(\S+)", text, re.MULTILINE)
    return ical.chain_of(uid[1]) if uid else ical.chain_of_file(name)


def _merged(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    merged: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
