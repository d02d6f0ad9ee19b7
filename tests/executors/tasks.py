"""What workers of these tests do; light, for each worker imports it."""

import os
import time
from pathlib import Path


def threads_here(_):
    """The numbers of threads that the environment sets."""
    return {name: os.environ[name] for name in os.environ if name.endswith("_NUM_THREADS")}


def wait_long(path):
    """Write this process's number, then wait until it is ended."""
    Path(path).write_text(str(os.getpid()))
    time.sleep(300)
