"""The page of a running sweep, served on this machine only."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from llr.errors import InvalidInputError, LLRError, check_number
from llr.report._page import render
from llr.sweep import SweepPaths, open_sweep

__all__ = ["serving", "watch"]

_ADDRESS = "127.0.0.1"


def watch(
    folder: Path | str,
    *,
    port: int = 0,
    seconds: float = 5.0,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the report of a sweep while it runs, until interrupted.

    The page asks every few seconds whether the folder has changed, and reloads if so. The
    server listens on 127.0.0.1 only and answers nothing but this page.

    Args:
        folder: of the sweep.
        port: to listen on; 0: any that is free.
        seconds: between two checks of the page.
        ready: called once with the address of the page.

    Raises:
        ResultsError: if the folder holds no sweep.
        MissingExtraError: if the libraries that the page needs are not installed.
        InvalidInputError: if the port is not free, or an option is wrong.
    """
    with serving(Path(folder), port=port, seconds=seconds) as server:
        ready(f"http://{_ADDRESS}:{server.server_address[1]}/")
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)


def serving(folder: Path, *, port: int = 0, seconds: float = 5.0) -> ThreadingHTTPServer:
    """A server of the page, listening; errors as :func:`watch`."""
    check_number("seconds", seconds, above=0.0)
    page = _LivePage(folder, seconds)
    page.html()  # render once so that errors surface here
    try:
        return ThreadingHTTPServer((_ADDRESS, port), _handler(page))
    except (OSError, OverflowError) as error:
        raise InvalidInputError(
            f"port must be free to listen on, got {port!r}: {error}. Use 0 for any that is free."
        ) from None


class _LivePage:
    """The page of a folder, rendered again when it is asked for and the folder has changed."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._made: tuple[str, str] = ("", "")
        self._lock = threading.Lock()

    def version(self) -> str:
        """A digest of the names, sizes and times of the folder's files."""
        digest = hashlib.sha256()
        paths = SweepPaths(self._folder)
        for file in [paths.results, paths.config, *paths.shards()]:
            if file.exists():
                state = file.stat()
                digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}\n".encode())
        return digest.hexdigest()[:16]

    def html(self) -> str:
        """The page as of now."""
        with self._lock:
            version = self.version()
            if version != self._made[0]:
                watched = {"version": version, "seconds": self._seconds}
                self._made = (version, render(open_sweep(self._folder), watch=watched))
            return self._made[1]


def _handler(page: _LivePage) -> type[BaseHTTPRequestHandler]:
    """Answers the page and its version."""
    answers = {
        "/": (page.html, "text/html; charset=utf-8"),
        "/version": (page.version, "text/plain; charset=utf-8"),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer a browser on this machine."""
            host = (self.headers.get("Host") or "").rpartition(":")[0]
            if host not in (_ADDRESS, "localhost"):  # reached under another site's name
                self.send_error(HTTPStatus.FORBIDDEN)
                return
            make, kind = answers.get(self.path, (None, ""))
            if make is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                status, body = HTTPStatus.OK, make().encode()
            except (LLRError, OSError) as error:
                status, kind = HTTPStatus.SERVICE_UNAVAILABLE, "text/plain; charset=utf-8"
                body = str(error).encode()
            with suppress(ConnectionError):  # the browser left before the answer
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
