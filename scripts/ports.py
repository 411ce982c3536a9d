"""Ports for servers that are started later, or again and again."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
# Below what the kernels give to those who call (Linux from 32768 on, others from 49152): such a port is not taken by a connection
# in the time until its server listens.
LOW, HIGH = 12_000, 32_000


def free_port(beside: int = 0) -> int:
    """A port that nobody listens on; the one that is `beside` numbers above it is free too."""
    while True:
        port = random.SystemRandom().randrange(LOW, HIGH - beside)  # a seed of the caller's would lead two of them to the same one
        if is_free(port) and is_free(port + beside):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True
