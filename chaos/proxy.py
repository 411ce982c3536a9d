"""A line between the site and a provider that can be cut, held and slowed down. Nothing here knows what is said over it."""

from __future__ import annotations

import random
import selectors
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Self

MODES = ("refuse", "hang", "delay", "error", "cut")
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset and not an end
HTTP_500 = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbroken"
SMTP_421 = b"421 mail.example is closing the channel\r\n"


class Proxy:
    """Listens on loopback and leads to `target`; `mode` says how badly. Use as a context manager.

    refuse  a connection is reset as soon as it is there
    hang    what is asked is never answered, until the mode changes
    delay   each answer comes one to three seconds late
    error   everything is answered by "500" (or "421" by mail), and the provider never hears of it
    cut     the provider does its work, and of the answer come a few bytes and then a reset
    """

    def __init__(self, name: str, target: tuple[str, int], *, failure: bytes = HTTP_500) -> None:
        self.name, self.target, self.failure = name, target, failure
        self.mode = ""
        self.harmed = 0  # connections that met a fault
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True, name=f"proxy {self.name}").start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._closed.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                inside, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(inside,), daemon=True).start()

    def _carry(self, inside: socket.socket) -> None:
        """One connection to its end. A fault that begins meanwhile meets it as well."""
        noted = False
        with inside:
            try:
                outside = socket.create_connection(self.target, timeout=5)
            except OSError:
                reset(inside)
                return
            passed, limit = 0, random.randrange(1, 400)
            with outside, suppress(OSError), selectors.PollSelector() as either:
                either.register(inside, selectors.EVENT_READ)
                either.register(outside, selectors.EVENT_READ)
                while not self._closed.is_set():
                    mode = self.mode
                    if mode and not noted:
                        noted, self.harmed = True, self.harmed + 1
                    if mode == "refuse":
                        reset(inside)
                        return
                    if mode == "hang":
                        time.sleep(0.05)
                        continue
                    ready = [key.fileobj for key, _ in either.select(0.2)]
                    if mode == "error" and inside in ready:
                        inside.recv(65536)
                        inside.sendall(self.failure)
                        return
                    for source in (one for one in (inside, outside) if one in ready):
                        piece = source.recv(65536)
                        if not piece:
                            return
                        if source is inside:
                            outside.sendall(piece)
                            continue
                        if mode == "delay":
                            time.sleep(random.uniform(1.0, 3.0))
                        if mode == "cut" and passed + len(piece) > limit:
                            inside.sendall(piece[: max(0, limit - passed)])
                            reset(inside)
                            return
                        passed += len(piece) if mode == "cut" else 0
                        inside.sendall(piece)


def reset(connection: socket.socket) -> None:
    """End a connection as a line that was cut does."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()
