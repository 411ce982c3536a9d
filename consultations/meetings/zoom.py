"""Rooms at Zoom, in one account of the platform, by server-to-server OAuth.

A Zoom user hosts one meeting at a time and may make or change 100 a day. Whoever asks for a room names the users who are free then,
in the order in which they should be tried. The chain stands at the head of a meeting's agenda, so that a request with an unknown
outcome is found again instead of repeated.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import requests
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.cache import cache

from port444.kit.clock import now
from port444.kit.outbound import session
from port444.kit.sealed import cipher

from .protocol import FullToday, MeetingError, NotAvailable, OpenRoom, Presence, RoomWish, TryLater

log = logging.getLogger(__name__)

EARLY = 120  # seconds before its end at which a token counts as over
MOST_PAGES = 20
PAGE = 300
FAULT = 30  # seconds to wait after a fault that names no time
MEETING_GONE = {3001, 3007}  # not found, and over
IN_PROGRESS = 3002
DAY_FULL = "daily rate limit"
DAY_FULL_ONCE = "meetings can be created/updated"  # how the description of old words it, with HTTP 300
SETTINGS = {
    "host_video": True,
    "participant_video": True,
    "mute_upon_entry": False,
    # Who comes first waits inside, at any time: the room also works while its entry at Zoom lags behind a move.
    "join_before_host": True,
    "jbh_time": 0,
    "waiting_room": False,
    "approval_type": 2,
    "auto_recording": "none",
    "use_pmi": False,
}


class _Gone(MeetingError):
    """No such meeting, or no such user."""


def is_set_up() -> bool:
    """Whether this installation has a Zoom account with hosts."""
    return bool(settings.ZOOM_ACCOUNT_ID and settings.ZOOM_CLIENT_ID and settings.ZOOM_CLIENT_SECRET and settings.ZOOM_HOSTS)


def marker(chain: UUID) -> str:
    """How a meeting is recognised as the room of a chain. Lists of meetings show the first 250 characters of an agenda."""
    return f"port444 call {chain}"


@dataclass(frozen=True, slots=True)
class ZoomClient:
    """`hosts`: users of the account who are free at the time of the wish, best first. `seek`: hosts under whom an earlier request
    may have made the room already; empty for the first request.
    """

    hosts: Sequence[str] = ()
    seek: Sequence[str] = ()

    def open(self, wish: RoomWish) -> OpenRoom:
        found = self._find(wish.chain)
        return self._change(found, wish) if found is not None else self._create(wish, self.hosts)

    def find(self, wish: RoomWish) -> OpenRoom | None:
        return self._find(wish.chain)

    def move(self, room: OpenRoom, wish: RoomWish) -> OpenRoom:
        """PATCH where the host is free then; else another host's meeting takes its place."""
        if room.host in self.hosts:
            try:
                return self._change(room, wish)
            except (_Gone, FullToday) as error:
                log.info("zoom meeting is replaced: %s", error)
        other = self._find(wish.chain, but=room.external_id)
        if other is None:
            other = self._create(wish, [host for host in self.hosts if host != room.host] or self.hosts)
        self.close(room)
        return other

    def close(self, room: OpenRoom) -> None:
        try:
            self._ask("DELETE", f"/meetings/{quote(room.external_id, safe='')}", {"schedule_for_reminder": "false"})
        except _Gone:
            return

    def host_url(self, room: OpenRoom) -> str:
        """The start address. It opens the room as its host for two hours, so it is asked for on the click and kept nowhere."""
        meeting = self._ask("GET", f"/meetings/{quote(room.external_id, safe='')}")
        return _text(meeting, "start_url")

    def presence(self, room: OpenRoom) -> Sequence[Presence]:
        try:
            return list(self._participants(f"/past_meetings/{quote(room.external_id, safe='')}/participants"))
        except (_Gone, NotAvailable) as error:
            log.info("zoom tells nobody who was there: %s", error)  # a free plan, or nobody came and the meeting never began
            return []

    def _participants(self, path: str) -> Iterator[Presence]:
        for row in self._pages(path, "participants", {}):
            joined, left = _instant(row.get("join_time")), _instant(row.get("leave_time"))
            if joined is None:
                continue
            session_id = str(row.get("participant_uuid") or row.get("user_id") or row.get("id") or row.get("name") or "")
            yield Presence(
                external_id=f"{session_id}@{int(joined.timestamp())}"[:200],
                name=str(row.get("name") or ""),
                email=str(row.get("user_email") or ""),
                joined_at=joined,
                left_at=left if left is None or left >= joined else None,
            )

    def _create(self, wish: RoomWish, hosts: Sequence[str]) -> OpenRoom:
        """With the first host who can. What cannot be known is left to `seek` of the next time."""
        refused: NotAvailable = NotAvailable("no host of the Zoom account is free at that time")
        for host in hosts:
            try:
                made = self._ask("POST", f"/users/{quote(host, safe='')}/meetings", json=_body(wish) | {"type": 2})
            except _Gone:
                refused = NotAvailable("a host named in ZOOM_HOSTS is not in the Zoom account")
            except NotAvailable as error:
                refused = error
            else:
                return OpenRoom(_text(made, "join_url"), str(made.get("id", "")), host)
        raise refused

    def _change(self, room: OpenRoom, wish: RoomWish) -> OpenRoom:
        path = f"/meetings/{quote(room.external_id, safe='')}"
        self._ask("PATCH", path, json=_body(wish))
        return room

    def _find(self, chain: UUID, *, but: str = "") -> OpenRoom | None:
        """The meeting that carries the chain's marker, under one of the hosts of `seek`."""
        wanted = marker(chain)
        for host in self.seek:
            try:
                for meeting in self._pages(f"/users/{quote(host, safe='')}/meetings", "meetings", {"type": "scheduled"}):
                    if str(meeting.get("agenda") or "").startswith(wanted) and str(meeting.get("id")) != but:
                        return OpenRoom(_text(meeting, "join_url"), str(meeting.get("id", "")), host)
            except _Gone:
                continue
        return None

    def _pages(self, path: str, key: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        query = {**query, "page_size": str(PAGE)}
        for _ in range(MOST_PAGES):
            page = self._ask("GET", path, query)
            rows = page.get(key)
            if not isinstance(rows, list):
                raise TryLater("Zoom sent a list without its rows", FAULT)
            yield from (row for row in rows if isinstance(row, dict))
            token = page.get("next_page_token")
            if not token:
                return
            query = {**query, "next_page_token": str(token)}

    def _ask(self, method: str, path: str, query: dict[str, str] | None = None, *, json: Any = None) -> dict[str, Any]:
        """One request with a token; a token that is refused is renewed once."""
        for is_last in (False, True):
            token = _token()
            response = _send(method, f"{settings.ZOOM_API_URL}{path}", params=query, json=json, headers={"Authorization": f"Bearer {token}"})
            if response.status_code == 401 and not is_last:
                if _token() == token:  # else another worker has brought a new one already
                    cache.delete(_token_key())
                continue
            break
        return _read(response)


def _body(wish: RoomWish) -> dict[str, Any]:
    minutes = int((wish.ends_at - wish.starts_at).total_seconds() // 60)
    return {
        "topic": wish.title[:200],
        "start_time": wish.starts_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration": minutes,
        "timezone": "UTC",
        "agenda": f"{marker(wish.chain)}\nWith {wish.attendee_name}."[:2000],
        "settings": SETTINGS,
    }


def _token_key() -> str:
    """Another key for other credentials, so that a change of them needs no clearing."""
    named = f"{settings.ZOOM_TOKEN_URL}:{settings.ZOOM_ACCOUNT_ID}:{settings.ZOOM_CLIENT_ID}:{settings.ZOOM_CLIENT_SECRET}"
    return f"zoom-token:{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def _token() -> str:
    """The account's token; kept encrypted, because the cache may be a table."""
    if not is_set_up():
        raise NotAvailable("Zoom is not set up here")
    sealed = cipher("zoom token")
    kept = cache.get(_token_key())
    if kept:
        try:
            return sealed.decrypt(kept).decode()
        except InvalidToken:
            pass
    response = _send(
        "POST",
        settings.ZOOM_TOKEN_URL,
        data={"grant_type": "account_credentials", "account_id": settings.ZOOM_ACCOUNT_ID},
        auth=(settings.ZOOM_CLIENT_ID, settings.ZOOM_CLIENT_SECRET),
    )
    if response.status_code in (400, 401, 403):
        raise NotAvailable("Zoom refuses the account's client id or secret")
    answer = _read(response)
    token, lasts = _text(answer, "access_token"), answer.get("expires_in")
    seconds = lasts if isinstance(lasts, int) else 3600
    if seconds > EARLY:
        cache.set(_token_key(), sealed.encrypt(token.encode()), seconds - EARLY)
    return token


def _send(method: str, url: str, **options: Any) -> requests.Response:
    try:
        with session() as outbound:
            return outbound.request(method, url, **options)
    except requests.RequestException as error:
        # The class alone: the text of such an error may quote the address and what was sent to it.
        raise TryLater(f"Zoom did not answer ({type(error).__name__})", FAULT) from None


def _read(response: requests.Response) -> dict[str, Any]:
    """The answer's object, or the error that its status and code mean."""
    status = response.status_code
    if status == 204:
        return {}
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if status in (200, 201):
        if not isinstance(answer, dict):
            raise TryLater("Zoom sent a broken answer", FAULT)
        return answer
    said = answer if isinstance(answer, dict) else {}
    code, message = said.get("code"), str(said.get("message") or "")[:200]
    if status == 429 or (status in (300, 400) and DAY_FULL_ONCE in message):
        if DAY_FULL in message or DAY_FULL_ONCE in message or response.headers.get("X-RateLimit-Type", "").lower().startswith("daily"):
            raise FullToday("this host has made as many meetings today as Zoom allows")
        raise TryLater("Zoom asks for fewer requests", _wait(response.headers.get("Retry-After", "")))
    if status == 404 or code in MEETING_GONE:
        raise _Gone("Zoom knows no such meeting or user")
    if code == IN_PROGRESS:
        raise TryLater("the meeting is in progress", 300)
    if status >= 500:
        raise TryLater(f"Zoom has a fault ({status})", FAULT)
    if status == 401:
        # Another worker's newer token may have ended ours. Wrong credentials are told apart where the token is asked for.
        raise TryLater("Zoom refuses the token", FAULT)
    if status == 403:
        raise NotAvailable("the Zoom app has no right to do this")
    raise NotAvailable(f"Zoom refused the request ({status}, code {code})")


def _wait(header: str) -> float:
    """Seconds that a Retry-After asks for: a number, or a moment in either spelling."""
    if header.isdigit():
        return max(1.0, min(float(header), 3600.0))
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        moment = _instant(header) or now() + timedelta(seconds=5)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(1.0, min((moment - now()).total_seconds(), 3600.0))


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise TryLater(f"Zoom sent an answer without {name}", FAULT)
    return value


def _instant(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
