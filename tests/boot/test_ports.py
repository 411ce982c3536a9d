"""Ports for servers that start later."""

import socket
from pathlib import Path

import pytest

from scripts import ports


def test_free_port_is_none_that_callers_are_given() -> None:
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    found = [ports.free_port() for _ in range(50)]
    assert all(ports.is_free(port) for port in found)
    assert max(found) < int(given[0])


def test_port_with_a_listener_is_not_free() -> None:
    with socket.create_server((ports.HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert not ports.is_free(port)
    assert ports.is_free(port)


def test_what_a_server_takes_beside_is_free_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def is_free(port: int) -> bool:
        asked.append(port)
        return len(asked) != 2  # the one beside the first is taken

    monkeypatch.setattr(ports, "is_free", is_free)
    port = ports.free_port(beside=10_000)
    assert asked[2:] == [port, port + 10_000]
    assert port + 10_000 < ports.HIGH
