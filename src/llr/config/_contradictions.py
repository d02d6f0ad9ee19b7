"""Config values that are fine alone and impossible, or without meaning, together."""

from __future__ import annotations

from llr.config._data_faults import data_faults
from llr.config._model_faults import model_faults
from llr.config._schema import Config
from llr.config._target_faults import target_faults
from llr.config._training_faults import training_faults

__all__ = ["contradictions"]


def contradictions(config: Config) -> list[str]:
    """A sentence for each contradiction of a complete config, naming the keys."""
    checks = (model_faults, data_faults, target_faults, training_faults)
    return [line for check in checks for line in check(config)]
