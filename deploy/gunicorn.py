"""How gunicorn serves port444: gunicorn --config deploy/gunicorn.py port444.wsgi

WEB_WORKERS and WEB_THREADS say how many. PROMETHEUS_MULTIPROC_DIR has to be a folder that is empty at each start (systemd's RuntimeDirectory):
in it the workers count together.
"""

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

from prometheus_client import multiprocess


class Line(logging.Formatter):
    """What gunicorn says of itself, in lines of JSON as the site's. Nothing of the site is imported for it: workers that a SIGHUP starts
    would go on with what their parent has loaded."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
worker_class = "gthread"
preload_app = False  # each worker loads the settings itself, so that SIGHUP brings in changed ones
timeout = 60
# A worker that is told to go finishes its requests first; longer than the slowest page, shorter than systemd's patience.
graceful_timeout = 30
# Whoever has leaked memory for a day goes; not all at once.
max_requests = 20_000
max_requests_jitter = 2_000
control_socket_disable = True
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": Line}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Requests are logged by the site itself, with the id of each, and without addresses that have keys in them.
    "loggers": {"gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False}, "gunicorn.access": {"level": "CRITICAL"}},
}


def child_exit(server: Any, worker: Any) -> None:
    """What a worker has counted stays; what only it could say goes."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)
