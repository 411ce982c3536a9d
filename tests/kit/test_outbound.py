"""Where a typed address may lead, and how long and how much an answer may be. Real sockets; only the resolver is ours."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests_hardened.ip_filter import InvalidIPAddress

from port444.kit import outbound
from port444.kit.clock import now
from tests.fakes.server import Answer, FakeServer, Seen


class Echo(FakeServer):
    """Answers what it was asked; /away sends on to /there, with a long text."""

    def answer(self, request: Seen) -> Answer:
        if request.path == "/away":
            return Answer(302, b"x" * 100, {"Location": f"{self.url}/there"})
        if request.path == "/zipped":
            return Answer(200, gzip.compress(b"0" * (outbound.MOST_BYTES + 1)), {"Content-Encoding": "gzip"})
        if request.path == "/long":
            return Answer(200, b"0" * (outbound.MOST_BYTES + 1))
        return Answer(200, {"path": request.path, "host": request.headers["host"], "agent": request.headers["user-agent"]})


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        yield server


@pytest.fixture
def strict(settings: Any) -> None:
    settings.OUTBOUND_ALLOW_LOOPBACK = False


@pytest.fixture
def loose(settings: Any) -> None:
    settings.OUTBOUND_ALLOW_LOOPBACK = True


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A resolver of our own: each name with the addresses that it answers, the last one for ever. Gives the names that were asked."""

    def use(**answers: list[str]) -> list[str]:
        real = socket.getaddrinfo
        asked: list[str] = []

        def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            known = answers.get(name.replace(".", "_"))
            if known is None:
                return real(host, port, *args, **options)
            asked.append(name)
            return real(known.pop(0) if len(known) > 1 else known[0], port, *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return use


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a connection was tried to. None is made."""
    tried: list[str] = []

    def refuse(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    return tried


INSIDE = [
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_no_name_leads_inside(strict: None, names: Callable[..., list[str]], dialled: list[str], address: str) -> None:
    names(calendar_example=[address])
    with pytest.raises(InvalidIPAddress):
        outbound.session(guarded=True).get("https://calendar.example/")
    assert dialled == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:7f00:1]",
        "localhost",
        "169.254.169.254",
    ],
)
def test_no_way_of_writing_an_address_leads_inside(strict: None, dialled: list[str], host: str) -> None:
    with pytest.raises(requests.RequestException):
        outbound.session(guarded=True).get(f"https://{host}/")
    assert dialled == []


@pytest.mark.parametrize(
    "url",
    [
        "http://calendar.example/",
        "ftp://calendar.example/",
        "file:///etc/passwd",
        "https://me:secret@calendar.example/",
        "https://calendar.example\\@127.0.0.1/",
        "https://calendar.example:22/",
        "https://calendar.example:25/",
        "https://calendar.example:80/",
        "https://calendar.example:99999/",
        "https:///path",
        "calendar.example",
    ],
)
def test_other_schemes_ports_and_passwords_are_refused(strict: None, names: Callable[..., list[str]], dialled: list[str], url: str) -> None:
    names(calendar_example=["93.184.216.34"])
    with pytest.raises(requests.RequestException):
        outbound.session(guarded=True).get(url)
    assert dialled == []


@pytest.mark.parametrize("port", ["", ":443", ":8443"])
def test_a_public_server_is_dialled_by_the_address_that_was_looked_at(
    strict: None, names: Callable[..., list[str]], dialled: list[str], port: str
) -> None:
    """The second answer of the resolver leads inside; nobody asks for it."""
    asked = names(calendar_example=["93.184.216.34", "127.0.0.1"])
    with pytest.raises(requests.ConnectionError):
        outbound.session(guarded=True).get(f"https://calendar.example{port}/")
    assert dialled == ["93.184.216.34"]
    assert asked == ["calendar.example"]


def test_each_request_is_looked_at_again(strict: None, names: Callable[..., list[str]], dialled: list[str]) -> None:
    names(calendar_example=["93.184.216.34", "127.0.0.1"])
    session = outbound.session(guarded=True)
    with pytest.raises(requests.ConnectionError):
        session.get("https://calendar.example/")
    with pytest.raises(InvalidIPAddress):
        session.get("https://calendar.example/")
    assert dialled == ["93.184.216.34"]


def test_unguarded_sessions_reach_what_the_operator_has_set(strict: None, echo: Echo, settings: Any) -> None:
    answer = outbound.session().get(f"{echo.url}/here").json()
    assert answer["path"] == "/here"
    assert answer["agent"] == f"port444 (+{settings.SITE_URL})"


def test_loopback_can_be_let_in_for_tests(loose: None, echo: Echo) -> None:
    assert outbound.session(guarded=True).get(f"{echo.url}/here").json()["path"] == "/here"


@pytest.mark.parametrize("guarded", [True, False])
def test_redirects_are_not_followed(loose: None, echo: Echo, guarded: bool) -> None:
    session = outbound.session(guarded=guarded)
    for ask in (session.get, session.post, lambda url, **options: session.get(url, allow_redirects=True)):
        assert ask(f"{echo.url}/away").status_code == 302
    assert [seen.path for seen in echo.seen] == ["/away"] * 3


@pytest.mark.parametrize("path", ["/long", "/zipped"])
def test_answers_have_a_size(loose: None, echo: Echo, path: str) -> None:
    with pytest.raises(outbound.TooLarge):
        outbound.session(guarded=True).get(f"{echo.url}{path}")


def test_an_answer_that_breaks_off_is_no_answer(loose: None, echo: Echo) -> None:
    echo.fail(200, b"x" * 1000, cut=10)
    with pytest.raises(requests.RequestException):
        outbound.session(guarded=True).get(f"{echo.url}/here")


# Time


@pytest.fixture
def drip() -> Iterator[Callable[[bytes], str]]:
    """A server that says this and then a byte now and then, for as long as anybody listens."""
    made: list[socket.socket] = []

    def serve(first: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        made.append(server)

        def run() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                made.append(connection)
                connection.recv(65_536)
                connection.sendall(first)
                while True:
                    connection.sendall(b"1\r\na\r\n" if b"chunked" in first else b"a")
                    time.sleep(0.05)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield serve
    for each in made:
        each.close()


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"",
    ],
    ids=["header", "body to the end", "body of a length", "chunks", "status"],
)
@pytest.mark.parametrize("guarded", [True, False])
def test_a_drip_ends(loose: None, drip: Callable[[bytes], str], first: bytes, guarded: bool) -> None:
    with pytest.raises(outbound.TooSlow):
        outbound.session(guarded=guarded, total=0.4).get(drip(first))


def test_the_time_of_one_request_is_not_that_of_the_next(loose: None, echo: Echo) -> None:
    session = outbound.session(guarded=True, total=0.6)
    for _ in range(4):  # on one connection
        assert session.get(f"{echo.url}/here").status_code == 200
        time.sleep(0.2)
    assert threading.active_count() < 20  # timers end with their request


# Encryption


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[int, Path, list[str | None]]]:
    """A server with a certificate for calendar.example; its port, the certificate, and the names that it was asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "calendar.example")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now() - timedelta(days=1), now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("calendar.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = tmp_path / "key.pem"
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    asked: list[str | None] = []

    def note(connection: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext) -> None:
        asked.append(server_name)

    context.sni_callback = note
    with Echo() as server:
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        yield server._server.server_address[1], path, asked


def test_the_certificate_is_that_of_the_name(loose: None, names: Callable[..., list[str]], secure: tuple[int, Path, list[str | None]]) -> None:
    port, certificate, asked = secure
    names(calendar_example=["127.0.0.1"], other_example=["127.0.0.1"])
    session = outbound.session(guarded=True)
    session.verify = str(certificate)
    assert session.get(f"https://calendar.example:{port}/").json()["host"] == f"calendar.example:{port}"
    assert asked == ["calendar.example"]
    with pytest.raises(requests.exceptions.SSLError):
        session.get(f"https://other.example:{port}/")


def test_an_unknown_certificate_is_refused(loose: None, names: Callable[..., list[str]], secure: tuple[int, Path, list[str | None]]) -> None:
    names(calendar_example=["127.0.0.1"])
    with pytest.raises(requests.exceptions.SSLError):
        outbound.session(guarded=True).get(f"https://calendar.example:{secure[0]}/")


def test_a_handshake_that_drips_ends(loose: None, drip: Callable[[bytes], str]) -> None:
    url = drip(b"\x16\x03\x03\x40\x00").replace("http://", "https://")
    with pytest.raises(outbound.TooSlow):
        outbound.session(guarded=True, total=0.4).get(url, timeout=5)
