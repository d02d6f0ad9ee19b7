"""Properties of activations by name."""

__all__ = ["ODD", "VALUE_AT_ZERO"]

VALUE_AT_ZERO = {
    "tanh": 0.0,
    "sigmoid": 0.5,
    "relu": 0.0,
    "gelu": 0.0,
    "softplus": 0.6931471805599453,
    "erf": 0.0,
    "sin": 0.0,
    "identity": 0.0,
}
"""Activations by name, with their value at zero."""

ODD = frozenset({"tanh", "erf", "sin", "identity"})
"""Activations with sigma(-z) = -sigma(z)."""
