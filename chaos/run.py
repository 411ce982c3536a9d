"""./run chaos: a marketplace day under faults, then every invariant, and a report. Ends with 1 when one is broken.

CHAOS_MINUTES  how long people work and faults are struck (30)
CHAOS_SEED     of the faults and the scenes; drawn and printed when none is given
"""

from __future__ import annotations

import json
import os
import random
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import chain
from scripts.environment import leave, say
from scripts.ports import free_port

from . import report, stuck
from .day import Day
from .faults import Injector, Journal
from .parts import ROOT, Disk, Prober, Site, clear, in_django
from .paying import SECRET
from .providers import Providers

PURSE = 1_000_000  # USDC with which wallets begin, beside what `./run --chain` gives them
IMPATIENCE = 10.0  # seconds between two times at which all schedules are due, in a short run


@dataclass(frozen=True)
class Terms:
    """How long, how many and how hard. Pairs are of seconds, least and most."""

    seconds: float
    seed: int
    folder: Path
    hands: int = 5
    builders: int = 6
    clients: int = 8
    gap: tuple[float, float] = (3.0, 14.0)  # between two kills
    lasts: tuple[float, float] = (3.0, 18.0)  # a condition
    rests: tuple[float, float] = (1.0, 8.0)  # between two conditions
    look_every: float = 15.0  # the supervisor's look at PostgreSQL, as in ./run
    closing: float = 150.0  # for scenes that run when the faults end
    settling: float = 240.0  # until nothing is under way
    queue_seconds: tuple[int, int] = (60, 150)  # for a job, and until it is given to another worker
    impatient: bool = False  # schedules are due every few seconds while all settles, and not every minute

    @classmethod
    def short(cls, seconds: float, seed: int, folder: Path) -> Terms:
        pace = {"gap": (0.2, 1.0), "lasts": (1.5, 3.5), "rests": (0.1, 0.5), "look_every": 1.0, "queue_seconds": (15, 20)}
        people = {"hands": 4, "builders": 4, "clients": 5}
        return cls(seconds, seed, folder, closing=60.0, settling=90.0, impatient=True, **people, **pace)  # type: ignore[arg-type]


def main(arguments: list[str]) -> int:
    if arguments:
        print(__doc__)
        return 2
    seconds = float(os.environ.get("CHAOS_MINUTES", "30")) * 60
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
    folder = Path(os.environ.get("PORT444_VAR") or ROOT / "var") / "chaos"
    terms = (Terms.short if seconds <= 300 else Terms)(seconds, seed, folder / "run")
    with lived(terms) as session:
        done = session.tell()
    report.write(done, folder)
    print(report.summary(done))
    return 0 if done["ok"] else 1


@dataclass
class Session:
    """A day that is over and has settled, with the site still there to be looked at."""

    terms: Terms
    site: Site
    inside: Mapping[str, str]
    people: Mapping[str, Any]
    providers: Providers
    day: Day
    injector: Injector
    prober: Prober
    faults_took: float = 0.0
    settling_took: float = 0.0

    def look(self) -> list[dict[str, Any]]:
        """Every invariant, as it stands now."""
        facts = facts_of(self.day, self.providers, self.people)
        return [*in_django("chaos.invariants", self.inside, facts), *outside(self.day, self.injector.journal)]

    def tell(self) -> dict[str, Any]:
        """All that the report says."""
        terms, invariants = self.terms, self.look()
        return {
            "terms": {"seconds": terms.seconds, "seed": terms.seed, "hands": terms.hands, "builders": terms.builders, "clients": terms.clients},
            "took": {"faults": self.faults_took, "settling": self.settling_took},
            "invariants": invariants,
            "ok": all(not one["broken"] for one in invariants),
            **told(self.day, self.injector.journal, self.prober),
        }


