"""Whether a config's device is there."""

from __future__ import annotations

import torch

from llr.config import Config
from llr.errors import ConfigError

__all__ = ["check_device"]


def check_device(config: Config) -> None:
    """Check that this machine has the device on which a config trains.

    Args:
        config: any config; one that trains on a Ray cluster asks the cluster when it runs.

    Raises:
        ConfigError: if it has not.

    Example:
        >>> from llr.config import parse_config
        >>> check_device(parse_config({"experiment": {"device": "cpu"}}))
    """
    if config.execution.address is not None:
        return
    device = torch.device(config.experiment.device)
    n_devices = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= n_devices:
        there = ", ".join(["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))])
        raise ConfigError(
            f"experiment.device must be a device of this machine ({there}), got {str(device)!r}."
        )
