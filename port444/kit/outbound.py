"""Requests to the outside: always with a time limit, a size limit and our name, and guarded where a person gave the address."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext as _
from requests.adapters import HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from . import readonly

TIMEOUT = (3.05, 8)  # seconds to connect, and between two pieces of an answer
TOTAL = 20.0  # seconds for everything, however busily the other side drips
LATE = "the answer took too long"  # for logs
MOST_BYTES = 8 * 2**20
PIECE = 65_536
LEAST_PORT = 1024  # below it live mail, shells and databases; 443 is for us

logging.getLogger("urllib3").setLevel(logging.INFO)  # at DEBUG it writes whole addresses, and those that people give us may be secrets


class TooLarge(requests.RequestException):
    """The answer is larger than anything that was asked for."""


class TooSlow(requests.Timeout):
    """The answer was not whole in the time that one request has."""


class _Watch(threading.local):
    """The end of the running request of this thread, and the connection that is cut when it comes."""

    def __init__(self) -> None:
        self.leash: _Leash | None = None


_watch = _Watch()


class _Leash:
    """Ends a connection when its time is over.

    The limits of sockets start anew with each byte that arrives, also within a header or a handshake, so they never end a drip.
    """

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.is_late = False
        self._lock = threading.Lock()
        self._held: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> _Leash:
        self._timer.start()
        _watch.leash = self
        return self

    def __exit__(self, *failure: object) -> None:
        self._timer.cancel()
        _watch.leash = None
        with self._lock:
            self._let_go()

    def hold(self, held: socket.socket) -> None:
        """Cut `held` in time. A duplicate of it: http.client closes its own while an answer without a length is still read."""
        with self._lock:
            self._let_go()
            self._held = held.dup()
            late = self.is_late
        if late:
            self._cut()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _cut(self) -> None:
        with self._lock:
            self.is_late = True
            if self._held is not None:
                with suppress(OSError):  # the other side was first
                    self._held.shutdown(socket.SHUT_RDWR)


class _Leashed:
    """A connection that the leash of the running request can end. A duplicate of the socket outlives its wrapping in TLS."""

    _cord: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]  # of the connection that this is mixed into
        self._cord = made.dup()
        self._tie()
        return made

    def request(self, *args: Any, **options: Any) -> Any:
        self._tie()
        return super().request(*args, **options)  # type: ignore[misc]

    def close(self) -> None:
        if self._cord is not None:
            self._cord.close()
            self._cord = None
        super().close()  # type: ignore[misc]

    def _tie(self) -> None:
        if self._cord is not None and _watch.leash is not None:
            _watch.leash.hold(self._cord)


class _HTTP(_Leashed, HTTPConnection):
    pass


class _HTTPS(_Leashed, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS


class _GuardedAdapter(IPFilterAdapter):  # type: ignore[misc]  # has no types
    """Connects to the address that the name was resolved to, if it is one of the public network; the name stays for TLS and Host."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        address = ipaddress.ip_address(host["host"].strip("[]"))
        loopback = self._allow_loopback and address.is_loopback
        site_local = isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address.ipv4_mapped is not None)
        if not loopback and (not address.is_global or address.is_reserved or address.is_multicast or site_local):
            raise InvalidIPAddress(address)
        return host, pool


class _Session(requests.Session):
    def __init__(self, *, guarded: bool, total: float, keep: int | None) -> None:
        super().__init__()
        self.guarded = guarded
        self.total = total
        self.keep = keep

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        readonly.refuse("a request to the outside")
        if self.guarded:
            _check_address(url)
        options.setdefault("timeout", TIMEOUT)
        options["allow_redirects"] = False  # Session.get asks for the opposite
        options["stream"] = True
        with _Leash(self.total) as leash:
            try:
                response = super().request(method, url, *args, **options)
                _read(response, leash, self.keep)
            except TooLarge:
                raise
            except requests.RequestException as error:
                if leash.is_late:
                    raise TooSlow(LATE) from error
                raise
        if leash.is_late:  # an answer that says no length looks whole when it is cut
            raise TooSlow(LATE)
        return response

    def get_redirect_target(self, resp: Any) -> None:
        """Not even looked at: preparing the next request would read the answer without a limit."""


def session(*, guarded: bool = False, total: float = TOTAL, keep: int | None = None) -> requests.Session:
    """A session that follows no redirect by itself, reads at most MOST_BYTES and takes at most `total` seconds for a request.

    With `keep` only so many bytes of an answer are read, and a longer one is no error: for those whose status alone matters.

    `guarded` is for addresses that a person typed: https only, and the name is resolved once and refused when it leads into our
    own network, so that a second answer of the resolver changes nothing. Raises requests.RequestException.
    """
    made = _Session(guarded=guarded, total=total, keep=keep)
    made.headers["User-Agent"] = f"port444 (+{settings.SITE_URL})"
    made.trust_env = False
    if not guarded:
        made.mount("https://", _Adapter())
        made.mount("http://", _Adapter())
        return made
    loopback = settings.OUTBOUND_ALLOW_LOOPBACK
    made.mount("https://", _GuardedAdapter(is_https_proto=True, allow_loopback=loopback))
    if loopback:
        made.mount("http://", _GuardedAdapter(is_https_proto=False, allow_loopback=True))
    else:
        made.adapters.pop("http://")
    return made


def refuses(url: str) -> str:
    """Why a person's address is not even tried, in words; nothing for one that may be. What its name leads to is asked when it is used."""
    try:
        _check_address(url)
        parts = urlsplit(url)
        host = parts.hostname or ""
    except (requests.exceptions.InvalidURL, ValueError):
        return _("Give an address without a name, password or a port of another service.")
    if not host or len(url) != len(url.strip()):
        return _("Give a whole address, for example https://example.com/port444.")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        is_near = host == "localhost"
        is_inside = is_near or "." not in host
    else:
        is_near, is_inside = address.is_loopback, not address.is_global
    if is_near and settings.OUTBOUND_ALLOW_LOOPBACK:
        return ""
    if parts.scheme != "https":
        return _("Give an address that begins with https://.")
    return _("This address leads into a private network.") if is_inside else ""


def _check_address(url: Any) -> None:
    """Raises InvalidURL for what no honest address holds: a name and password, or a port of another service."""
    try:
        parts = urlsplit(str(url))
        port = parts.port
    except ValueError as error:
        raise requests.exceptions.InvalidURL("the address cannot be read") from error
    if "@" in parts.netloc:
        raise requests.exceptions.InvalidURL("the address holds a name or password")
    if port is not None and port != 443 and port < LEAST_PORT and not settings.OUTBOUND_ALLOW_LOOPBACK:
        raise requests.exceptions.InvalidURL("the address names a port of another service")


def _read(response: requests.Response, leash: _Leash, keep: int | None) -> None:
    """Load the body, up to the limits."""
    held = bytearray()
    for piece in response.iter_content(PIECE if keep is None else keep):
        held += piece
        if keep is not None and len(held) >= keep:
            del held[keep:]
            response.close()
            break
        if len(held) > MOST_BYTES:
            response.close()
            raise TooLarge("the answer is too large")
        if time.monotonic() > leash.ends:
            response.close()
            raise TooSlow(LATE)
    response._content = bytes(held)
    response._content_consumed = True  # type: ignore[attr-defined]  # what requests sets when it reads a body itself
