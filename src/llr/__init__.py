"""llr: how many samples does a network need to recover its target?

Model rank, optimistic sample size and recovery experiments for overparameterised networks, after
Zhang, Zhang, Zhang and Bai, "Local Linear Recovery Guarantee of Deep Neural Networks at
Overparameterization", JMLR 26(69), 2025.

Public names are listed in ``__init__.pyi``, by package, and load on first use: ``import llr``
imports neither torch nor anything else heavy.
"""

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """A public name on first use, or the version that is installed."""
    if name != "__version__":
        return _load(name)
    from importlib.metadata import version

    return version(__name__)