@contextmanager
def lived(terms: Terms) -> Iterator[Session]:
    """The day from its beginning until all has settled. Everything that it started is stopped afterwards."""
    chain.anvil()
    say(f"chaos for {terms.seconds / 60:.1f} minutes, seed {terms.seed}")
    clear(terms.folder)
    terms.folder.mkdir(parents=True)
    began, ports, disk = time.time(), (free_port(), free_port()), Disk(terms.folder / "cold")
    with ExitStack() as stack:
        disk.open()
        stack.callback(disk.close)
        providers = stack.enter_context(Providers(terms.folder, ports[1]))
        site = Site(terms.folder, environment(terms, providers, ports[0]), ports, providers.lines["chain"].url, terms.look_every)
        stack.callback(site.stop)
        begin(site)
        inside = inside_of(site)
        facts = {"builders": terms.builders, "clients": terms.clients, "secret": SECRET, "accounts": providers.accounts()}
        people = in_django("chaos.people", inside, facts)
        for wallet in chain.CLIENTS:
            chain.fund(site.chain_url, inside["USDC_ADDRESS"], chain.account_address(wallet), PURSE * 10**6)
        chain.ask(site.chain_url, "anvil_mine", hex(8))  # what we did ourselves is final, whatever is reorganised
        say(f"the site and its people are ready after {time.time() - began:.0f} s")
        day = Day(site.url, people, terms.seed, terms.folder / "mail")
        injector = Injector(site, providers, disk, terms.seed, inside, impatient=terms.impatient)
        session = Session(terms, site, inside, people, providers, day, injector, Prober(site.url))
        session.prober.start()
        live(session)
        session.prober.ended.set()
        yield session


def live(session: Session) -> None:
    """People work, faults are struck; then the faults end, people finish what they have begun, and what is under way comes to its end."""
    terms, began = session.terms, time.time()
    session.day.open(terms.hands)
    faults(session.injector, terms)
    ended = time.time()
    session.faults_took = ended - began
    say(f"the faults are over after {session.faults_took:.0f} s; people finish what they have begun")
    session.day.close(terms.closing)
    settle(session)
    session.settling_took = time.time() - ended
    say(f"settled after {session.settling_took:.0f} s")


def environment(terms: Terms, providers: Providers, port: int) -> dict[str, str]:
    """The variables of the site: what the caller has set for other databases counts for nothing."""
    kept = {
        name: found for name, found in os.environ.items() if not name.startswith(("DATABASE_", "PORT444_COPIES", "PORT444_TEST", "CHAIN_", "ESCROW_"))
    }
    clocks = terms.folder / "clocks"
    clocks.mkdir(exist_ok=True)
    return {
        **kept,
        "PORT444_ENV": "development",
        "PORT444_VAR": str(terms.folder),
        "PORT444_SEED": "no",
        "PORT444_MAIL_DIR": str(terms.folder / "mail"),
        "PORT444_HEARTBEAT_FILE": str(terms.folder / "heartbeat"),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "SITE_URL": f"http://127.0.0.1:{port}",
        "CHAOS_CLOCKS": str(clocks),
        "AUDIT_COLD_URL": (terms.folder / "cold").resolve().as_uri(),
        "AUDIT_HOT_DAYS": "0",  # what is sealed is exported at once, so that there is something to export
        "CLEARING_DAYS": "0",
        "TRUSTED_PROXIES": "1",  # people come from addresses of their own
        "API_WRITES_A_MINUTE": "600",  # a builder here sells to everybody at once
        "Q_TIMEOUT": str(terms.queue_seconds[0]),
        "Q_RETRY": str(terms.queue_seconds[1]),
        "PYTHONUNBUFFERED": "1",
        **providers.settings(),
    }


def begin(site: Site) -> None:
    """Start the site and wait until all its parts are there."""
    site.start()
    ends = time.time() + 600
    while not (site.answers() and site.main_of("qcluster") and site.main_of("run_chain")):
        if time.time() > ends or not site.child.is_alive:
            raise SystemExit("The site does not begin; the reason stands above.")
        time.sleep(0.2)


