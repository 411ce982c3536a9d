"""The providers of the day on loopback, each behind a line that can be harmed: mail, webhooks, calendars, rooms, and the chain's node."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import Counter
from contextlib import ExitStack
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from consultations.calendars.protocol import Calendar
from scripts import mailsink
from scripts.ports import free_port
from tests.fakes.calcom import KEY, FakeCalCom
from tests.fakes.caldav import FakeCalDAV
from tests.fakes.google import FakeGoogle
from tests.fakes.graph import MAIN, FakeGraph
from tests.fakes.server import Answer, FakeServer, Seen
from tests.fakes.zoom import ACCOUNT, CLIENT, FakeZoom

from .proxy import SMTP_421, Proxy

SCOPES = "openid email https://www.googleapis.com/auth/calendar"
HOSTS = [f"host{n}@platform.example" for n in range(8)]


class Mailbox:
    """The mail server: keeps each message as `./run` does, and counts how often each was handed over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: Counter[str] = Counter()  # by Message-ID
        self.receivers: dict[str, set[str]] = {}
        self.lock = threading.Lock()
        self.port = free_port()
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (the name is called)
        content = envelope.original_content or b""
        message_id = str(BytesHeaderParser().parsebytes(content).get("Message-ID", "")).strip()
        with self.lock:
            mailsink.store(self.folder, content)
            self.taken[message_id] += 1
            self.receivers.setdefault(message_id, set()).update(envelope.rcpt_tos)
        return "250 OK"


class Listener(FakeServer):
    """Programs of people that hear webhooks: each person has a path."""

    def answer(self, request: Seen) -> Answer:
        return Answer(200, {"received": True})

    def heard(self) -> dict[str, dict[str, set[str]]]:
        """By path and event id, the hashes of what was posted: more than one would be two events under one id."""
        found: dict[str, dict[str, set[str]]] = {}
        for seen in list(self.seen):
            digest = hashlib.sha256(seen.body).hexdigest()
            found.setdefault(seen.path, {}).setdefault(seen.headers.get("webhook-id", ""), set()).add(digest)
        return found


class Providers:
    """All of them; `lines` are what faults are put on. Use as a context manager."""

    def __init__(self, folder: Path, chain_port: int) -> None:
        self.mailbox = Mailbox(folder / "mail")
        self.webhooks, self.google, self.graph = Listener(), FakeGoogle(email="builder0@gmail.example"), FakeGraph()
        self.caldav, self.calcom, self.zoom = FakeCalDAV(), FakeCalCom(), FakeZoom(HOSTS)
        self.zoom.daily_limit = 10**6
        self.chain_port = chain_port
        self.lines: dict[str, Proxy] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        fakes: dict[str, FakeServer] = {
            "webhooks": self.webhooks,
            "google": self.google,
            "outlook": self.graph,
            "caldav": self.caldav,
            "cal.com": self.calcom,
            "zoom": self.zoom,
        }
        for name, fake in fakes.items():
            self._stack.enter_context(fake)
            port = urlsplit(fake.url).port
            assert port is not None
            line = self._line(name, port)
            fake.url = line.url  # links in what it answers lead along the line as well
        self.mailbox.folder.mkdir(parents=True, exist_ok=True)
        self.mailbox.controller.start()
        self._stack.callback(self.mailbox.controller.stop)
        self._line("mail", self.mailbox.port, failure=SMTP_421)
        self._line("chain", self.chain_port)
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def _line(self, name: str, port: int, **more: Any) -> Proxy:
        self.lines[name] = self._stack.enter_context(Proxy(name, ("127.0.0.1", port), **more))
        return self.lines[name]

    def settings(self) -> dict[str, str]:
        """The variables under which the site finds them."""
        zoom = self.lines["zoom"].url
        return {
            **self.google.settings(),
            **self.graph.settings(),
            **self.calcom.settings,
            "ZOOM_API_URL": f"{zoom}/v2",
            "ZOOM_TOKEN_URL": f"{zoom}/oauth/token",
            "ZOOM_ACCOUNT_ID": ACCOUNT,
            "ZOOM_CLIENT_ID": CLIENT[0],
            "ZOOM_CLIENT_SECRET": CLIENT[1],
            "ZOOM_HOSTS": ",".join(HOSTS),
            "EMAIL_URL": f"smtp://127.0.0.1:{self.lines['mail'].port}",
        }

    def accounts(self) -> dict[str, Any]:
        """What builders connect with, for `chaos.people`."""
        google = Calendar(self.google.email, "Work", "UTC", is_primary=True)
        outlook = Calendar(MAIN, "Calendar", "UTC", is_primary=True)
        return {
            "webhooks": self.lines["webhooks"].url,
            "google": {"account": self.google.email, "credentials": self.google.tokens(SCOPES), "calendars": [dataclasses.asdict(google)]},
            "outlook": {"account": self.graph.account, "credentials": self.graph.credentials(), "calendars": [dataclasses.asdict(outlook)]},
            "caldav": {"url": self.lines["caldav"].url, "name": "builder@dav.example", "password": "four words make sense"},
            "cal_com": {"key": KEY},
        }

    def heal(self) -> None:
        for line in self.lines.values():
            line.mode = ""

    def rooms(self) -> Counter[str]:
        """Live meetings by the head of their agenda, which names the call."""
        return Counter(str(one.get("agenda", "")).splitlines()[0] for one in list(self.zoom.meetings.values()) if one.get("agenda"))

    def google_events(self) -> Counter[str]:
        """Live events at Google by the time at which they begin."""
        return Counter(str(one["start"].get("dateTime")) for one in self.google.live_events())
