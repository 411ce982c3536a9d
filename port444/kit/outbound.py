"""Requests to the outside: always with a time limit, a size limit and our name, and guarded where a person gave the address."""

from __future__ import annotations

from typing import Any

import requests
from django.conf import settings
from requests_hardened.ip_filter_adapter import IPFilterAdapter

TIMEOUT = (3.05, 8)  # seconds to connect, and between two pieces of an answer
MOST_BYTES = 8 * 2**20


class TooLarge(requests.RequestException):
    """The answer is larger than anything that was asked for."""


class _Session(requests.Session):
    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        options.setdefault("timeout", TIMEOUT)
        options.setdefault("allow_redirects", False)
        options["stream"] = True
        response = super().request(method, url, *args, **options)
        _read(response)
        return response


def session(*, guarded: bool = False) -> requests.Session:
    """A session that follows no redirect by itself and reads at most MOST_BYTES.

    `guarded` is for addresses that a person typed: https only, and the name is resolved once and refused when it leads into our
    own network, so that a second answer of the resolver changes nothing. Raises requests.RequestException.
    """
    made = _Session()
    made.headers["User-Agent"] = f"port444 (+{settings.SITE_URL})"
    made.trust_env = False
    if guarded:
        made.mount("https://", IPFilterAdapter(is_https_proto=True, allow_loopback=settings.OUTBOUND_ALLOW_LOOPBACK))
        if settings.OUTBOUND_ALLOW_LOOPBACK:
            made.mount("http://", IPFilterAdapter(is_https_proto=False, allow_loopback=True))
        else:
            made.adapters.pop("http://")
    return made


def _read(response: requests.Response) -> None:
    """Load the body, up to the limit."""
    held = bytearray()
    for piece in response.iter_content(65_536):
        held += piece
        if len(held) > MOST_BYTES:
            response.close()
            raise TooLarge("the answer is too large")
    response._content = bytes(held)
    response._content_consumed = True  # type: ignore[attr-defined]  # what requests sets when it reads a body itself
