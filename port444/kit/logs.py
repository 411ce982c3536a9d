"""Lines of JSON for whoever collects logs, each with the id of the request or job it belongs to, and no secrets."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from . import context

HIDDEN = "***"
# What a line may carry besides its words, when somebody gave it.
FACTS = ("view", "method", "status", "ms", "queries", "user_id", "job", "job_id", "succeeded")
SECRETS = [
    # A whole header: whatever follows its name.
    (re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*)[^\r\n]+"), rf"\1\2{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(\w://)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(p444|whsec)_[\w-]+"), rf"\1_{HIDDEN}"),
    (
        re.compile(
            r"(?i)(['\"]?\b[\w-]*(?:password|passwd|secret|token|api_?key|private_?key|sessionid|csrf\w*|signature)['\"]?\s*[:=]\s*)"
            r"(['\"]?)[^\s'\"&,;)}\]]+"
        ),
        rf"\1\2{HIDDEN}",
    ),
]


def scrub(text: str) -> str:
    """`text` without what looks like a secret. The second line: nothing that is logged should have one."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


class JsonLines(logging.Formatter):
    """One line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        facts = context.current()
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": scrub(without_path(record)),
            "request_id": facts.request_id or _request_id(record),
            "source": facts.source,
            "user_id": facts.actor_id,
        }
        line |= {name: record.__dict__[name] for name in FACTS if name in record.__dict__}
        if record.exc_info:
            line["exception"] = scrub(self.formatException(record.exc_info))
        return json.dumps({name: value for name, value in line.items() if value not in (None, "")}, default=str, ensure_ascii=False)


def _request_id(record: logging.LogRecord) -> Any:
    """Django tells of refusals and faults when the request has left all middleware."""
    return getattr(getattr(record, "request", None), "META", {}).get("port444.request_id")


def without_path(record: logging.LogRecord) -> str:
    """What the record says. Django names the path of a request in it, and some have a key in them: the pattern says as much."""
    message = record.getMessage()
    request: Any = getattr(record, "request", None)
    path = getattr(request, "path", "")
    if not path or path == "/":
        return message
    match = getattr(request, "resolver_match", None)
    return message.replace(path, f"/{match.route}" if match else f"/{path.split('/')[1]}/{HIDDEN}")
