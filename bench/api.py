"""The API under gunicorn beside the same reads as plain views: ./run bench api

BENCH_SECONDS  how long each read is asked for, in each of its rounds (3)
BENCH_ROUNDS   how many rounds, in turns (3)

Two workers, four clients on connections of their own, the demo's busiest client with a token. The plain views make the same queries and write
their dicts by hand (`bench/bare_urls.py`); both go through the same middleware. A read must reach LEAST of the plain view's requests a second.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from bench import report
from port444.demo import cast
from scripts import database
from tests import realsite

SECONDS, ROUNDS = float(os.environ.get("BENCH_SECONDS", "3")), int(os.environ.get("BENCH_ROUNDS", "3"))
CLIENTS, LEAST = 4, 0.6
MAKE = """
from port444.accounts.actions import create_token
from port444.accounts.models import User
user = User.objects.get(email={email!r})
print(create_token(user.pk, actor=user, name="Bench", scopes=["read"], days=1)[1])
"""


def main() -> int:
    settings: dict[str, Any] = {"DJANGO_SETTINGS_MODULE": "bench.bare", "WEB_CONCURRENCY": "2", "API_READS_A_MINUTE": "100000000"}
    with database.thrown_away() as base, tempfile.TemporaryDirectory(prefix="port444-bench-") as folder:
        addresses = {**base.addresses, "DATABASE_APP_URL": base.addresses["DATABASE_URL"]}
        with mock.patch.dict(os.environ, addresses), realsite.running(Path(folder), worker=False, **settings) as site:
            token = site.run(MAKE.format(email=cast.CLIENT)).strip().splitlines()[-1]
            who = "(SELECT id FROM accounts_user WHERE email = %s)"
            order = site.value(f"SELECT id FROM orders_order WHERE client_id = {who} ORDER BY number DESC LIMIT 1", cast.CLIENT)
            talk = site.value(
                f"SELECT c.id FROM messaging_conversation c JOIN messaging_message m ON m.conversation_id = c.id WHERE c.client_id = {who}"
                " GROUP BY c.id ORDER BY count(*) DESC LIMIT 1",
                cast.CLIENT,
            )
            reads = ["/me", "/orders", f"/orders/{order}", f"/conversations/{talk}/messages", "/notifications"]
            return compare(site, reads, {"Authorization": f"Bearer {token}"})


def compare(site: realsite.Site, reads: list[str], headers: dict[str, str]) -> int:
    report.sized(f"{ROUNDS} rounds of {SECONDS:g} s, {CLIENTS} clients")
    for read in reads:
        rates: dict[str, list[float]] = {"": [], "/bare": []}
        for _ in range(ROUNDS):
            for kind, found in rates.items():
                found.append(ask(site, f"/api{kind}{read}", headers))
        api, bare = (statistics.median(found) for found in rates.values())
        name = "/".join("{id}" if len(part) == 36 else part for part in read.split("/"))
        report.figure(name, api, "a second", peer=("plain view", bare), limit=LEAST, better="more")
    return report.code()


def ask(site: realsite.Site, path: str, headers: dict[str, str]) -> float:
    """Requests a second of all clients together."""
    counts = [0] * CLIENTS
    ends = time.perf_counter() + SECONDS

    def one(number: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=30)
        with contextlib.closing(connection):
            while time.perf_counter() < ends:
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                response.read()
                assert response.status == 200, f"{path} answered {response.status}"
                counts[number] += 1

    started = time.perf_counter()
    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


if __name__ == "__main__":
    raise SystemExit(main())
