"""A real CalDAV server on loopback for the tests of its client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import requests

from scripts import ports

PASSWORD = "four words make sense"


class Radicale:
    """Use as a context manager. Every test takes a person of its own, so that none sees the calendars of another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = ports.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.people = folder / "people"
        self.people.write_text("")

    def __enter__(self) -> Self:
        config = self.folder / "config"
        config.write_text(
            f"[server]\nhosts = 127.0.0.1:{self.port}\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self.people}\nhtpasswd_encryption = plain\ndelay = 0\n"
            f"[storage]\nfilesystem_folder = {self.folder / 'collections'}\n[logging]\nlevel = error\n"
        )
        log = (self.folder / "log").open("w")
        self.process = subprocess.Popen([sys.executable, "-m", "radicale", "--config", str(config)], stdout=log, stderr=log)
        for _ in range(200):
            try:
                requests.get(self.url, timeout=1)
            except requests.RequestException:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)
            else:
                return self
        raise AssertionError("Radicale does not answer")

    def __exit__(self, *failure: object) -> None:
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(10)

    def person(self, name: str = "") -> Person:
        name = name or f"anaya-{uuid4().hex[:8]}@example.com"
        with self.people.open("a") as people:
            people.write(f"{name}:{PASSWORD}\n")
        return Person(self, name)


class Person:
    """Somebody with an account, working with a calendar program of their own."""

    def __init__(self, server: Radicale, name: str) -> None:
        self.server = server
        self.name = name
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (name, PASSWORD)

    def make(self, calendar: str = "work", zone: str = "") -> str:
        """A calendar; its address."""
        url = f"{self.server.url}/{self.name}/{calendar}/"
        text = f"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:{zone}\nEND:VTIMEZONE\nEND:VCALENDAR" if zone else ""
        body = (
            '<c:mkcalendar xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop>'
            f"<d:displayname>{calendar.title()}</d:displayname><c:calendar-timezone>{text}</c:calendar-timezone>"
            '<c:supported-calendar-component-set><c:comp name="VEVENT"/></c:supported-calendar-component-set></d:prop></d:set></c:mkcalendar>'
        )
        self._do("MKCALENDAR", url, body)
        return url

    def put(self, calendar: str, name: str, event: str, *, zones: str = "") -> str:
        """Store a VEVENT of these lines, or several that are parted by END and BEGIN; its etag."""
        uid = "" if "UID:" in event.partition("END:")[0] else f"UID:{name}\n"
        event = f"BEGIN:VEVENT\n{uid}DTSTAMP:20261101T000000Z\n{event}\nEND:VEVENT\n"
        return self.store(calendar, name, f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{zones}{event}END:VCALENDAR\n")

    def store(self, calendar: str, name: str, text: str) -> str:
        """Store a text as it is; its etag."""
        return str(self._do("PUT", f"{calendar}{name}", text.replace("\n", "\r\n")).headers["ETag"])

    def get(self, calendar: str, name: str) -> str:
        return str(self._do("GET", f"{calendar}{name}").text).replace("\r\n", "\n")

    def delete(self, calendar: str, name: str) -> None:
        self._do("DELETE", f"{calendar}{name}")

    def names(self, calendar: str) -> list[str]:
        folder = self.server.folder / "collections" / "collection-root" / self.name / calendar.rstrip("/").rpartition("/")[2]
        return sorted(path.name for path in folder.iterdir() if path.suffix == ".ics")

    def _do(self, method: str, url: str, body: str = "") -> Any:
        answer = self.session.request(method, url, data=body.encode(), timeout=10)
        answer.raise_for_status()
        return answer
