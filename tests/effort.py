"""How many random cases a test draws: a few in ``make test``, all of them in ``make soak``.

A test that is slow with any number of cases carries ``@pytest.mark.slow``: only the soak runs it.
"""

import os

SOAK = bool(os.environ.get("LLR_SOAK"))


def cases(few: int, *, soak: int) -> int:
    """The number of random cases of a test."""
    return soak if SOAK else few
