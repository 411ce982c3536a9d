"""The whole site on a database that is thrown away, and requests as a browser sends them. Nothing here uses Django."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from scripts import database
from tests import realsite

TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(**settings: str) -> Iterator[realsite.Site]:
    """gunicorn as `./run` starts it, with two workers, on a fresh database without the demo."""
    with database.thrown_away() as base, tempfile.TemporaryDirectory(prefix="port444-bench-") as folder:
        addresses = {**base.addresses, "DATABASE_APP_URL": base.addresses["DATABASE_URL"]}
        with mock.patch.dict(os.environ, addresses), realsite.running(Path(folder), seeded=False, worker=False, **settings) as site:
            yield site


def tell(site: realsite.Site, function: str, **arguments: Any) -> Any:
    """Call "module:function" inside the site's Django and give its answer, which has to be JSON."""
    module, _, name = function.partition(":")
    code = f"import json, {module}; print(json.dumps({module}.{name}(**json.loads({json.dumps(json.dumps(arguments))}))))"
    return json.loads(site.run(code).splitlines()[-1])


@dataclass(frozen=True, slots=True)
class Timing:
    """How long requests took, in milliseconds; `cpu` is what the workers of gunicorn burned for one."""

    best: float
    p50: float
    p95: float
    cpu: float
    size: int
    count: int

    def __str__(self) -> str:
        took = f"best {self.best:5.1f} ms   p50 {self.p50:5.1f} ms   p95 {self.p95:5.1f} ms   CPU {self.cpu:5.1f} ms"
        return f"{took}   {self.size / 1024:5.1f} kB   ({self.count} requests)"


def ask(site: realsite.Site, path: str, *, count: int, clients: int = 1, headers: Mapping[str, str] | None = None) -> Timing:
    """GET `path` so many times from each of some clients, each on a connection of its own that stays open."""
    sizes: list[int] = []
    took: list[list[float]] = [[] for _ in range(clients)]

    def one(times: list[float], asked: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=30)
        with contextlib.closing(connection):
            for _ in range(asked):
                started = time.perf_counter()
                connection.request("GET", path, headers=dict(headers or {}))
                response = connection.getresponse()
                body = response.read()
                times.append((time.perf_counter() - started) * 1000)
                assert response.status == 200, f"{path} answered {response.status}"
                sizes.append(len(body))

    def all_of_them(asked: int) -> None:
        threads = [threading.Thread(target=one, args=(times, asked)) for times in took]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    all_of_them(20)  # every thread of every worker has imported, compiled and connected
    for times in took:
        times.clear()
    before = burned(site)
    all_of_them(count)
    flat = sorted(number for times in took for number in times)
    assert len(flat) == count * clients, "a client gave up"
    cpu = (burned(site) - before) * 1000 / len(flat)
    return Timing(flat[0], statistics.median(flat), flat[int(len(flat) * 0.95)], cpu, sizes[-1], len(flat))


def burned(site: realsite.Site) -> float:
    """Seconds of CPU that the processes of the web server have used so far."""
    process = site.web.process
    assert process is not None
    group = os.getpgid(process.pid)
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                total += int(fields[11]) + int(fields[12])
    return total / TICKS
