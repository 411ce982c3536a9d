"""A Zoom account: users who host, their meetings, who was in them, and the limits that Zoom has.

`python -m tests.fakes.zoom` runs it alone and prints the settings to use it with.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import sys
import threading
from collections import Counter
from typing import Any
from urllib.parse import unquote

from .server import Answer, FakeServer, Seen

CLIENT = ("zoom-client", "zoom-client-secret")
ACCOUNT = "zoom-account"
DAY_FULL = (
    "You have exceeded the daily rate limit (100) of Meeting Create/Update API requests permitted for this particular user. "
    "This limit resets at GMT 00:00:00."
)
HOSTS = ["calls1@platform.example", "calls2@platform.example"]


def error(status: int, code: int, message: str, **headers: str) -> Answer:
    return Answer(status, {"code": code, "message": message}, {name.replace("_", "-"): value for name, value in headers.items()})


class FakeZoom(FakeServer):
    def __init__(self, hosts: list[str] | None = None, port: int = 0) -> None:
        super().__init__(port)
        self.hosts = hosts if hosts is not None else list(HOSTS)
        self.meetings: dict[int, dict[str, Any]] = {}
        self.participants: dict[int, list[dict[str, Any]]] = {}
        self.changes_today: Counter[str] = Counter()
        self.daily_limit = 100
        self.is_paid = True
        self.page_size = 300
        self._numbers = itertools.count(81_000_000_001)
        self._tokens = itertools.count(1)
        self.token = ""

    @property
    def settings(self) -> dict[str, Any]:
        """The project's settings with which its client talks to this account."""
        return {
            "ZOOM_API_URL": f"{self.url}/v2",
            "ZOOM_TOKEN_URL": f"{self.url}/oauth/token",
            "ZOOM_ACCOUNT_ID": ACCOUNT,
            "ZOOM_CLIENT_ID": CLIENT[0],
            "ZOOM_CLIENT_SECRET": CLIENT[1],
            "ZOOM_HOSTS": list(self.hosts),
        }

    def end_token(self) -> None:
        """The token that was given out is worth nothing any more."""
        self.token = f"ended-{next(self._tokens)}"

    def answer(self, request: Seen) -> Answer:
        if request.path == "/oauth/token":
            return self._give_token(request)
        if request.headers.get("authorization") != f"Bearer {self.token}" or not self.token:
            return error(401, 124, "Invalid access token.")
        match [unquote(part) for part in request.path.removeprefix("/v2/").split("/")]:
            case ["users", host, "meetings"]:
                if host not in self.hosts:
                    return error(404, 1001, f"User not exist: {host}.")
                return self._create(host, request.json) if request.method == "POST" else self._list(host, request)
            case ["meetings", number]:
                return self._one(request, number)
            case ["past_meetings", number, "participants"]:
                return self._who_came(number, request)
        return error(404, 2300, "This API endpoint is not recognized.")

    def _give_token(self, request: Seen) -> Answer:
        basic = base64.b64encode(":".join(CLIENT).encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return Answer(401, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"})
        if request.form != {"grant_type": "account_credentials", "account_id": ACCOUNT}:
            return Answer(400, {"reason": "unsupported grant type", "error": "unsupported_grant_type"})
        self.token = f"token-{next(self._tokens)}"
        return Answer(200, {"access_token": self.token, "token_type": "bearer", "expires_in": 3599, "scope": "meeting:write:admin"})

    def _create(self, host: str, body: dict[str, Any]) -> Answer:
        if full := self._count(host):
            return full
        number = next(self._numbers)
        meeting = {
            "id": number,
            "uuid": base64.b64encode(str(number).encode()).decode(),
            "host_id": f"id-of-{host}",
            "join_url": f"https://zoom.example/j/{number}?pwd=abc.1",
            "start_url": f"https://zoom.example/s/{number}?zak=secret-of-the-host",
            "status": "waiting",
            **body,
        }
        self.meetings[number] = meeting
        return Answer(201, meeting)

    def _count(self, host: str) -> Answer | None:
        if self.changes_today[host] >= self.daily_limit:
            return error(429, 429, DAY_FULL, Retry_After="2026-11-24T00:00:00Z", X_RateLimit_Type="Daily-limit")
        self.changes_today[host] += 1
        return None

    def _list(self, host: str, request: Seen) -> Answer:
        mine = [meeting for meeting in self.meetings.values() if meeting["host_id"] == f"id-of-{host}"]
        size = min(int(request.query.get("page_size", "30")), self.page_size)
        first = int(request.query.get("next_page_token") or 0)
        shown = ("id", "uuid", "host_id", "topic", "type", "start_time", "duration", "timezone", "join_url")
        rows = [{name: row[name] for name in shown} | {"agenda": row.get("agenda", "")[:250]} for row in mine[first : first + size]]
        token = str(first + size) if first + size < len(mine) else ""
        return Answer(200, {"page_size": size, "total_records": len(mine), "next_page_token": token, "meetings": rows})

    def _one(self, request: Seen, number: str) -> Answer:
        meeting = self.meetings.get(int(number)) if number.isdigit() else None
        if meeting is None:
            return error(404, 3001, f"Meeting does not exist: {number}.")
        if request.method == "DELETE":
            del self.meetings[meeting["id"]]
            return Answer(204)
        if request.method == "PATCH":
            if full := self._count(meeting["host_id"].removeprefix("id-of-")):
                return full
            meeting.update(request.json)
            return Answer(204)
        return Answer(200, meeting)

    def _who_came(self, number: str, request: Seen) -> Answer:
        if not self.is_paid:
            return error(400, 200, "Only available for paid account: zoom-account.")
        if not number.isdigit() or int(number) not in self.participants:
            return error(404, 3001, f"Meeting does not exist: {number}.")
        rows = self.participants[int(number)]
        size = min(int(request.query.get("page_size", "30")), self.page_size)
        first = int(request.query.get("next_page_token") or 0)
        token = str(first + size) if first + size < len(rows) else ""
        return Answer(200, {"page_size": size, "total_records": len(rows), "next_page_token": token, "participants": rows[first : first + size]})


if __name__ == "__main__":
    with FakeZoom(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0) as fake:
        for name, value in fake.settings.items():
            print(f"{name}={','.join(value) if isinstance(value, list) else value}")
        print("Ctrl-C ends it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
