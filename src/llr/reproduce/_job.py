"""Which sweeps a reproduction needs at a size and by an optimizer, and where all of it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llr._files import write_whole
from llr._yaml import write_yaml
from llr.errors import check_choice
from llr.reproduce._judges import NAMES
from llr.reproduce._settings import Plan, Reproduction, listed_as, load_reproduction, plan_sweeps

if TYPE_CHECKING:
    from llr.config import Config

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """A reproduction at one size by one optimizer: which sweeps it needs, and where all of it goes.

    Attributes:
        name: of the reproduction.
        quick: whether it is the small size.
        optimizer: one of the reproduction's optimizers; None: its first.
        output: folder of all reproductions; small sizes and other optimizers have folders of
            their own in it, ``<name>-quick`` and so on.
        overrides: config values by dotted key, for every sweep, that win over the shipped ones.

    Raises:
        InvalidInputError: if the reproduction or optimizer does not exist.

    Example:
        >>> job = Job("optimistic-fig1", quick=True)
        >>> job.folder.name, len(job.sweeps())
        ('optimistic-fig1-quick', 7)
    """

    name: str
    quick: bool = False
    optimizer: str | None = None
    output: str | Path = "outputs/reproduce"
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("NAME", self.name, NAMES)
        if self.optimizer is not None:
            names = list(self.trained.optimizers)
            known = check_choice("optimizer", listed_as(self.optimizer, names), names)
            object.__setattr__(self, "optimizer", known)

    @property
    def settings(self) -> Reproduction:
        """The reproduction's YAML."""
        return load_reproduction(self.name)

    @property
    def trained(self) -> Reproduction:
        """The reproduction whose sweeps are run: this one, or the one that it borrows from."""
        return load_reproduction(self.settings.sweeps_of or self.name)

    @property
    def folder(self) -> Path:
        """Where verdict, figures and data go."""
        return self._folder(self.name)

    def _folder(self, name: str) -> Path:
        """Folder of a reproduction at this size by this optimizer."""
        first = next(iter(self.trained.optimizers), None)
        other = self.optimizer if self.optimizer != first else None
        return Path(self.output) / "-".join(filter(None, (name, other, "quick" * self.quick)))

    def sweeps(self) -> list[tuple[Plan, Config]]:
        """The sweeps as configs, with a plan for each; nothing is written or trained.

        Returns:
            Plans and configs; none where nothing is trained.

        Raises:
            ConfigError: if an override is wrong.
        """
        from llr.config import parse_config

        folder = self._folder(self.settings.sweeps_of or self.name)
        plans = plan_sweeps(
            self.trained, optimizer=self.optimizer, quick=self.quick, overrides=self.overrides
        )
        source = f"configs/{self.settings.sweeps_of or self.name}.yaml"
        return [
            (plan, parse_config(self.trained.sweep, _placed(plan, folder), source=source))
            for plan in plans
        ]

    def write_weights(self) -> None:
        """Write the target weights that the YAML holds where the sweeps read them."""
        folder = self._folder(self.settings.sweeps_of or self.name)
        for name, tensors in self.trained.weights.items():
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, write_yaml(tensors))


def _placed(plan: Plan, folder: Path) -> dict[str, Any]:
    """A plan's overrides with its folder, and its weights file in the folder above."""
    overrides = {
        **plan.overrides,
        "experiment.name": plan.folder,
        "output.dir": folder.as_posix(),
    }
    if weights := overrides.get("data.target_path"):
        overrides["data.target_path"] = (folder / weights).as_posix()
    return overrides
