"""What every fake provider is: a real HTTP server that remembers what it was asked and fails when it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. Header names are lower case; `query` holds the last value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass(frozen=True)
class Answer:
    """What is sent back. A dict or list becomes JSON; `cut` sends only so many bytes of it, though Content-Length names all."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None

    def bytes(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Failure:
    """An answer that stands in for the real one, some times. `late`: the work is done first, then the answer is lost."""

    answer: Answer
    times: int
    when: Callable[[Seen], bool]
    late: bool


class FakeServer:
    """Subclasses answer in `answer`. Use as a context manager; `url` is its address, `seen` all requests in order. Port 0 is any free one."""

    def __init__(self, port: int = 0) -> None:
        self.seen: list[Seen] = []
        self.failures: list[Failure] = []
        self.lock = threading.RLock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                fake._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_REPORT = do_PROPFIND = handle_any  # noqa: N815 (names of the library)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def run(self) -> None:
        """Serve until interrupted, for somebody who tries the site by hand."""
        with suppress(KeyboardInterrupt):
            self._server.serve_forever()

    def answer(self, request: Seen) -> Answer:
        raise NotImplementedError

    def fail(
        self,
        status: int,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        when: Callable[[Seen], bool] = lambda request: True,
        cut: int | None = None,
        late: bool = False,
    ) -> None:
        """Answer the next `times` requests for which `when` holds with this."""
        self.failures.append(Failure(Answer(status, body, headers or {}, cut), times, when, late))

    def asked(self, method: str, part: str = "") -> list[Seen]:
        """The requests with this method whose path contains `part`."""
        return [request for request in self.seen if request.method == method and part in request.path]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("content-length") or 0)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Seen(handler.command, parts.path, query, headers, handler.rfile.read(length), f"{self.url}{handler.path}")
        with self.lock:
            self.seen.append(request)
            failure = next((each for each in self.failures if each.times > 0 and each.when(request)), None)
            if failure is not None:
                failure.times -= 1
            answer = self.answer(request) if failure is None or failure.late else failure.answer
            if failure is not None:
                answer = failure.answer
        content = answer.bytes()
        handler.send_response(answer.status)
        if "content-type" not in {name.lower() for name in answer.headers}:
            handler.send_header("Content-Type", "application/json; charset=UTF-8")
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content if answer.cut is None else content[: answer.cut])
        if answer.cut is not None:
            handler.close_connection = True
