"""Google, as far as calls need it: signing in, Calendar v3, and the conference records of Meet.

It keeps real state: events have versions, a sync token tells what has changed since, etags guard writes, and scopes are asked
for as the discovery documents say. The methods at the top are what people do outside of port444.

    python -m tests.fakes.google 8549
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

import requests

from tests.specs.discovery import document_of, mask, masked, method_of

from .server import Answer, FakeServer, Seen

CLIENT_ID, CLIENT_SECRET = "fake-google-client", "fake-google-secret"
ITEM = dict[str, Any]


@dataclass
class Holder:
    """One calendar: its events by id, expanded recurring ones by their instances."""

    id: str
    summary: str
    zone: str
    role: str = "owner"
    primary: bool = False
    events: dict[str, ITEM] = field(default_factory=dict)
    masters: dict[str, ITEM] = field(default_factory=dict)  # recurring events, which a list of single events never shows


@dataclass(frozen=True)
class Channel:
    """A promise to post changes of a calendar to an address."""

    id: str
    token: str
    address: str
    resource_id: str
    calendar: str
    expires: datetime


class FakeGoogle(FakeServer):
    """One account at Google. Knobs: `page_size`, `empty_pages`, `conference` (success, pending, failure, unsupported), `auto_push`."""

    def __init__(self, port: int = 0, *, email: str = "anaya@example.com", zone: str = "Asia/Kolkata") -> None:
        super().__init__(port)
        self.email, self.subject, self.name = email, "108923471234567890123", "Anaya Krishnan"
        self.calendars: dict[str, Holder] = {}
        self.version = 0
        self.page_size = 250
        self.empty_pages = False
        self.conference = "success"
        self.auto_push = False
        self.expired_before = 0  # sync tokens of an earlier version are answered with 410
        self.codes: dict[str, dict[str, str]] = {}
        self.refresh_tokens: dict[str, str] = {}  # token -> scopes
        self.access_tokens: dict[str, str] = {}
        self.channels: dict[str, Channel] = {}
        self.pages: dict[str, tuple[list[ITEM], str]] = {}
        self.meetings: list[ITEM] = []
        self.answered: list[tuple[Seen, Answer]] = []  # before `fields` took its share
        self.pushed = 0
        self.add_calendar(email, email, zone, primary=True)

    # What people do

    def add_calendar(self, id: str, summary: str, zone: str = "UTC", role: str = "owner", *, primary: bool = False) -> str:
        with self.lock:
            self.calendars[id] = Holder(id, summary, zone, role, primary)
        return id

    def add_event(self, start: datetime | date, end: datetime | date, *, calendar: str = "", **fields: Any) -> str:
        """An event made by hand; dates make it an all-day one. Gives its id."""
        holder = self._holder(calendar)
        with self.lock:
            id = fields.pop("id", "") or secrets.token_hex(13)
            item = {
                "id": id,
                "status": "confirmed",
                "summary": "Something private",
                **fields,
                "start": _edge(start, holder),
                "end": _edge(end, holder),
            }
            self._store(holder, item)
        self._tell(holder)
        return id

    def add_series(self, starts: Iterable[datetime], length: timedelta, *, calendar: str = "", **fields: Any) -> list[str]:
        """A recurring event that has been expanded; gives the ids of its instances."""
        holder, master = self._holder(calendar), secrets.token_hex(13)
        ids = []
        with self.lock:
            holder.masters[master] = {"id": master, "status": "confirmed", "recurrence": ["RRULE:FREQ=WEEKLY"], **fields}
            for start in starts:
                ids.append(f"{master}_{start.astimezone(UTC):%Y%m%dT%H%M%SZ}")
                item = {"id": ids[-1], "status": "confirmed", "recurringEventId": master, "originalStartTime": _edge(start, holder), **fields}
                self._store(holder, {**item, "start": _edge(start, holder), "end": _edge(start + length, holder)})
        self._tell(holder)
        return ids

    def move_event(self, id: str, start: datetime | date, end: datetime | date, *, calendar: str = "") -> None:
        holder = self._holder(calendar)
        with self.lock:
            item = holder.events[id]
            item |= {"start": _edge(start, holder), "end": _edge(end, holder), "sequence": item.get("sequence", 0) + 1}
            self._store(holder, item)
        self._tell(holder)

    def change_event(self, id: str, *, calendar: str = "", **fields: Any) -> None:
        holder = self._holder(calendar)
        with self.lock:
            self._store(holder, {**holder.events[id], **fields})
        self._tell(holder)

    def delete_event(self, id: str, *, calendar: str = "") -> None:
        self.change_event(id, calendar=calendar, status="cancelled")

    def forget_event(self, id: str, *, calendar: str = "") -> None:
        """Long after a deletion Google knows nothing of it."""
        with self.lock:
            del self._holder(calendar).events[id]

    def event(self, id: str, *, calendar: str = "") -> ITEM:
        return self._holder(calendar).events[id]

    def live_events(self, *, calendar: str = "") -> list[ITEM]:
        return [item for item in self._holder(calendar).events.values() if item["status"] != "cancelled"]

    def finish_conferences(self, outcome: str = "success") -> None:
        """The rooms that were pending are made now, or not."""
        with self.lock:
            for holder in self.calendars.values():
                for item in holder.events.values():
                    request = item.get("conferenceData", {}).get("createRequest", {})
                    if request.get("status", {}).get("statusCode") == "pending":
                        self._make_room(item, request, outcome)
                        self._store(holder, item)

    def expire_sync_tokens(self) -> None:
        with self.lock:
            self.version += 1
            self.expired_before = self.version

    def expire_access_tokens(self) -> None:
        with self.lock:
            self.access_tokens.clear()

    def revoke(self) -> None:
        """The person takes the permission back in their Google account."""
        with self.lock:
            self.access_tokens.clear()
            self.refresh_tokens.clear()

    def add_meeting(self, code: str, people: Sequence[tuple[str, str | None, Sequence[tuple[datetime, datetime | None]]]]) -> None:
        """A conference in the room: (name, Google user or None when anonymous, sessions) for each."""
        number = len(self.meetings) + 1
        starts = [joined for _, _, sessions in people for joined, _ in sessions]
        ends = [left for _, _, sessions in people for _, left in sessions]
        with self.lock:
            self.meetings.append({"name": f"conferenceRecords/c{number}", "code": code, "start": min(starts), "end": ends, "people": list(people)})

    def push(self, channel_id: str, *, state: str = "exists", numbers: Sequence[int] = ()) -> list[int]:
        """Post a notification for each message number, in that order: repeat or swap them for duplicated and late ones. Gives the statuses."""
        if not numbers:
            self.pushed += 1
            numbers = [self.pushed]
        address = self.channels[channel_id].address
        return [requests.post(address, headers=self.push_headers(channel_id, state, number), timeout=5).status_code for number in numbers]

    def push_headers(self, channel_id: str, state: str = "exists", number: int = 1) -> dict[str, str]:
        """The whole of a notification: it has no body."""
        channel = self.channels[channel_id]
        return {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Token": channel.token,
            "X-Goog-Channel-Expiration": channel.expires.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "X-Goog-Resource-ID": channel.resource_id,
            "X-Goog-Resource-URI": f"{self.url}/calendar/v3/calendars/{channel.calendar}/events?alt=json",
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(number),
            "Content-Length": "0",
        }

    def consent(self, url: str, *, allow: bool = True, scopes: Iterable[str] | None = None) -> str:
        """Press a button of the page at the authorize address, with all boxes ticked or with these. Gives where it leads."""
        asked = dict(parse_qsl(urlsplit(url).query))
        page = requests.get(url, timeout=5, allow_redirects=False)
        assert page.status_code == 200, page.text
        form = {**asked, "answer": "allow" if allow else "deny", "granted": " ".join(asked["scope"].split() if scopes is None else scopes)}
        answer = requests.post(f"{self.url}/o/oauth2/v2/consent", data=form, timeout=5, allow_redirects=False)
        return answer.headers["Location"]

    def tokens(self, scopes: str) -> dict[str, Any]:
        """A pair of tokens as if somebody had signed in."""
        with self.lock:
            refresh, access = f"1//{secrets.token_urlsafe(16)}", f"ya29.{secrets.token_urlsafe(16)}"
            self.refresh_tokens[refresh] = self.access_tokens[access] = scopes
        return {"refresh_token": refresh, "token": access, "expiry": (datetime.now(UTC) + timedelta(hours=1)).isoformat(), "scopes": scopes.split()}

    def settings(self) -> dict[str, str]:
        """The settings under which port444 finds this server."""
        return {
            "GOOGLE_CLIENT_ID": CLIENT_ID,
            "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
            "GOOGLE_AUTHORIZE_URL": f"{self.url}/o/oauth2/v2/auth",
            "GOOGLE_TOKEN_URL": f"{self.url}/token",
            "GOOGLE_CALENDAR_URL": f"{self.url}/calendar/v3",
            "GOOGLE_MEET_URL": self.url,
        }

    # How it answers

    def answer(self, request: Seen) -> Answer:
        signing_in = {
            ("GET", "/o/oauth2/v2/auth"): self._authorize_page,
            ("POST", "/o/oauth2/v2/consent"): self._consented,
            ("POST", "/token"): self._token,
        }
        if (handle := signing_in.get((request.method, request.path))) is not None:
            return handle(request)
        document = document_of(request.path)
        method = method_of(request.method, request.path, document) if document else None
        if method is None:
            return Answer(404, b"Not Found", {"Content-Type": "text/html"})
        scopes = self.access_tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if scopes is None:
            return _error(401, "authError", "Invalid Credentials")
        if not method.scopes & set(scopes.split()):
            return _error(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        handlers: Mapping[str, Callable[[Seen, Mapping[str, str]], Answer]] = {
            "calendar.calendarList.list": self._list_calendars,
            "calendar.events.list": self._list_events,
            "calendar.events.get": self._get_event,
            "calendar.events.insert": self._insert_event,
            "calendar.events.update": self._update_event,
            "calendar.events.patch": self._update_event,
            "calendar.events.delete": self._delete_event,
            "calendar.events.watch": self._watch,
            "calendar.channels.stop": self._stop,
            "calendar.freebusy.query": self._free_busy,
            "meet.conferenceRecords.list": self._records,
            "meet.conferenceRecords.participants.list": self._participants,
            "meet.conferenceRecords.participants.participantSessions.list": self._sessions,
        }
        if method.name not in handlers:
            return _error(501, "notImplemented", method.name)
        found = handlers[method.name](request, method.parts)
        self.answered.append((request, found))
        if found.status == 200 and "fields" in request.query:
            return Answer(200, masked(found.body, mask(request.query["fields"])), found.headers)
        return found

    def _authorize_page(self, request: Seen) -> Answer:
        wrong = [
            name
            for name, value in (("client_id", CLIENT_ID), ("response_type", "code"), ("code_challenge_method", "S256"))
            if request.query.get(name) != value
        ]
        wrong += [name for name in ("redirect_uri", "scope", "state", "code_challenge") if not request.query.get(name)]
        if wrong:
            return Answer(400, f"Error 400: invalid_request ({', '.join(wrong)})".encode(), {"Content-Type": "text/html; charset=utf-8"})
        hidden = "".join(f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in request.query.items())
        boxes = "".join(
            f'<p><label><input type="checkbox" name="granted" value="{html.escape(scope)}" checked> {html.escape(scope)}</label></p>'
            for scope in request.query["scope"].split()
        )
        page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in - Google (fake)</title>
<main><h1>port444 wants to use the calendar of {html.escape(self.email)}</h1>
<form method="post" action="/o/oauth2/v2/consent">{hidden}{boxes}
<button name="answer" value="allow">Continue</button> <button name="answer" value="deny">Cancel</button></form></main></html>"""
        return Answer(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _consented(self, request: Seen) -> Answer:
        form = request.form
        granted = " ".join(value for name, value in parse_qsl(request.body.decode()) if name == "granted")
        if form.get("answer") != "allow":
            return _redirect(form["redirect_uri"], {"error": "access_denied", "state": form["state"]})
        code = f"4/{secrets.token_urlsafe(16)}"
        self.codes[code] = {**form, "granted": granted}
        return _redirect(form["redirect_uri"], {"state": form["state"], "code": code, "scope": granted})

    def _token(self, request: Seen) -> Answer:
        form = request.form
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return Answer(401, {"error": "invalid_client", "error_description": "The OAuth client was not found."})
        if form.get("grant_type") == "refresh_token":
            scopes = self.refresh_tokens.get(form.get("refresh_token", ""))
            if scopes is None:
                return Answer(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
            return Answer(200, self._new_access(scopes))
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri") or asked["code_challenge"] != challenge:
            return Answer(400, {"error": "invalid_grant", "error_description": "Bad Request"})
        body = self._new_access(asked["granted"])
        if asked.get("access_type") == "offline" and asked.get("prompt") == "consent":
            body["refresh_token"] = f"1//{secrets.token_urlsafe(16)}"
            self.refresh_tokens[body["refresh_token"]] = asked["granted"]
        if "openid" in asked["granted"].split():
            claims = {"iss": "https://accounts.google.com", "aud": CLIENT_ID, "sub": self.subject, "exp": int(time.time()) + 3600}
            if "email" in asked["granted"].split():
                claims |= {"email": self.email, "email_verified": True}
            body["id_token"] = ".".join(_base64(part) for part in ({"alg": "RS256", "kid": "fake"}, claims, "signature"))
        return Answer(200, body)

    def _new_access(self, scopes: str) -> dict[str, Any]:
        access = f"ya29.{secrets.token_urlsafe(16)}"
        self.access_tokens[access] = scopes
        return {"access_token": access, "expires_in": 3599, "scope": scopes, "token_type": "Bearer"}

    def _list_calendars(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        rows = [
            {"kind": "calendar#calendarListEntry", "id": each.id, "summary": each.summary, "timeZone": each.zone, "accessRole": each.role}
            | ({"primary": True} if each.primary else {})
            for each in self.calendars.values()
        ]
        return self._page(request, {"kind": "calendar#calendarList"}, rows, "")

    def _list_events(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        holder = self.calendars.get(parts["calendarId"])
        if holder is None:
            return _error(404, "notFound", "Not Found")
        query, since = request.query, 0
        if "syncToken" in query:
            known = re.fullmatch(r"v(\d+)", query["syncToken"])
            if known is None:
                return _error(400, "invalid", "Invalid sync token value.")
            since = int(known[1])
            if since < self.expired_before:
                return _error(410, "fullSyncRequired", "Sync token is no longer valid, a full sync is required.")
        if query.get("singleEvents") != "true":
            return _error(501, "notImplemented", "this server lists single events only")
        rows = []
        for item in sorted(holder.events.values(), key=lambda each: each["version"]):
            if item["version"] <= since or (item["status"] == "cancelled" and query.get("showDeleted") != "true" and not since):
                continue
            if item["status"] != "cancelled" and not _inside(item, holder, query):
                continue
            rows.append(_shown(item, int(query.get("maxAttendees", 1000))))
        return self._page(request, {"kind": "calendar#events", "summary": holder.summary, "timeZone": holder.zone}, rows, f"v{self.version}")

    def _page(self, request: Seen, head: ITEM, rows: list[ITEM], sync_token: str) -> Answer:
        """One page of a list; the pages of one list are all of one moment."""
        if "pageToken" in request.query:
            if request.query["pageToken"] not in self.pages:
                return _error(400, "invalid", "Invalid page token value.")
            rows, sync_token = self.pages[request.query["pageToken"]]
        elif self.empty_pages:
            self.pages["empty"] = (rows, sync_token)
            return Answer(200, {**head, "items": [], "nextPageToken": "empty"})
        size = min(self.page_size, int(request.query.get("maxResults", 250)))
        body: ITEM = {**head, "items": rows[:size]}
        if len(rows) > size:
            token = secrets.token_urlsafe(9)
            self.pages[token] = (rows[size:], sync_token)
            return Answer(200, body | {"nextPageToken": token})
        return Answer(200, body | ({"nextSyncToken": sync_token} if sync_token else {}))

    def _get_event(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        item = self._find(parts)
        return _error(404, "notFound", "Not Found") if item is None else Answer(200, _public(item))

    def _insert_event(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        holder, body = self.calendars.get(parts["calendarId"]), request.json
        if holder is None:
            return _error(404, "notFound", "Not Found")
        if (refusal := self._refusal(holder, body, request)) is not None:
            return refusal
        id = body.get("id") or secrets.token_hex(13)
        if re.fullmatch(r"[a-v0-9]{5,1024}", id) is None:
            return _error(400, "invalid", "Invalid resource id value.")
        if id in holder.events or id in holder.masters:
            return _error(409, "duplicate", "The requested identifier already exists.")
        item = {"status": "confirmed", "sequence": 0, **body, "id": id, "iCalUID": f"{id}@google.com"}
        self._confer(item, body, request)
        self._store(holder, item)
        return Answer(200, _public(item))

    def _update_event(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        item, body = self._find(parts), request.json
        if item is None:
            return _error(404, "notFound", "Not Found")
        if request.headers.get("if-match") not in {None, "*", item["etag"]}:
            return _error(412, "conditionNotMet", "Precondition Failed")
        holder = self.calendars[parts["calendarId"]]
        if body.get("sequence", item.get("sequence", 0)) < item.get("sequence", 0):
            return _error(400, "invalid", "Invalid sequence value.")
        kept = {name: item[name] for name in ("id", "iCalUID", "sequence", "status") if name in item}
        changed = _merged(item, body) if request.method == "PATCH" else kept | body
        if "conferenceDataVersion" not in request.query and "conferenceData" in item:
            changed["conferenceData"] = item["conferenceData"]
        if (refusal := self._refusal(holder, changed | {"conferenceData": body.get("conferenceData")}, request)) is not None:
            return refusal
        self._confer(changed, body, request, had=item.get("conferenceData"))
        if (changed["start"], changed["end"]) != (item.get("start"), item.get("end")):
            changed["sequence"] = changed.get("sequence", 0) + 1
        self._store(holder, changed)
        return Answer(200, _public(changed))

    def _delete_event(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        item = self._find(parts)
        if item is None:
            return _error(404, "notFound", "Not Found")
        if item["status"] == "cancelled":
            return _error(410, "deleted", "Resource has been deleted")
        self._store(self.calendars[parts["calendarId"]], {**item, "status": "cancelled"})
        return Answer(204)

    def _refusal(self, holder: Holder, body: ITEM, request: Seen) -> Answer | None:
        if holder.role not in {"owner", "writer"}:
            return _error(403, "requiredAccessLevel", "You need to have writer access to this calendar.")
        if "start" not in body or "end" not in body:
            return _error(400, "required", "Missing end time.")
        edges = [body["start"], body["end"]]
        if any(("date" in edge) == ("dateTime" in edge) for edge in edges) or ("date" in edges[0]) != ("date" in edges[1]):
            return _error(400, "invalid", "Invalid start time.")
        if _moment(edges[1], holder) <= _moment(edges[0], holder):
            return _error(400, "timeRangeEmpty", "The specified time range is empty.")
        if (
            (body.get("conferenceData") or {}).get("createRequest")
            and request.query.get("conferenceDataVersion") == "1"
            and self.conference == "unsupported"
        ):
            return _error(400, "invalid", "Invalid conference type value.")
        return None

    def _confer(self, item: ITEM, body: ITEM, request: Seen, had: ITEM | None = None) -> None:
        """Rooms are made for requests of version 1 only; a request id that was used before is ignored."""
        if request.query.get("conferenceDataVersion") != "1":
            if had is None:
                item.pop("conferenceData", None)
            return
        wish = (body.get("conferenceData") or {}).get("createRequest")
        if wish is None:
            return
        if had is not None and had.get("createRequest", {}).get("requestId") == wish["requestId"]:
            item["conferenceData"] = had
            return
        self._make_room(item, wish, self.conference)

    def _make_room(self, item: ITEM, wish: ITEM, outcome: str) -> None:
        made: ITEM = {name: wish[name] for name in ("requestId", "conferenceSolutionKey") if name in wish}
        made["status"] = {"statusCode": outcome}
        item["conferenceData"] = {"createRequest": made}
        item.pop("hangoutLink", None)
        if outcome == "success":
            digits = hashlib.sha256(wish["requestId"].encode()).digest()
            letters = "".join(chr(97 + byte % 26) for byte in digits[:10])
            code = f"{letters[:3]}-{letters[3:7]}-{letters[7:]}"
            item["hangoutLink"] = f"https://meet.google.com/{code}"
            item["conferenceData"] |= {
                "conferenceId": code,
                "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
                "entryPoints": [
                    {"entryPointType": "phone", "uri": "tel:+1-555-0100", "pin": "123456"},
                    {"entryPointType": "video", "uri": f"https://meet.google.com/{code}", "label": f"meet.google.com/{code}"},
                ],
            }

    def _watch(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        holder, body = self.calendars.get(parts["calendarId"]), request.json
        if holder is None:
            return _error(404, "notFound", "Not Found")
        if body["id"] in self.channels:
            return _error(400, "channelIdNotUnique", "Channel id not unique")
        host = urlsplit(body["address"])
        if host.scheme != "https" and host.hostname not in {"127.0.0.1", "localhost", "testserver"}:  # the real one takes https alone
            return _error(400, "push.webhookUrlNotHttps", "WebHook callback must be HTTPS")
        if "holiday" in holder.id:
            return _error(400, "pushNotSupportedForRequestedResource", "Push notifications are not supported by this resource.")
        seconds = min(int(body.get("params", {}).get("ttl", 604_800)), 2_592_000)
        resource = f"r-{hashlib.sha256(holder.id.encode()).hexdigest()[:20]}"
        channel = Channel(body["id"], body.get("token", ""), body["address"], resource, holder.id, datetime.now(UTC) + timedelta(seconds=seconds))
        self.channels[channel.id] = channel
        return Answer(
            200,
            {
                "kind": "api#channel",
                "id": channel.id,
                "resourceId": resource,
                "resourceUri": f"{self.url}/calendar/v3/calendars/{holder.id}/events?alt=json",
                "token": channel.token,
                "expiration": str(int(channel.expires.timestamp() * 1000)),
            },
        )

    def _stop(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        channel = self.channels.get(request.json.get("id", ""))
        if channel is None or channel.resource_id != request.json.get("resourceId"):
            return _error(404, "notFound", f"Channel '{request.json.get('id')}' not found for project")
        del self.channels[channel.id]
        return Answer(204)

    def _free_busy(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        body = request.json
        since, until = datetime.fromisoformat(body["timeMin"]), datetime.fromisoformat(body["timeMax"])
        if until - since > timedelta(days=92):
            return _error(400, "timeRangeTooLong", "The requested time range is too long.")
        calendars: ITEM = {}
        for wanted in body["items"]:
            holder = self.calendars.get(wanted["id"])
            if holder is None:
                calendars[wanted["id"]] = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
                continue
            spans: list[tuple[datetime, datetime]] = []
            for item in holder.events.values():
                if _is_busy(item):
                    start, end = max(_moment(item["start"], holder), since), min(_moment(item["end"], holder), until)
                    if start < end:
                        spans.append((start, end))
            calendars[wanted["id"]] = {"busy": [{"start": _text(start), "end": _text(end)} for start, end in _joined(spans)]}
        return Answer(200, {"kind": "calendar#freeBusy", "timeMin": body["timeMin"], "timeMax": body["timeMax"], "calendars": calendars})

    def _records(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        wanted = re.fullmatch(r'space\.meeting_code = "([a-z-]+)" AND start_time <= "([^"]+)"', request.query.get("filter", ""))
        if wanted is None:
            return _error(400, "INVALID_ARGUMENT", "Invalid filter")
        rows = []
        for meeting in self.meetings:
            if meeting["code"] == wanted[1] and meeting["start"] <= datetime.fromisoformat(wanted[2]):
                row = {"name": meeting["name"], "startTime": _text(meeting["start"]), "space": f"spaces/{meeting['code']}"}
                if None not in meeting["end"]:
                    row["endTime"] = _text(max(meeting["end"]))
                rows.append(row)
        return self._meet_page(request, "conferenceRecords", rows)

    def _participants(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        meeting = next((each for each in self.meetings if each["name"] == parts["parent"]), None)
        if meeting is None:
            return _error(404, "NOT_FOUND", "Requested entity was not found.")
        rows = []
        for number, (name, user, sessions) in enumerate(meeting["people"]):
            kind = {"signedinUser": {"user": f"users/{user}", "displayName": name}} if user else {"anonymousUser": {"displayName": name}}
            earliest = min(joined for joined, _ in sessions)
            rows.append({"name": f"{meeting['name']}/participants/p{number}", "earliestStartTime": _text(earliest), **kind})
        return self._meet_page(request, "participants", rows)

    def _sessions(self, request: Seen, parts: Mapping[str, str]) -> Answer:
        record, _, number = parts["parent"].partition("/participants/p")
        meeting = next((each for each in self.meetings if each["name"] == record), None)
        if meeting is None:
            return _error(404, "NOT_FOUND", "Requested entity was not found.")
        rows = []
        for index, (joined, left) in enumerate(meeting["people"][int(number)][2]):
            row = {"name": f"{parts['parent']}/participantSessions/s{index}", "startTime": _text(joined)}
            rows.append(row | ({"endTime": _text(left)} if left else {}))
        return self._meet_page(request, "participantSessions", rows)

    def _meet_page(self, request: Seen, name: str, rows: list[ITEM]) -> Answer:
        first = int(request.query.get("pageToken", "0"))
        size = min(self.page_size, int(request.query.get("pageSize", 25)))
        body: ITEM = {name: rows[first : first + size]} if rows else {}
        return Answer(200, body | ({"nextPageToken": str(first + size)} if len(rows) > first + size else {}))

    # State

    def _holder(self, calendar: str) -> Holder:
        return self.calendars[calendar or self.email]

    def _find(self, parts: Mapping[str, str]) -> ITEM | None:
        holder = self.calendars.get(parts["calendarId"])
        return None if holder is None else holder.events.get(parts["eventId"])

    def _store(self, holder: Holder, item: ITEM) -> None:
        self.version += 1
        holder.events[item["id"]] = item | {"version": self.version, "etag": f'"{3181161784712000 + self.version * 2000}"'}
        item |= holder.events[item["id"]]

    def _tell(self, holder: Holder) -> None:
        if self.auto_push:
            for channel in [each for each in self.channels.values() if each.calendar == holder.id]:
                threading.Thread(target=self.push, args=(channel.id,), daemon=True).start()


def _error(status: int, reason: str, message: str) -> Answer:
    """Calendar's form for words like `notFound`, Meet's for words like `NOT_FOUND`."""
    error: ITEM = {"code": status, "message": message}
    error |= {"status": reason} if reason.isupper() else {"errors": [{"domain": "global", "reason": reason, "message": message}]}
    return Answer(status, {"error": error})


def _redirect(address: str, query: Mapping[str, str]) -> Answer:
    return Answer(302, None, {"Location": f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"})


def _base64(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _edge(moment: datetime | date, holder: Holder) -> ITEM:
    """As Google writes it: in the calendar's zone, with the offset."""
    if isinstance(moment, datetime):
        return {"dateTime": moment.astimezone(ZoneInfo(holder.zone)).isoformat(timespec="seconds"), "timeZone": holder.zone}
    return {"date": moment.isoformat()}


def _moment(edge: Mapping[str, str], holder: Holder) -> datetime:
    if "date" in edge:
        return datetime.combine(date.fromisoformat(edge["date"]), datetime.min.time(), ZoneInfo(holder.zone)).astimezone(UTC)
    return datetime.fromisoformat(edge["dateTime"]).astimezone(UTC)


def _inside(item: ITEM, holder: Holder, query: Mapping[str, str]) -> bool:
    """Both edges are exclusive, and each alone is no bound for the other."""
    if "timeMin" in query and _moment(item["end"], holder) <= datetime.fromisoformat(query["timeMin"]):
        return False
    return not ("timeMax" in query and _moment(item["start"], holder) >= datetime.fromisoformat(query["timeMax"]))


def _public(item: ITEM) -> ITEM:
    return {"kind": "calendar#event"} | {name: value for name, value in item.items() if name != "version"}


def _shown(item: ITEM, most_attendees: int) -> ITEM:
    """An event in a list: of a deleted one only what Google promises."""
    if item["status"] == "cancelled":
        names = ("id", "status", "etag", "recurringEventId", "originalStartTime")
        return {"kind": "calendar#event"} | {name: item[name] for name in names if name in item}
    shown = _public(item)
    attendees = shown.get("attendees", [])
    if len(attendees) > most_attendees:
        shown |= {"attendees": [each for each in attendees if each.get("self")], "attendeesOmitted": True}
    return shown


def _merged(item: ITEM, change: ITEM) -> ITEM:
    """A patch: objects are merged, a null takes a field away."""
    merged = dict(item)
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and name != "conferenceData":
            merged[name] = _merged(item.get(name, {}), value)
        else:
            merged[name] = value
    return merged


def _is_busy(item: ITEM) -> bool:
    declined = any(each.get("self") and each.get("responseStatus") == "declined" for each in item.get("attendees", []))
    return item["status"] != "cancelled" and item.get("transparency") != "transparent" and not declined


def _joined(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


if __name__ == "__main__":
    with FakeGoogle(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as fake:
        fake.auto_push = True
        for name, value in fake.settings().items():
            print(f"{name}={value}")
        print("Ctrl-C ends it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