def inside_of(site: Site) -> dict[str, str]:
    """The variables for a command of ours inside the site's Django: as the supervisor gives them to its children, but with a straight line to
    the chain."""
    settings = json.loads((site.folder / "chain.json").read_text())
    return {**settings, **site.environment, **site.postgres.environment()}


def faults(injector: Injector, terms: Terms) -> None:
    """Strike until the time is over; then everything is made whole."""
    ends = time.time() + terms.seconds
    conditions = threading.Thread(target=injector.conditions, args=(ends, terms.lasts, terms.rests), daemon=True)
    conditions.start()
    injector.processes(ends, terms.gap)
    injector.over.set()
    conditions.join(60)
    injector.heal()


def settle(session: Session) -> None:
    """Wait until nothing is under way, for so long at most; what is left then is named by an invariant."""
    terms, ends, looked_into, hurried = session.terms, time.time() + session.terms.settling, 0.0, 0.0
    while time.time() < ends:
        time.sleep(1)
        with suppress(Exception), session.site.postgres.connect("port444") as connection:
            if terms.impatient and time.time() - hurried > IMPATIENCE:
                hurried = time.time()
                connection.execute("UPDATE django_q_schedule SET next_run = now() WHERE next_run > now()")
            waiting = [
                words for words, sql in stuck.UNDER_WAY.items() if connection.execute(f"SELECT 1 FROM ({sql}) AS found LIMIT 1".encode()).fetchone()
            ]
            if "withdrawals without an end" in waiting and time.time() - looked_into > 20:
                looked_into = time.time()
                in_django("chaos.security", session.inside)
            if not waiting:
                return


def facts_of(day: Day, providers: Providers, people: Mapping[str, Any]) -> dict[str, Any]:
    """What stands outside of the database: promises to people, and what providers have."""
    box = providers.mailbox
    return {
        "people": people,
        "purse": 25_000 + PURSE,
        "promises": day.promises,
        "mails": {message: {"times": times, "to": len(box.receivers[message])} for message, times in box.taken.items()},
        "heard": {path: {event: len(bodies) for event, bodies in events.items()} for path, events in providers.webhooks.heard().items()},
        "rooms": providers.rooms(),
        "events": providers.google_events(),
    }


def outside(day: Day, journal: Journal) -> list[dict[str, Any]]:
    """What is seen from outside alone."""

    def check(name: str, looked_at: int, wrong: list[str], note: str = "") -> dict[str, Any]:
        return {"name": name, "looked_at": looked_at, "wrong": wrong[:10], "broken": len(wrong), "note": note}

    record, faults = day.record, journal.faults
    lost = [f"{fault.kind} ({fault.detail}) at {fault.at - journal.began:.0f} s" for fault in faults if fault.back is None]
    near = [(fault.at - 2, fault.at + max(fault.back or 0, fault.away, fault.lasted) + 20) for fault in faults]
    calm = [what for moment, what in record.broken if not any(begins <= moment <= ends for begins, ends in near)]
    return [
        check("every part came back after its fault", len(faults), lost),
        check("no answer that a client has to wonder about", record.calls, record.strange),
        check("no fault of the site (5xx, lost connection) but near a fault of ours", record.calls, calm, f"{len(record.broken)} near one"),
        check("no scene broke", sum(day.played.values()), day.failures),
    ]


def told(day: Day, journal: Journal, prober: Prober) -> dict[str, Any]:
    record = day.record
    journal.blame(prober.outages)
    kinds = {kind for one in day.promises for kind in [one["kind"]]}
    return {
        "faults": journal.rows(),
        "skipped": journal.skipped,
        "scenes": dict(day.played.most_common()),
        "given_up": day.given_up,
        "promises": {kind: len({(one["id"], one.get("reached")) for one in day.promises if one["kind"] == kind}) for kind in sorted(kinds)},
        "calls": {"asked": record.calls, "repeated": record.repeats, "replayed": record.replayed, "statuses": dict(sorted(record.statuses.items()))},
        "first_page": {"asked": prober.asked, "missed": prober.missed, "longest": max((end - start for start, end in prober.outages), default=0.0)},
    }


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
