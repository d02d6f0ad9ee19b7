"""The served page: to this machine only, and anew when the sweep has grown."""

import http.client
import shutil
import socket
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

import pytest

from llr.errors import InvalidInputError, ResultsError
from llr.report import watch
from llr.report._watch import serving


@pytest.fixture
def growing(finished_sweep, tmp_path):
    """A sweep of which 10 of 24 runs are stored, and what is still to come of its shard."""
    folder = shutil.copytree(finished_sweep, tmp_path / "growing")
    (folder / "results.json").unlink()
    (shard,) = (folder / "runs").iterdir()
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(lines[:10]))
    return folder, shard, b"".join(lines[10:])


@contextmanager
def served(folder, **options):
    """A server in a thread; its port."""
    with serving(folder, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def ask(port, path="/", host=None, method="GET"):
    """Status, headers and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_the_page_follows_the_sweep(growing):
    folder, shard, rest = growing
    with served(folder) as port:
        _, _, page = ask(port)
        _, _, version = ask(port, "/version")
        assert "10 of 24 runs are finished" in page
        assert f'"version":"{version}"' in page
        assert "connect-src &#39;self&#39;" in page
        assert ask(port, "/version")[2] == version
        with shard.open("ab") as file:
            file.write(rest)
        _, _, later = ask(port, "/version")
        assert later != version
        _, headers, page = ask(port)
        assert "All 24 runs are finished" in page
        assert f'"version":"{later}"' in page
        assert headers["Cache-Control"] == "no-store"


def test_nothing_but_the_page_is_served(growing):
    with served(growing[0]) as port:
        for path in ("/config.yaml", "/../config.yaml", "/runs/", "//etc/passwd", "/version/"):
            assert ask(port, path)[0] == 404
        assert ask(port, method="POST")[0] == 501


def test_only_this_machine_is_answered(growing):
    with served(growing[0]) as port:
        assert ask(port, "/version", host=f"localhost:{port}")[0] == 200
        assert ask(port, "/version", host=f"127.0.0.1:{port}")[0] == 200
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ":80"):
            assert ask(port, "/version", host=host)[0] == 403
        with socket.socket() as elsewhere:
            elsewhere.settimeout(1)
            own = _other_address()
            assert own is None or elsewhere.connect_ex((own, port)) != 0


def _other_address():
    """An address of this machine that is not the loopback, if it has one."""
    for *_, address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
        if not address[0].startswith("127."):
            return address[0]
    return None


def test_a_folder_that_breaks_is_said_and_the_server_lives(growing):
    folder, *_ = growing
    with served(folder) as port:
        assert ask(port)[0] == 200
        (folder / "config.yaml").write_text("no: config")
        status, _, text = ask(port)
        assert status == 503
        assert "no" in text
        assert ask(port, "/version")[0] == 200


def test_a_folder_without_a_sweep_is_refused_at_once(tmp_path):
    with pytest.raises(ResultsError, match="a folder that holds one"):
        watch(tmp_path)


def test_a_port_that_is_taken_is_said(growing):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInputError, match=f"port must be free to listen on, got {port}"):
            watch(growing[0], port=port)


def test_watching_ends_with_an_interrupt(growing, monkeypatch):
    def interrupted(self, poll_interval):
        raise KeyboardInterrupt

    told = []
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    watch(growing[0], ready=told.append)
    assert told[0].startswith("http://127.0.0.1:")
