"""Requests to Graph in the name of one account."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings

from consultations.calendars.protocol import NotConnected, Unreachable
from port444.kit import outbound

from . import tokens
from .errors import error_of, lost, read

log = logging.getLogger(__name__)

# Ids stay the same when an event is moved to another calendar, and times come in UTC.
PREFER = 'IdType="ImmutableId", outlook.timezone="UTC"'
MOST_PAGES = 400


class Wire:
    """Sends with the account's token and renews it: before it ends, and once when it is refused."""

    def __init__(self, credentials: dict[str, Any], keep: tokens.Keep) -> None:
        self.credentials = dict(credentials)
        self._keep = keep
        self._session = outbound.session()
        self._lock = threading.Lock()

    def send(self, what: str, method: str, path: str, *, prefer: str = "", body: Any = None, etag: str = "", **query: str) -> dict[str, Any]:
        """One request. `path` is below the base, or a link that Graph gave. Query names lose a leading `_`, which stands for `$`."""
        url = path if "://" in path else f"{settings.MICROSOFT_GRAPH_URL}{path}"
        _require_ours(url)
        headers = {"Accept": "application/json", "Prefer": f"{PREFER}, {prefer}" if prefer else PREFER}
        if etag:
            headers["If-Match"] = etag
        parameters = {f"${name[1:]}" if name.startswith("_") else name: value for name, value in query.items()}
        used = self._token("")
        response = self._once(what, method, url, headers, parameters, body, used)
        if response.status_code == 401:
            response = self._once(what, method, url, headers, parameters, body, self._token(used))
        if response.status_code == 401:
            raise NotConnected(f"{what}: 401 with a fresh token")
        if not 200 <= response.status_code < 300:
            raise error_of(what, response)
        return read(what, response) if response.content else {}

    def pages(self, what: str, path: str, *, prefer: str = "", **query: str) -> Iterator[dict[str, Any]]:
        """Every page of a list, the last one too. Links are followed on Graph's own host only: they carry the account's token."""
        page = self.send(what, "GET", path, prefer=prefer, **query)
        for _ in range(MOST_PAGES):
            yield page
            link = page.get("@odata.nextLink")
            if not link:
                return
            page = self.send(what, "GET", str(link), prefer=prefer)
        raise Unreachable(f"{what}: a list without end")

    def _once(
        self, what: str, method: str, url: str, headers: Mapping[str, str], query: Mapping[str, str], body: Any, token: str
    ) -> requests.Response:
        try:
            return self._session.request(method, url, params=query or None, json=body, headers={**headers, "Authorization": f"Bearer {token}"})
        except requests.RequestException as failure:
            raise lost(what, failure) from None

    def _token(self, refused: str) -> str:
        """An access token that is not the refused one. What is renewed is kept before it is used: the old one may already be worthless."""
        with self._lock:
            if tokens.is_stale(self.credentials) or self.credentials["access_token"] == refused:
                self.credentials = tokens.renew(self._session, self.credentials)
                self._keep(dict(self.credentials))
            return str(self.credentials["access_token"])


def _require_ours(url: str) -> None:
    there, ours = urlsplit(url), urlsplit(settings.MICROSOFT_GRAPH_URL)
    if (there.scheme, there.netloc) != (ours.scheme, ours.netloc):
        raise Unreachable("a link that leads to another host")
