"""Microsoft's sign-in and the calendar part of Graph, on loopback.

`python -m tests.fakes.graph PORT` serves it alone and prints the settings that lead a site to it. In a test: `use(settings)`, then act as
the human outside with add_event, add_series, change_event, move_event, delete_event.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit
from zoneinfo import ZoneInfo

import requests
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from .server import Answer, FakeServer, Seen

LOGIN, GRAPH = "/common/oauth2/v2.0", "/v1.0"
ACCOUNT = "mara@outlook.example"
CLIENT_ID, CLIENT_SECRET = "port444-at-microsoft", "client-secret-of-port444"
GRANTED = "User.Read Calendars.ReadWrite"
MAIN, SECOND, SHARED = "AAMkAGI1/main+0=", "AAMkAGI1/side+1=", "AAMkAGI1/team+2="
LONGEST_WATCH = timedelta(minutes=4230)
OF_OCCURRENCE = ("id", "@odata.etag", "type", "seriesMasterId", "start", "end")  # all that a delta tells of one
STAMP = "%Y-%m-%dT%H:%M:%S"

Deliver = Callable[[str, Any], tuple[int, str, str]]


@dataclass
class Item:
    """An event as it is kept: times as aware moments, or as dates with `isAllDay` among the fields."""

    id: str
    calendar: str
    starts: datetime | date
    ends: datetime | date
    zone: str
    fields: dict[str, Any]
    version: int
    is_gone: bool = False

    def span(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        first, last = (each if isinstance(each, datetime) else datetime.combine(each, time(), zone) for each in (self.starts, self.ends))
        return first.astimezone(UTC), last.astimezone(UTC)


@dataclass(frozen=True)
class Round:
    """What a delta token stands for. `shown`: the ids that were in the window when it was given."""

    calendar: str
    since: datetime
    until: datetime
    version: int
    shown: frozenset[str]


@dataclass
class Watch:
    id: str
    calendar: str
    body: dict[str, Any]
    news: list[dict[str, Any]] = field(default_factory=list)


def deliver(url: str, body: Any) -> tuple[int, str, str]:
    """Post to the site as Graph does, and return status, content type and text."""
    response = requests.post(url, json=body, timeout=10, allow_redirects=False)
    return response.status_code, response.headers.get("content-type", ""), response.text


class FakeGraph(FakeServer):
    """One account with three calendars: its main one, a second, and one of a team that it may only read."""

    def __init__(self, port: int = 0, deliver: Deliver = deliver) -> None:
        super().__init__(port)
        self.deliver = deliver
        self.account = ACCOUNT
        self.mailbox_zone = "W. Europe Standard Time"
        self.is_personal = False  # personal accounts have no getSchedule
        self.granted = GRANTED
        self.speaks = ""  # a zone in which it answers whatever is preferred
        self.page = 50
        self.refuses_repeats = False  # answers a repeated transactionId with 409 instead of the event, also that of a deleted one
        self.allows_one_watch = False  # refuses a second watch of the same resource
        self.codes: dict[str, dict[str, str]] = {}
        self.access: set[str] = set()
        self.refresh: set[str] = set()
        self.calendars = {
            MAIN: {"name": "Calendar", "canEdit": True, "isDefaultCalendar": True},
            SECOND: {"name": "Family", "canEdit": True, "isDefaultCalendar": False},
            SHARED: {"name": "Team", "canEdit": False, "isDefaultCalendar": False},
        }
        self.items: dict[str, Item] = {}
        self.rounds: dict[str, Round] = {}
        self.rests: dict[str, tuple[list[dict[str, Any]], str]] = {}
        self.watches: dict[str, Watch] = {}
        self.version = 0

    def use(self, settings: Any) -> None:
        """Lead a site's settings here."""
        for name, value in self.settings().items():
            setattr(settings, name, value)

    def settings(self) -> dict[str, str]:
        return {
            "MICROSOFT_CLIENT_ID": CLIENT_ID,
            "MICROSOFT_CLIENT_SECRET": CLIENT_SECRET,
            "MICROSOFT_LOGIN_URL": f"{self.url}{LOGIN}",
            "MICROSOFT_GRAPH_URL": f"{self.url}{GRAPH}",
        }

    # The human outside.

    def consent(self, authorize_url: str, *, allow: bool = True) -> str:
        """Press the button of the consent page; the address to which the browser is sent back."""
        response = requests.post(authorize_url, data={"answer": "allow" if allow else "deny"}, timeout=10, allow_redirects=False)
        return response.headers["location"]

    def credentials(self, **more: Any) -> dict[str, Any]:
        """What a connected account holds, without going through the consent."""
        with self.lock:
            return {**self._tokens(), "expires_at": 4102444800, "time_zone": "Europe/Amsterdam", **more}

    def end_access(self) -> None:
        """All access tokens have ended; refresh tokens still work."""
        self.access.clear()

    def revoke(self) -> None:
        """The person took their consent back."""
        self.access.clear()
        self.refresh.clear()

    def forget_rounds(self) -> None:
        """All delta tokens are too old."""
        self.rounds.clear()
        self.rests.clear()

    def add_event(
        self, starts: datetime | date, ends: datetime | date, *, calendar: str = MAIN, zone: str = "UTC", subject: str = "Dentist", **fields: Any
    ) -> str:
        """Dates make an event of whole days. `fields` are Graph's: showAs, isCancelled, responseStatus, ..."""
        all_day = not isinstance(starts, datetime)
        with self.lock:
            return self._put(calendar, starts, ends, zone, {"subject": subject, "isAllDay": all_day, "type": "singleInstance", **fields}).id

    def add_series(
        self, starts: list[datetime], length: timedelta, *, calendar: str = MAIN, zone: str = "UTC", **fields: Any
    ) -> tuple[str, list[str]]:
        """The id of the series and those of its occurrences."""
        with self.lock:
            shared = {"subject": "Weekly", "isAllDay": False, **fields}
            master = self._put(calendar, starts[0], starts[0] + length, zone, {**shared, "type": "seriesMaster"})
            more = {**shared, "type": "occurrence", "seriesMasterId": master.id}
            return master.id, [self._put(calendar, each, each + length, zone, dict(more)).id for each in starts]

    def move_event(self, event_id: str, starts: datetime | date, ends: datetime | date) -> None:
        with self.lock:
            item = self.items[event_id]
            item.starts, item.ends = starts, ends
            self._touch(item, "updated")

    def change_event(self, event_id: str, **fields: Any) -> None:
        with self.lock:
            self.items[event_id].fields |= fields
            self._touch(self.items[event_id], "updated")

    def delete_event(self, event_id: str) -> None:
        with self.lock:
            self.items[event_id].is_gone = True
            self._touch(self.items[event_id], "deleted")

    def ours(self, calendar: str = MAIN) -> list[Item]:
        """The live events that a program made with a transactionId."""
        return [item for item in self._live(calendar) if item.fields.get("transactionId")]

    # What Graph posts.

    def push(self, *, twice: bool = True) -> list[int]:
        """Deliver the news of all watches, newest first and each twice, as happens outside; the statuses of the answers."""
        posts: dict[str, list[dict[str, Any]]] = {}
        with self.lock:
            for watch in self.watches.values():
                posts.setdefault(watch.body["notificationUrl"], []).extend(reversed(watch.news))
                watch.news = []
        return [self.deliver(url, {"value": news})[0] for url, news in posts.items() if news for _ in range(2 if twice else 1)]

    def lifecycle(self, event: str) -> list[int]:
        """missed, subscriptionRemoved or reauthorizationRequired, for every watch."""
        with self.lock:
            posts = [
                (watch.body.get("lifecycleNotificationUrl", ""), self._of_watch(watch) | {"lifecycleEvent": event}) for watch in self.watches.values()
            ]
            if event == "subscriptionRemoved":
                self.watches.clear()
        return [self.deliver(url, {"value": [each]})[0] for url, each in posts if url]

    # The server.

    def answer(self, request: Seen) -> Answer:
        if request.path.startswith(f"{LOGIN}/"):
            return self._login(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.access:
            return _error(401, "InvalidAuthenticationToken")
        steps = [unquote(step) for step in request.path.removeprefix(f"{GRAPH}/").split("/")]
        match request.method, steps:
            case "GET", ["me"]:
                return Answer(200, {"id": "u-1", "mail": None if self.is_personal else self.account, "userPrincipalName": self.account})
            case "GET", ["me", "calendars"]:
                return self._page(request, [self._pick(request, {"id": id_, **each}) for id_, each in self.calendars.items()])
            case "POST", ["me", "calendar", "getSchedule"]:
                return self._schedule(request)
            case _, ["me", "calendars", calendar, *rest] if calendar in self.calendars:
                return self._calendar(request, calendar, rest)
            case "GET" | "POST", ["subscriptions"]:
                return (
                    self._page(request, [{"id": w.id, **w.body} for w in self.watches.values()]) if request.method == "GET" else self._watch(request)
                )
            case "DELETE", ["subscriptions", id_]:
                return Answer(204) if self.watches.pop(id_, None) else _error(404, "ResourceNotFound")
        return _error(404, "ErrorItemNotFound" if "calendars" in steps else "BadRequest")

    def _calendar(self, request: Seen, calendar: str, rest: list[str]) -> Answer:
        match request.method, rest:
            case "GET", ["calendarView"]:
                since, until = _window(request)
                found = [item for item in self._live(calendar) if item.fields["type"] != "seriesMaster" and self._overlaps(item, since, until)]
                return self._page(
                    request, [self._pick(request, self._shown(item, request)) for item in sorted(found, key=lambda each: each.span(UTC_ZONE))]
                )
            case "GET", ["calendarView", "delta"]:
                return self._delta(request, calendar)
            case "GET", ["events"]:
                wanted = re.search(r"ep/value eq '([^']*)'", request.query.get("$filter", ""))
                found = [item for item in self._live(calendar) if wanted and item.fields.get("mark") == wanted[1]]
                return self._page(request, [self._pick(request, self._shown(item, request)) for item in found])
            case "POST", ["events"]:
                return self._create(request, calendar)
            case _, ["events", id_]:
                item = self.items.get(id_)
                if item is None or item.is_gone or item.calendar != calendar:
                    return _error(404, "ErrorItemNotFound")
                return self._event(request, item)
        return _error(405, "Request_BadRequest")

    def _event(self, request: Seen, item: Item) -> Answer:
        if request.method == "GET":
            return Answer(200, self._pick(request, self._shown(item, request)))
        if not self.calendars[item.calendar]["canEdit"]:
            return _error(403, "ErrorAccessDenied")
        if request.headers.get("if-match", "*") not in ("*", _etag(item)):
            return _error(412, "ErrorIrresolvableConflict")
        if request.method == "DELETE":
            item.is_gone = True
            self._touch(item, "deleted")
            return Answer(204)
        if request.method != "PATCH":
            return _error(405, "Request_BadRequest")
        body = request.json
        item.starts, item.ends = _moment(body["start"]), _moment(body["end"])
        item.fields |= {name: value for name, value in body.items() if name not in ("start", "end")}
        self._touch(item, "updated")
        return Answer(200, self._shown(item, request))

    def _create(self, request: Seen, calendar: str) -> Answer:
        if not self.calendars[calendar]["canEdit"]:
            return _error(403, "ErrorAccessDenied")
        body = request.json
        transaction = body.get("transactionId")
        same = next(
            (item for item in self.items.values() if not item.is_gone and transaction and item.fields.get("transactionId") == transaction), None
        )
        if same is not None:
            return _error(409, "ErrorDuplicateTransactionId") if self.refuses_repeats else Answer(201, self._shown(same, request))
        marks = body.pop("singleValueExtendedProperties", [])
        fields = {name: value for name, value in body.items() if name not in ("start", "end")} | {"mark": marks[0]["value"] if marks else None}
        item = self._put(calendar, _moment(body["start"]), _moment(body["end"]), body["start"]["timeZone"], {"type": "singleInstance", **fields})
        return Answer(201, self._shown(item, request))

    def _delta(self, request: Seen, calendar: str) -> Answer:
        if rest := request.query.get("$skiptoken"):
            if rest not in self.rests:
                return _error(410, "SyncStateNotFound")
            return self._delta_page(request, *self.rests[rest])
        if token := request.query.get("$deltatoken"):
            before = self.rounds.get(token)
            if before is None:
                return _error(410, "SyncStateNotFound")
        else:
            since, until = _window(request)
            before = Round(calendar, since, until, 0, frozenset())
        live = [item for item in self._live(calendar) if item.fields["type"] == "seriesMaster" or self._overlaps(item, before.since, before.until)]
        shown = frozenset(item.id for item in live)
        news = [self._news(item, request) for item in live if item.version > before.version or item.id not in before.shown]
        news += [{"id": id_, "@removed": {"reason": "deleted"}} for id_ in sorted(before.shown - shown)]
        after = secrets.token_hex(8)
        self.rounds[after] = Round(calendar, before.since, before.until, self.version, shown)
        return self._delta_page(request, news, after)

    def _news(self, item: Item, request: Seen) -> dict[str, Any]:
        shown = self._shown(item, request)
        return {name: shown[name] for name in OF_OCCURRENCE if name in shown} if item.fields["type"] == "occurrence" else shown

    def _delta_page(self, request: Seen, news: list[dict[str, Any]], after: str) -> Answer:
        size = self._size(request)
        base = f"{self.url}{request.path}"
        if len(news) > size:
            rest = secrets.token_hex(8)
            self.rests[rest] = (news[size:], after)
            return Answer(200, {"value": news[:size], "@odata.nextLink": f"{base}?$skiptoken={rest}"})
        return Answer(200, {"value": news, "@odata.deltaLink": f"{base}?$deltatoken={after}"})

    def _schedule(self, request: Seen) -> Answer:
        if self.is_personal:
            return _error(403, "ErrorAccessDenied")
        hours = {"daysOfWeek": ["monday"], "startTime": "08:00:00.0000000", "endTime": "17:00:00.0000000", "timeZone": {"name": self.mailbox_zone}}
        return Answer(200, {"value": [{"scheduleId": request.json["schedules"][0], "scheduleItems": [], "workingHours": hours}]})

    def _watch(self, request: Seen) -> Answer:
        body = request.json
        ends = datetime.fromisoformat(body["expirationDateTime"])
        calendar = unquote(re.sub(r"^/?me/calendars/|/events$", "", body["resource"]))
        if calendar not in self.calendars:
            return _error(404, "ResourceNotFound")
        if ends > self.now() + LONGEST_WATCH or ends <= self.now():
            return _error(400, "ValidationError")
        if self.allows_one_watch and any(watch.calendar == calendar for watch in self.watches.values()):
            return _error(409, "Conflict")
        for url in {body["notificationUrl"], body.get("lifecycleNotificationUrl") or body["notificationUrl"]}:
            if not self._is_willing(url):
                return _error(400, "ValidationError")
        watch = Watch(secrets.token_hex(8), calendar, body)
        self.watches[watch.id] = watch
        return Answer(201, {"id": watch.id, **{name: value for name, value in body.items() if name != "clientState"}})

    def now(self) -> datetime:
        """The present for the length of a watch; a test with a clock of its own replaces it."""
        return datetime.now(UTC)

    def _is_willing(self, url: str) -> bool:
        """Whether the address repeats a token as plain text within ten seconds."""
        token = f"Validation: Testing client application reachability & <{secrets.token_hex(4)}>"
        found: list[tuple[int, str, str]] = []
        asking = threading.Thread(
            target=lambda: found.append(self.deliver(f"{url}{'&' if '?' in url else '?'}validationToken={quote(token)}", None)), daemon=True
        )
        asking.start()
        asking.join(10)
        return bool(found) and found[0][0] == 200 and found[0][1].startswith("text/plain") and found[0][2] == token

    # Sign-in.

    def _login(self, request: Seen) -> Answer:
        match request.method, request.path.removeprefix(f"{LOGIN}/"):
            case "GET", "authorize":
                wanted = html.escape(request.query.get("scope", ""))
                page = f"<!doctype html><title>Sign in</title><h1>Microsoft (not really)</h1><p>{html.escape(self.account)}: allow {wanted}?</p>"
                page += (
                    '<form method="post"><button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button></form>'
                )
                return Answer(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
            case "POST", "authorize":
                return self._consented(request)
            case "POST", "token":
                return self._token(request.form)
        return _flat(404, "not_found")

    def _consented(self, request: Seen) -> Answer:
        asked = request.query
        back: dict[str, str] = {"state": asked.get("state", "")}
        if asked.get("client_id") != CLIENT_ID or asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return _flat(400, "invalid_request")
        if request.form.get("answer") == "allow":
            back["code"] = secrets.token_urlsafe(24)
            self.codes[back["code"]] = {"challenge": asked["code_challenge"], "redirect_uri": asked["redirect_uri"]}
        else:
            back["error"] = "access_denied"
        return Answer(302, b"", {"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def _token(self, form: Mapping[str, str]) -> Answer:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return _flat(401, "invalid_client")
        if form.get("grant_type") == "authorization_code":
            held = self.codes.pop(form.get("code", ""), None)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
            if held is None or held["challenge"] != challenge or held["redirect_uri"] != form.get("redirect_uri"):
                return _flat(400, "invalid_grant")
        elif form.get("refresh_token") not in self.refresh:
            return _flat(400, "invalid_grant")
        return Answer(200, {"token_type": "Bearer", "scope": self.granted, "expires_in": 3600, **self._tokens()})

    def _tokens(self) -> dict[str, str]:
        """New ones. The old refresh token stays good, as Microsoft's does."""
        made = {"access_token": f"access-{secrets.token_hex(12)}", "refresh_token": f"refresh-{secrets.token_hex(12)}"}
        self.access.add(made["access_token"])
        self.refresh.add(made["refresh_token"])
        return made

    # Events.

    def _put(self, calendar: str, starts: datetime | date, ends: datetime | date, zone: str, fields: dict[str, Any]) -> Item:
        item = Item(f"AAkALg/{secrets.token_hex(6)}+{len(self.items)}=", calendar, starts, ends, zone, fields, 0)
        self.items[item.id] = item
        self._touch(item, "created")
        return item

    def _touch(self, item: Item, change: str) -> None:
        self.version += 1
        item.version = self.version
        for watch in self.watches.values():
            if watch.calendar == item.calendar and change in watch.body["changeType"]:
                watch.news.append(self._of_watch(watch) | {"changeType": change, "resource": f"Users/u-1/Events/{item.id}"})

    def _of_watch(self, watch: Watch) -> dict[str, Any]:
        return {
            "subscriptionId": watch.id,
            "clientState": watch.body.get("clientState"),
            "subscriptionExpirationDateTime": watch.body["expirationDateTime"],
            "tenantId": "t-1",
        }

    def _live(self, calendar: str) -> list[Item]:
        return [item for item in self.items.values() if item.calendar == calendar and not item.is_gone]

    def _overlaps(self, item: Item, since: datetime, until: datetime) -> bool:
        starts, ends = item.span(_zone(self.mailbox_zone))
        return starts < until and ends > since

    def _shown(self, item: Item, request: Seen) -> dict[str, Any]:
        preferred = re.search(r'outlook\.timezone="([^"]+)"', request.headers.get("prefer", ""))
        zone = self.speaks or (preferred[1] if preferred else "UTC")
        times = {
            name: {
                "dateTime": (at.astimezone(_zone(zone)) if isinstance(at, datetime) else datetime.combine(at, time())).strftime(f"{STAMP}.0000000"),
                "timeZone": zone,
            }
            for name, at in (("start", item.starts), ("end", item.ends))
        }
        plain = {"showAs": "busy", "isCancelled": False, "responseStatus": {"response": "organizer"}, "transactionId": None}
        fields = {name: value for name, value in item.fields.items() if name != "mark"}
        return {"@odata.etag": _etag(item), "id": item.id, **plain, "originalStartTimeZone": item.zone, **fields, **times}

    def _pick(self, request: Seen, shown: dict[str, Any]) -> dict[str, Any]:
        wanted = [name for name in request.query.get("$select", "").split(",") if name]
        return {name: value for name, value in shown.items() if not wanted or name in wanted or name in ("id", "@odata.etag")}

    def _size(self, request: Seen) -> int:
        preferred = re.search(r"odata\.maxpagesize=(\d+)", request.headers.get("prefer", ""))
        return max(1, min(int(request.query.get("$top") or (preferred[1] if preferred else self.page)), self.page))

    def _page(self, request: Seen, items: list[dict[str, Any]]) -> Answer:
        start, size = int(request.query.get("$skip", 0)), self._size(request)
        found: dict[str, Any] = {"value": items[start : start + size]}
        if start + size < len(items):
            query = [(name, value) for name, value in parse_qsl(urlsplit(request.url).query) if name != "$skip"]
            found["@odata.nextLink"] = f"{self.url}{request.path}?{urlencode([*query, ('$skip', str(start + size))])}"
        return Answer(200, found)


UTC_ZONE = ZoneInfo("UTC")


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(WINDOWS_TO_OLSON.get(name, name))


def _moment(value: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(value["dateTime"]).replace(tzinfo=_zone(value["timeZone"])).astimezone(UTC)


def _window(request: Seen) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(request.query["startDateTime"]), datetime.fromisoformat(request.query["endDateTime"])


def _etag(item: Item) -> str:
    return f'W/"key-{item.version}"'


def _error(status: int, code: str) -> Answer:
    inner = {"date": "2026-11-22T17:00:00", "request-id": "r-1", "client-request-id": "r-1"}
    return Answer(status, {"error": {"code": code, "message": "Said in many words, with a name or two.", "innerError": inner}})


def _flat(status: int, code: str) -> Answer:
    return Answer(status, {"error": code, "error_description": "AADSTS0: said in many words", "error_codes": [0]})


def sent_back(address: str) -> dict[str, str]:
    """The query of the address to which a consent leads."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}


def settings_lines(fake: FakeGraph) -> Iterator[str]:
    for name, value in fake.settings().items():
        yield f"{name}={value}"


if __name__ == "__main__":
    graph = FakeGraph(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    tomorrow = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(9), UTC)
    graph.add_event(tomorrow, tomorrow + timedelta(hours=1))
    graph.add_event(tomorrow.date() + timedelta(days=1), tomorrow.date() + timedelta(days=2), subject="Holiday", showAs="oof")
    print("\n".join(settings_lines(graph)), flush=True)
    print(json.dumps({"account": graph.account, "calendars": [each["name"] for each in graph.calendars.values()]}), flush=True)
    graph.run()
