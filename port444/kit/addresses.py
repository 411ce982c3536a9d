"""Addresses in the server's log, without what opens something to whoever reads it there."""

from __future__ import annotations

import logging

SECRET = ("token", "key")  # what such a part is called in a table of addresses: links in mails, calendars to subscribe to
SAID = "[secret]"


def without_secrets(record: logging.LogRecord) -> bool:
    """A filter of what Django says of refused and failed requests: it names their addresses."""
    match = getattr(getattr(record, "request", None), "resolver_match", None)
    held = [str(match.kwargs[name]) for name in SECRET if match.kwargs.get(name)] if match is not None else []
    if held and isinstance(record.args, tuple):
        record.args = tuple(_without(arg, held) if isinstance(arg, str) else arg for arg in record.args)
    return True


def _without(text: str, held: list[str]) -> str:
    for secret in held:
        text = text.replace(secret, SAID)
    return text
