"""Notice a job queue that lives but does nothing.

When an idle worker is killed, the dead process may still hold the lock of the cluster's inner queue: no worker ever gets
a job again, and all processes look well. So the queue has to give signs of life: the heartbeat job touches its file each
minute, or a row leaves the queue's table. A long queue that is worked off gives the second while the first waits.
"""

import os
from pathlib import Path

import psycopg

# A heartbeat is due each minute, the cluster looks for due ones twice a minute, and one job may take a minute.
PATIENCE = 150.0
LOOK_EVERY = 15.0
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
