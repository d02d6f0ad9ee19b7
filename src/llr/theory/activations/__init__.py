"""What theory knows of each activation, keyed by the names of ``llr.models.ACTIVATIONS``."""

from llr.theory.activations._symmetry import NEVER_ZERO, ODD, VALUE_AT_ZERO

__all__ = ["NEVER_ZERO", "ODD", "VALUE_AT_ZERO"]
