"""Open pages that hear what comes: ./run bench live

BENCH_PAGES    how many pages stay open (500)
BENCH_SECONDS  how long, in each of the two states (60)

Two workers. Each page is one of the two sides of a conversation and asks as static/js/live.js does, for its talk and for its bell, on a
connection that it keeps as a browser does. First all pages are as just opened, then as after minutes in which nobody touched them. Meanwhile
somebody writes each second, and the page of the other side hears of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bench import report
from bench import site as bench_site
from bench.beats import BELL, TALK, wait
from scripts.environment import say
from tests import realsite

PAGES, SECONDS = int(os.environ.get("BENCH_PAGES", "500")), float(os.environ.get("BENCH_SECONDS", "60"))
MOST_P95, MOST_BEHIND, MOST_GROWTH = 0.5, 5.0, 64  # seconds for an answer; seconds for the slowest of all; MB that the workers grow by
THREADS = 8  # two workers with four each
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'port444_app'"
QUIET = 60  # answers without news: as seldom as it gets


@dataclass
class Page:
    """One side of a conversation at a browser: its cookies, and what it knows."""

    cookies: str
    thread: str
    known: dict[str, str] = field(default_factory=dict)
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Seen:
    """What happened to all pages in one state."""

    took: list[float] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    connections: int = 0


def main() -> int:
    with bench_site.running(MESSAGES_A_MINUTE="100000", WEB_CONCURRENCY="2") as site:
        made = bench_site.tell(site, "bench.world:talks", count=PAGES // 2)
        pages = [Page(cookies, thread) for cookies, thread in made]
        asyncio.run(opened(site, pages))
        report.sized(f"{PAGES} pages, {SECONDS:g} s each")
        for name, calm in (("just opened", 0), ("left alone", QUIET)):
            memory, burned, began = resident(site), bench_site.burned(site), time.perf_counter()
            seen = asyncio.run(kept_open(site, pages, calm))
            seconds = time.perf_counter() - began
            cores = (bench_site.burned(site) - burned) / seconds
            say(f"{len(pages)} pages {name}: {len(seen.took) / seconds:.0f} questions a second, {cores:.2f} cores of the web server")
            told(name, seen, resident(site) - memory, resident(site))
        return report.code()


def told(name: str, seen: Seen, grown: float, memory: float) -> None:
    """What was seen beside its limits."""
    took, heard = sorted(seen.took), sorted(seen.heard)
    p95, half = took[int(len(took) * 0.95)], took[len(took) // 2]
    report.figure(f"{name}: answers, p95", p95 * 1000, "ms", limit=MOST_P95 * 1000, also=f"p50 {half * 1000:.0f} ms")
    report.figure(f"{name}: the page that waited longest", took[-1], "s", limit=MOST_BEHIND)
    report.figure(f"{name}: questions that failed", len(seen.failed), limit=0, also=" ".join(seen.failed[:3]))
    report.figure(f"{name}: until the other side heard, p50", heard[len(heard) // 2], "s", also=f"{len(heard)} messages, slowest {heard[-1]:.1f} s")
    report.figure(f"{name}: connections to the database", seen.connections, limit=THREADS)
    report.figure(f"{name}: what the web server's memory grew by", grown, "MB", limit=MOST_GROWTH, also=f"to {memory:.0f} MB")


async def opened(site: realsite.Site, pages: list[Page]) -> None:
    """Learn what the pages show, as loading them would."""
    for page in pages:
        for path in addresses(page):
            await ask(site, page, path)


async def kept_open(site: realsite.Site, pages: list[Page], calm: int) -> Seen:
    """All pages at once, for so long; a message each second for one of them, of which the other side hears."""
    seen, ends = Seen(), time.perf_counter() + SECONDS
    for page in pages:
        page.reader = page.writer = None  # a new loop, new connections
        page.turn = asyncio.Lock()
    asking = [
        asking_on(site, page, path, every, calm, ends, seen) for page in pages for path, every in zip(addresses(page), (TALK, BELL), strict=True)
    ]
    await asyncio.gather(*asking, writing(site, pages, calm, ends, seen))
    for page in pages:
        if page.writer is not None:
            page.writer.close()
    return seen


async def asking_on(site: realsite.Site, page: Page, path: str, every: float, calm: int, ends: float, seen: Seen) -> None:
    """What live.js does for one element."""
    due = time.perf_counter() + wait(every, calm) * random.random()
    while due < ends:
        await asyncio.sleep(max(0, due - time.perf_counter()))
        began = time.perf_counter()
        status = await ask(site, page, path)
        seen.took.append(time.perf_counter() - began)
        if status not in (200, 304):
            seen.failed.append(f"{path} {status}")
        calm = 0 if status == 200 and not calm else calm + 1
        due = time.perf_counter() + wait(every, calm) * (0.85 + 0.3 * random.random())


async def writing(site: realsite.Site, pages: list[Page], calm: int, ends: float, seen: Seen) -> None:
    """Somebody writes each second; how long until the page of the other side knows."""
    hearing = []
    last = ends - wait(TALK, calm) * 1.3 - 1  # whoever is written to has the time to hear of it
    for writer, reader in pairs(pages):
        if time.perf_counter() > last:
            break
        # Each writes from a connection of its own: the page that writes asks on meanwhile.
        other, knew = Page(writer.cookies, writer.thread), reader.known.get(addresses(reader)[0])
        assert await ask(site, other, writer.thread, body=f"client_key={os.urandom(16).hex()}&body=Hello") == 302
        hearing.append(asyncio.create_task(hear(reader, knew, time.perf_counter(), seen)))
        seen.connections = max(
            seen.connections, site.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'port444_app'")
        )
        await asyncio.sleep(1)
    await asyncio.gather(*hearing)


def pairs(pages: list[Page]) -> Iterator[tuple[Page, Page]]:
    while True:
        at = random.randrange(len(pages) // 2) * 2
        yield pages[at], pages[at + 1]


async def hear(page: Page, knew: str | None, since: float, seen: Seen) -> None:
    while page.known.get(addresses(page)[0]) == knew:
        await asyncio.sleep(0.02)
    seen.heard.append(time.perf_counter() - since)


def addresses(page: Page) -> tuple[str, str]:
    return f"{page.thread}new/", "/notifications/bell/"


async def ask(site: realsite.Site, page: Page, path: str, body: str = "") -> int:
    """One request on the page's connection, which is opened anew when the server has closed it."""
    async with page.turn:
        for attempt in range(3):
            if page.writer is None or page.writer.is_closing():
                page.reader, page.writer = await asyncio.open_connection(urlsplit(site.url).hostname, urlsplit(site.url).port)
            try:
                return await one(site, page, path, body)
            except (ConnectionError, asyncio.IncompleteReadError):
                page.writer.close()
                page.writer = None
                if attempt == 2:
                    raise
    raise AssertionError


async def one(site: realsite.Site, page: Page, path: str, body: str) -> int:
    assert page.reader is not None
    assert page.writer is not None
    lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", f"Host: {urlsplit(site.url).netloc}", f"Cookie: {page.cookies}"]
    if body:
        token = page.cookies.rpartition("=")[2]
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}", f"X-CSRFToken: {token}"]
    else:
        lines += ["HX-Request: true", *([f"If-None-Match: {page.known[path]}"] if path in page.known else [])]
    page.writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    head = (await page.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, headers = int(head.split(" ", 2)[1]), dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    length = int(headers.get("Content-Length", 0))
    if length and status != 304:
        await page.reader.readexactly(length)
    if status == 200 and "ETag" in headers:
        page.known[path] = headers["ETag"]
    if headers.get("Connection", "").lower() == "close":
        page.writer.close()
        page.writer = None
    return status


def resident(site: realsite.Site) -> float:
    """Megabytes that the processes of the web server hold in memory."""
    assert site.web.process is not None
    group, total = os.getpgid(site.web.process.pid), 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                total += int((folder / "statm").read_text().split()[1])
        except OSError:
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    raise SystemExit(main())
