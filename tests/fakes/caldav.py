"""A CalDAV server that misbehaves in the ways that real ones are not asked to. Radicale plays the good one."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

from .server import Answer, FakeServer, Seen

XML = {"Content-Type": "application/xml; charset=utf-8"}
OPEN = '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:cs="http://calendarserver.org/ns/">'


def multistatus(*responses: tuple[str, str]) -> Answer:
    """An answer of (href, properties)."""
    inside = "".join(
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>{props}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        for href, props in responses
    )
    return Answer(207, f"{OPEN}{inside}</d:multistatus>".encode(), XML)


@dataclass
class Stored:
    etag: str
    text: str


@dataclass
class Marks:
    """What the server says of the state of its calendar; empty for what it does not know."""

    sync: str = ""
    ctag: str = ""
    zone: str = ""
    changed: list[str] = field(default_factory=list)


class FakeCalDAV(FakeServer):
    """One person, one calendar at /cal/. Tests put resources into `stored` and set `marks`."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, Stored] = {}
        self.marks = Marks()
        self.home = "/home/"

    def put(self, name: str, event: str, etag: str = '"1"') -> None:
        text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nUID:{name}\n{event}\nEND:VEVENT\nEND:VCALENDAR\n"
        self.stored[name] = Stored(etag, text)

    def answer(self, request: Seen) -> Answer:
        body = request.body.decode()
        if request.method == "PUT":
            name = unquote(request.path.rpartition("/")[2])
            self.stored[name] = Stored('"written"', body)
            return Answer(201)
        if request.method == "GET":
            held = self.stored.get(unquote(request.path.rpartition("/")[2]))
            return Answer(200, held.text.encode(), {"ETag": held.etag}) if held else Answer(404)
        if request.method == "REPORT":
            return self._report(body)
        if "current-user-principal" in body:
            return multistatus((request.path, "<d:current-user-principal><d:href>/me/</d:href></d:current-user-principal>"))
        if "calendar-home-set" in body:
            return multistatus((request.path, f"<c:calendar-home-set><d:href>{self.home}</d:href></c:calendar-home-set>"))
        if "resourcetype" in body:
            kind = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype><d:displayname>Work</d:displayname>"
            return multistatus(("/home/", "<d:resourcetype><d:collection/></d:resourcetype>"), ("/cal/", kind))
        return multistatus((request.path, self._marks()))

    def _marks(self) -> str:
        zone = f"<c:calendar-timezone>BEGIN:VTIMEZONE\nTZID:{self.marks.zone}\nEND:VTIMEZONE</c:calendar-timezone>" if self.marks.zone else ""
        offered = (
            "<d:supported-report-set><d:supported-report><d:report><d:sync-collection/></d:report></d:supported-report></d:supported-report-set>"
        )
        sync = f"{offered}<d:sync-token>{self.marks.sync}</d:sync-token>" if self.marks.sync else ""
        ctag = f"<cs:getctag>{self.marks.ctag}</cs:getctag>" if self.marks.ctag else ""
        return zone + sync + ctag + '<d:getetag>"written"</d:getetag>'

    def _report(self, body: str) -> Answer:
        if "sync-collection" in body:
            return multistatus(*((f"/cal/{name}", '<d:getetag>"x"</d:getetag>') for name in self.marks.changed))
        wanted = [name for name in self.stored if "multiget" not in body or f"/cal/{name}<" in body]
        full = "calendar-data" in body
        return multistatus(
            *(
                (
                    f"/cal/{name}",
                    f"<d:getetag>{self.stored[name].etag}</d:getetag>"
                    + (f"<c:calendar-data><![CDATA[{self.stored[name].text}]]></c:calendar-data>" if full else ""),
                )
                for name in wanted
            )
        )
