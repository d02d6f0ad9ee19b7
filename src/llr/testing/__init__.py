"""Contracts for everything pluggable: models, engines, stores, executors.

Each contract is a class of tests. To hold your own part to it, subclass the contract in a test
file, say how to make the part, and run pytest::

    from llr.testing import ExecutorContract

    class TestMyExecutor(ExecutorContract):
        def make(self):
            return MyExecutor(workers=2)

Nothing here needs pytest itself: the methods named ``test_...`` are plain functions of ``self``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
