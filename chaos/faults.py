"""What is done to the site while people use it. Each fault is struck, waited out, and written down with how long the site was away."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from scripts import chain

from .parts import ROOT, Disk, Site, children, descendants, frozen
from .providers import Providers
from .proxy import MODES

BACK = 240.0  # seconds after which a part that is not back is a finding
SKEWS = (-95.0, -12.0, -2.0, 3.0, 20.0, 110.0)  # seconds by which a clock is wrong


@dataclass
class Fault:
    """One that was struck. Times are of the wall clock; `back` is when the part was there again, `away` how long nobody got the first
    page."""

    kind: str
    detail: str
    at: float
    lasted: float = 0.0
    back: float | None = None
    away: float = 0.0


@dataclass
class Journal:
    """All of them, in order."""

    began: float = field(default_factory=time.time)
    faults: list[Fault] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, fault: Fault) -> Fault:
        with self.lock:
            self.faults.append(fault)
        print(f"[chaos] {fault.at - self.began:6.0f} s  {fault.kind:<20} {fault.detail}", flush=True)
        return fault

    def blame(self, outages: list[tuple[float, float]]) -> None:
        """Each time without a first page belongs to what was killed last before it began."""
        kills = [fault for fault in self.faults if not fault.lasted]
        for began, ended in outages:
            before = [fault for fault in kills if fault.at <= began]
            if before:
                last = max(before, key=lambda fault: fault.at)
                last.away = max(last.away, round(ended - began, 1))

    def rows(self) -> list[dict[str, Any]]:
        return [{**asdict(fault), "at": round(fault.at - self.began, 1)} for fault in sorted(self.faults, key=lambda fault: fault.at)]


class Injector:
    """Strikes from a seed: processes one after the other (`processes`, in the thread that started the site), and beside them what lasts
    for a while (`conditions`, in a thread of its own)."""

    def __init__(self, site: Site, providers: Providers, disk: Disk, seed: int, inside: Mapping[str, str], *, impatient: bool = False) -> None:
        self.site, self.providers, self.disk, self.impatient = site, providers, disk, impatient
        self.inside = inside  # the variables for a process in the site's Django
        self.chance = random.Random(seed)
        self.conditions_chance = random.Random(seed + 1)
        self.journal = Journal()
        self.over = threading.Event()

    # Processes

    def processes(self, ends: float, gap: tuple[float, float]) -> None:
        """One of each kind first, in any order, then any."""
        kinds = list(self.KILLS)
        first = self.chance.sample(kinds, len(kinds))
        while time.time() < ends:
            kind = first.pop() if first else self.chance.choices(kinds, [weight for weight, _ in self.KILLS.values()])[0]
            self.strike(kind)
            self.over.wait(min(self.chance.uniform(*gap), max(0.0, ends - time.time())))
        self.journal.skipped += first

    def strike(self, kind: str) -> None:
        act = self.KILLS[kind][1]
        began = time.time()
        struck = act(self)
        if struck is None:
            self.journal.skipped.append(kind)
            return
        detail, is_back = struck
        fault = self.journal.note(Fault(kind, detail, began))
        while time.time() < began + BACK and fault.back is None:
            time.sleep(0.1)
            with suppress(OSError, chain.ChainFailed, ValueError):
                if is_back() and self.site.answers():
                    fault.back = round(time.time() - began, 1)

    def kill(self, pid: int | None) -> bool:
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    def replaced(self, name: str, old: int) -> Callable[[], bool]:
        return lambda: (new := self.site.main_of(name)) is not None and new != old and (name != "qcluster" or len(children(new)) > 0)

    def web_master(self) -> Any:
        pid = self.site.main_of("gunicorn")
        return ("the first process of gunicorn", self.replaced("gunicorn", pid)) if pid and self.kill(pid) else None

    def web_worker(self) -> Any:
        master = self.site.main_of("gunicorn")
        workers = children(master) if master else []
        if not workers or master is None:
            return None
        count = len(workers) if self.chance.random() < 0.3 else 1
        for pid in self.chance.sample(workers, count):
            self.kill(pid)
        return f"{count} of {len(workers)} workers of gunicorn", lambda: len(children(master)) >= len(workers)

    def queue(self) -> Any:
        pid = self.site.main_of("qcluster")
        return ("the first process of the queue", self.replaced("qcluster", pid)) if pid and self.kill(pid) else None

    def queue_worker(self) -> Any:
        """Any process of the cluster: a worker, or one that feeds or watches them. Where that leaves a cluster that hangs, the supervisor
        notices after two and a half minutes (`scripts.watchdog`); who is impatient kills the whole cluster after some seconds."""
        main = self.site.main_of("qcluster")
        parts = descendants(main) if main else []
        if not parts or main is None:
            return None
        self.kill(self.chance.choice(parts))
        patience = time.time() + 4

        def is_back() -> bool:
            if self.impatient:
                if time.time() > patience and self.site.main_of("qcluster") == main:
                    self.kill(main)
                return self.replaced("qcluster", main)()
            return self.replaced("qcluster", main)() or len(descendants(main)) >= len(parts)

        return f"one of {len(parts)} processes below the queue", is_back

    def escrow_worker(self) -> Any:
        pid = self.site.main_of("run_chain")
        return ("the worker of the chain", self.replaced("run_chain", pid)) if pid and self.kill(pid) else None

    def sealer(self) -> Any:
        """A process that seals and exports, beside those of the queue, and dies at any moment of it."""
        process = subprocess.Popen(
            [sys.executable, "-m", "chaos.sealer"],
            cwd=ROOT,
            env={**self.inside, "DJANGO_SETTINGS_MODULE": "port444.settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        process.stdout.readline()  # or nothing, when it could not begin
        wait = self.chance.uniform(0.0, 0.6)
        time.sleep(wait)
        process.kill()
        process.communicate()
        return f"{wait * 1000:.0f} ms into sealing and exporting", lambda: True

    def postgres_killed(self) -> Any:
        pid = self.site.postmaster()
        return ("SIGKILL of the postmaster", lambda: self.site.postmaster() not in (None, pid)) if self.kill(pid) else None

    def postgres_stopped(self) -> Any:
        pid = self.site.postmaster()
        if pid is None:
            return None
        os.kill(pid, signal.SIGQUIT)
        return "stopped at once (SIGQUIT, as pg_ctl stop -m immediate)", lambda: self.site.postmaster() not in (None, pid)

    def postgres_backend(self) -> Any:
        """PostgreSQL ends all connections and recovers when one of its processes is killed."""
        pid = self.site.postmaster()
        parts = children(pid) if pid else []
        if not parts:
            return None
        self.kill(self.chance.choice(parts))
        return f"one of {len(parts)} processes of PostgreSQL: all connections end, and it recovers", self.site.postgres.answers

    def connections(self) -> Any:
        """Half of the connections are ended; the server stays."""
        ended = 0
        with suppress(Exception), self.site.postgres.connect("postgres") as connection:
            sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'port444%' AND random() < 0.5"
            ended = len(connection.execute(sql).fetchall())
        return (f"{ended} connections of PostgreSQL", lambda: True) if ended else None

    def chain_killed(self) -> Any:
        if not (pid := self.hold_chain()):
            return None
        head = self.head
        self.kill(pid)

        def is_back() -> bool:
            return self.replaced("anvil", pid)() and self.site.head() >= head

        return f"anvil at block {head}, which it has on disk; what waited for a block is lost", is_back

    head = 0

    def hold_chain(self) -> int | None:
        """Stop mining until all blocks are on disk, then stop the node as it stands: so that killing it loses none. Its process."""
        pid = self.site.main_of("anvil")
        if pid is None:
            return None
        with suppress(OSError, chain.ChainFailed, ValueError):
            chain.ask(self.site.chain_url, "evm_setAutomine", False)
            self.head, ends = self.site.head(), time.time() + 12
            while time.time() < ends:
                if self.site.state() >= self.head:
                    os.kill(pid, signal.SIGSTOP)
                    if self.site.state() >= self.head:  # and it is not writing
                        return pid
                    os.kill(pid, signal.SIGCONT)
                time.sleep(0.1)
            chain.ask(self.site.chain_url, "evm_setAutomine", True)
        return None

    def chain_reorganised(self) -> Any:
        """The last block is dropped, as chains do: not deeper than what counts as final."""
        with suppress(OSError, chain.ChainFailed, ValueError):
            head = self.site.head()
            chain.ask(self.site.chain_url, "anvil_reorg", 1, [])
            return f"the chain dropped block {head} and made another", lambda: True
        return None

    def supervisor(self) -> Any:
        """`kill -9` of ./run itself: all but PostgreSQL die with it. Started again by us, as by a person or an init system."""
        if self.hold_chain() is None:
            return None
        old = self.site.pid
        self.site.child.kill()
        self.site.start()

        def is_back() -> bool:
            return self.site.pid != old and self.site.main_of("qcluster") is not None and self.site.main_of("run_chain") is not None

        return "the supervisor, and all that it had started", is_back

    def freeze(self) -> Any:
        """A part stands still and goes on, as when a machine is moved or swaps."""
        name = self.chance.choice(["gunicorn", "qcluster", "run_chain"])
        main = self.site.main_of(name)
        if main is None:
            return None
        seconds = self.chance.uniform(1.0, 6.0)
        with frozen([main, *descendants(main)]):
            time.sleep(seconds)
        return f"{name} for {seconds:.1f} s", lambda: True

    KILLS: dict[str, tuple[int, Callable[[Injector], Any]]] = {
        "web worker": (4, web_worker),
        "web master": (2, web_master),
        "queue": (3, queue),
        "queue worker": (2, queue_worker),
        "escrow worker": (3, escrow_worker),
        "sealer and export": (3, sealer),
        "PostgreSQL killed": (2, postgres_killed),
        "PostgreSQL stopped": (1, postgres_stopped),
        "PostgreSQL process": (1, postgres_backend),
        "connections cut": (2, connections),
        "chain killed": (2, chain_killed),
        "chain reorganised": (2, chain_reorganised),
        "supervisor killed": (1, supervisor),
        "frozen": (2, freeze),
    }

    # Conditions

    def conditions(self, ends: float, lasts: tuple[float, float], gap: tuple[float, float]) -> None:
        """Each line once, the disk and a clock first; then any."""
        chance = self.conditions_chance
        for kind, detail, begin, end in self._conditions():
            if time.time() >= ends or self.over.is_set():
                break
            fault = self.journal.note(Fault(kind, detail, time.time()))
            begin()
            self.over.wait(min(chance.uniform(*lasts), max(0.5, ends - time.time())))
            end()
            fault.lasted = round(time.time() - fault.at, 1)
            fault.back = fault.lasted
            self.over.wait(chance.uniform(*gap))
        self.heal()

    def _conditions(self) -> Iterator[tuple[str, str, Callable[[], None], Callable[[], None]]]:
        chance = self.conditions_chance
        names = list(self.providers.lines)
        first = [*chance.sample(names, len(names)), "disk", "clock"]
        chance.shuffle(first)
        modes = chance.sample(MODES, len(MODES)) * 2
        while True:
            name = first.pop() if first else chance.choices([*names, "disk", "clock"], [*[2] * len(names), 4, 6])[0]
            if name == "disk":
                yield "cold storage full", self.disk.words, self.disk.fill, self.disk.empty
            elif name == "clock":
                part, seconds = chance.choice(["web", "queue", "escrow"]), chance.choice(SKEWS)
                yield "clock skewed", f"{part} by {seconds:+.0f} s", partial(self.set_clock, part, seconds), partial(self.set_clock, part, 0)
            else:
                mode = modes.pop() if modes else chance.choice(MODES)
                line = self.providers.lines[name]
                yield f"provider {mode}", name, partial(setattr, line, "mode", mode), partial(setattr, line, "mode", "")

    def set_clock(self, part: str, seconds: float) -> None:
        path = self.site.clocks / part
        fresh = path.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.rename(path)

    def heal(self) -> None:
        self.providers.heal()
        self.disk.empty()
        for part in ("web", "queue", "escrow"):
            self.set_clock(part, 0)
