"""Notice a job queue that lives but does nothing.

When an idle worker is killed, the dead process may still hold the lock of the cluster's inner queue: no worker ever gets
a job again, and all processes look well. So the queue has to give signs of life: the heartbeat job touches its file each
minute, or a row leaves the queue's table. A long queue that is worked off gives the second while the first waits.

    python -m scripts.watchdog    for systemd: ends with 1 when the queue of this machine seems to hang

With several machines a row that leaves says nothing about this one. So a queue is taken for hung when jobs wait that nobody takes, and this
machine has done none for as long; or when no machine has done the heartbeat.
"""

import os
import sys
import time
from pathlib import Path

import psycopg

from scripts.environment import tell

# A heartbeat is due each minute, the cluster looks for due ones twice a minute, and one job may take a minute.
PATIENCE = 150.0
LOOK_EVERY = 15.0
WAITS_TOO_LONG = 60.0
# How long the oldest job waits that nobody has taken, and how long ago the heartbeat went well, anywhere; in seconds.
WORK = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(lock)), 0)::float,
  (SELECT extract(epoch FROM clock_timestamp() - succeeded_at)::float FROM job_pulse WHERE path = 'port444.kit.jobs.heartbeat')
FROM django_q_ormq WHERE lock <= clock_timestamp()
"""
QUEUED = "SELECT id FROM django_q_ormq ORDER BY id LIMIT 1000"


class Watchdog:
    """Remembers the last sign of life; times are those of one monotonic clock, in seconds."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.last_sign = 0.0
        self.beat: float | None = None
        self.queued: frozenset[int] = frozenset()

    def began(self, now: float) -> None:
        """The cluster has just been started."""
        self.last_sign = now

    def look(self, now: float, beat: float | None, queued: frozenset[int] | None) -> None:
        """Take in the heartbeat file's time and the ids in the queue (None: not to be had just now)."""
        if beat is not None and beat != self.beat:
            self.beat = beat
            self.last_sign = now
        if queued is not None:
            if self.queued - queued:
                self.last_sign = now
            self.queued = queued

    def is_hung(self, now: float) -> bool:
        """Whether there was no sign of life for too long."""
        return now - self.last_sign > self.patience


def read_beat(file: Path) -> float | None:
    """When the heartbeat file was touched last."""
    try:
        return os.stat(file).st_mtime
    except OSError:
        return None


def read_queue(url: str) -> frozenset[int] | None:
    """The ids of the oldest rows in the queue; nothing when the database does not answer."""
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            return frozenset(row[0] for row in connection.execute(QUEUED))
    except psycopg.Error:
        return None


def seems_hung(waits: float, heartbeat: float | None, own: float | None) -> bool:
    """Whether a queue that does nothing would look so: seconds for which a job waits, since any machine's heartbeat, since this one's last job."""
    idle = own is None or own > PATIENCE
    return idle and (waits > WAITS_TOO_LONG or heartbeat is None or heartbeat > PATIENCE)


def main() -> int:
    """Ask the database and the file that each job touches. When the database does not answer, nobody can work, and nothing is restarted for it."""
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5, autocommit=True) as connection:
            waits, heartbeat = connection.execute(WORK).fetchone() or (0.0, None)
    except psycopg.Error as error:
        tell(f"The database cannot be asked: {error}")
        return 0
    beat = read_beat(Path(os.environ.get("PORT444_HEARTBEAT_FILE") or Path(os.environ["PORT444_VAR"]) / "heartbeat"))
    own = None if beat is None else time.time() - beat
    hung = seems_hung(waits, heartbeat, own)
    tell(f"{'HANGS' if hung else 'works'}: a job waits for {waits:.0f} s, heartbeat {heartbeat or 0:.0f} s ago, own last job {own or 0:.0f} s ago")
    return int(hung)


if __name__ == "__main__":
    sys.exit(main())
