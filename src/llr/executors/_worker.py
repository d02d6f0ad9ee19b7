"""What a worker process does: read a call, make it, write back what came of it.

Messages are pickles between a parent and the child that it started, over the child's own
standard input and output; nothing of the kind is ever stored. A worker whose parent is gone,
however it went, reads the end of its input and ends at once.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import threading
from typing import BinaryIO

from llr.executors._abstract import Failure

__all__ = ["answer", "main", "receive", "send"]

_LENGTH = struct.Struct("<Q")


def send(stream: BinaryIO, message: bytes) -> None:
    """Write one message."""
    stream.write(_LENGTH.pack(len(message)) + message)
    stream.flush()


def receive(stream: BinaryIO) -> bytes:
    """Read one message.

    Raises:
        EOFError: if the other side is gone.
    """

    def exactly(count: int) -> bytes:
        data = stream.read(count)
        if len(data) < count:
            raise EOFError("the other side has closed the stream")
        return data

    return exactly(_LENGTH.unpack(exactly(_LENGTH.size))[0])


def answer(call: bytes) -> bytes:
    """Make one call; pickle ``(value, failure)``."""
    try:
        function, item = pickle.loads(call)
        return pickle.dumps((function(item), None))
    except Exception as error:  # the parent reports it, this worker continues
        return pickle.dumps((None, Failure.of(error)))


def main() -> None:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the work prints must not mix with the messages
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        while True:
            try:
                inbox.put(receive(calls))
            except EOFError:
                os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    send(answers, b"ready")
    while True:
        send(answers, answer(inbox.get()))
