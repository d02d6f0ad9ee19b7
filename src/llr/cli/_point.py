"""MODEL on the command line: a network at a parameter point, and samples from a file."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from llr.errors import InvalidInputError, StoreError, did_you_mean, quoted_list

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from llr._types import Parameters
    from llr.sweep import RunSpec

__all__ = ["Place", "Point", "read_point", "read_samples"]

Place = Literal["init", "target"]

_FORMS = (
    "a config (.yaml), a run of a sweep (outputs/NAME/ID), a run trained alone "
    "(outputs/NAME/single/ID.json), or module.path:factory"
)


@dataclass(frozen=True)
class Point:
    """A network at parameters.

    Attributes:
        model: the network, in eval mode.
        source: where it comes from, for the reader.
    """

    model: nn.Module
    source: str


def read_point(text: str, *, state: Path | None, place: Place) -> Point:
    """The network that MODEL names, its parameters from ``state`` where that is given.

    Args:
        text: a config, a run, or ``module.path:factory``.
        state: weights file whose tensors take the place of the network's own.
        place: for a config, its initialisation or parameters that express its target at the
            least model rank.

    Raises:
        InvalidInputError: if there is no such model, or the weights do not fit.
    """
    path = Path(text)
    if path.suffix.lower() in (".yaml", ".yml"):
        point = _from_config(path, "init" if state else place)  # replaced by state
    elif path.suffix.lower() == ".json":
        point = _from_single_run(path)
    elif _is_sweep(path) or _is_sweep(path.parent):
        point = _from_sweep(path)
    elif ":" in text:
        point = _from_factory(text)
    else:
        raise InvalidInputError(f"MODEL must be {_FORMS}, got {text!r}, which is none of them.")
    if state is not None:
        from llr.data import read_weights

        _load(point.model, read_weights(state), str(state))
        point = Point(point.model, f"{point.source}, parameters from {state}")
    point.model.eval()
    return point


def _load(model: nn.Module, weights: Parameters, source: str) -> None:
    """Put named tensors into a module; all must fit."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InvalidInputError(f"{source} does not fit the model: {reason}") from None


def _from_config(path: Path, place: Place) -> Point:
    """The single run of a config, before training."""
    from llr.config import load_config
    from llr.sweep import build_problem, single_run

    spec = single_run(load_config(path))
    model = spec.build_model()
    if place == "target":
        from llr.theory import optimistic_sample_size

        witness = optimistic_sample_size(model, spec.target.build()).witness
        if witness is None:
            raise InvalidInputError(
                f"{path}: parameters that express target {spec.target.name!r} at the least model "
                "rank are not known for this model. Use --at init."
            )
        _load(model, witness, str(path))
        return Point(model, f"{spec.model} of {path} at its target {spec.target.name!r}")
    params = build_problem([spec]).params
    _load(model, {name: value[0] for name, value in params.items()}, str(path))
    return Point(model, f"{spec.model} of {path} at its initialisation")


def _is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep's runs."""
    from llr.sweep import SweepPaths

    return SweepPaths(folder).is_stored


def _from_sweep(path: Path) -> Point:
    """A finished run of a sweep: outputs/NAME/ID, the id or its beginning."""
    from llr.sweep import open_sweep

    folder, wanted = (path, "") if _is_sweep(path) else (path.parent, path.name)
    sweep = open_sweep(folder)
    specs, entries = sweep.specs, sweep.store.entries
    finished = [run_id for run_id in specs if run_id in entries and not entries[run_id].failed]
    matches = [run_id for run_id in finished if run_id.startswith(wanted)]
    if len(matches) != 1:
        known = ", ".join(finished[:5]) + (", ..." if len(finished) > 5 else "")
        raise InvalidInputError(
            f"{folder}/ID must name one finished run, got {wanted!r}, which {len(matches)} of "
            f"them begin with. There are {len(finished)}: {known}.{did_you_mean(wanted, finished)}"
        )
    try:
        params = sweep.store.parameters(matches[0])
    except StoreError as error:
        raise InvalidInputError(str(error)) from None
    return _trained(specs[matches[0]], params, f"run {matches[0]} of {folder}")


def _from_single_run(path: Path) -> Point:
    """A run trained alone: the file that ``llr train`` names."""
    from llr.data import read_weights
    from llr.sweep import RunSpec

    try:
        spec = RunSpec.from_dict(json.loads(path.read_text(encoding="utf-8"))["spec"])
    except FileNotFoundError:
        raise InvalidInputError(f"{path}: there is no such run.") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InvalidInputError(
            f"{path} must be a run's file as llr train writes it, but cannot be read as one: "
            f"{type(error).__name__}: {error}."
        ) from None
    weights = path.with_suffix(".safetensors")
    if not weights.is_file():
        raise InvalidInputError(
            f"{weights} must exist, but the parameters of this run were not kept. Set "
            "output.save_parameters=true before llr train."
        )
    return _trained(spec, read_weights(weights), f"run {spec.id}")


def _trained(spec: RunSpec, params: Mapping[str, Tensor], source: str) -> Point:
    """A run's model with its final parameters."""
    model = spec.build_model()
    _load(model, dict(params), source)
    return Point(model, f"{spec.model} of {source}, trained on {spec.sample_size} samples")


def _from_factory(text: str) -> Point:
    """What a function of the user's returns."""
    from torch import nn

    module_name, _, name = text.partition(":")
    try:
        module = _imported(module_name)
    except Exception as error:  # the user's own code runs here
        raise InvalidInputError(
            f"MODEL: module {module_name!r} cannot be imported: {type(error).__name__}: {error}"
        ) from None
    factory: Callable[[], Any] | None = getattr(module, name, None)
    if not callable(factory):
        hint = did_you_mean(name, [key for key in vars(module) if not key.startswith("_")])
        raise InvalidInputError(f"MODEL: {module_name!r} has no function {name!r}.{hint}")
    try:
        model = factory()
    except Exception as error:
        raise InvalidInputError(
            f"MODEL: {text}() must return a model without arguments, but failed: "
            f"{type(error).__name__}: {error}"
        ) from None
    if not isinstance(model, nn.Module):
        raise InvalidInputError(
            f"MODEL: {text}() must return a torch.nn.Module, got {type(model).__name__}."
        )
    return Point(model, text)


def _imported(name: str) -> ModuleType:
    """The user's module: the file of that name here, or else one that is installed.

    The current folder comes last on the search path, for what the module imports from beside it;
    nothing there takes the place of an installed module.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    file = Path(here, f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return importlib.import_module(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_samples(path: Path, model: nn.Module) -> Tensor | dict[str, Tensor]:
    """Samples from a file, one a row, in the shape that the model takes.

    Args:
        path: ``.npy``; ``.npz`` with an array ``x`` or one array alone, or else a dictionary of
            inputs; ``.csv`` of numbers, with or without a header; ``.pt`` or ``.pth``, a tensor
            or a dictionary of tensors, likewise.
        model: whose ``input_shape`` flat rows are brought to.

    Raises:
        InvalidInputError: naming the file and what is wrong with it.
    """
    readers: dict[str, Callable[[Path], Any]] = {
        ".npy": _read_npy,
        ".npz": _read_npz,
        ".csv": _read_csv,
        ".pt": _read_torch,
        ".pth": _read_torch,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise InvalidInputError(
            f"{path}: a data file must end in one of {quoted_list(readers)}, got {suffix!r}."
        )
    if not path.is_file():
        raise InvalidInputError(f"{path}: there is no such data file.")
    value = readers[suffix](path)
    if isinstance(value, Mapping):
        if "x" not in value and len(value) != 1:
            return {str(key): _tensor(item, f"{path}: {key}") for key, item in value.items()}
        value = value["x"] if "x" in value else next(iter(value.values()))
    return _shaped(_tensor(value, str(path)), model, path)


def _tensor(value: object, where: str) -> Tensor:
    """An array of real numbers as a tensor."""
    import numpy as np
    import torch

    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        value = torch.from_numpy(np.ascontiguousarray(value.astype(value.dtype.newbyteorder("="))))
    if not isinstance(value, torch.Tensor) or value.is_complex():
        kind = getattr(value, "dtype", type(value).__name__)
        raise InvalidInputError(f"{where} must hold real numbers, got {kind}.")
    return value


def _shaped(x: Tensor, model: nn.Module, path: Path) -> Tensor:
    """Samples in the model's input shape, where it states one."""
    shape = getattr(model, "input_shape", None)
    if shape is None:
        return x
    shape = tuple(shape)
    size = 1
    for length in shape:
        size *= length
    if x.dim() == 1 and size == 1:
        x = x.unsqueeze(1)
    if x.dim() and x[:1].numel() == size and x.dim() > 1:
        return x.reshape(len(x), *shape)
    raise InvalidInputError(
        f"{path}: samples must have shape (n, {', '.join(map(str, shape))}), or rows of {size} "
        f"numbers, got {tuple(x.shape)}."
    )


def _read_npy(path: Path) -> np.ndarray:
    """An array; pickled objects are refused."""
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InvalidInputError(f"{path}: not an array of numbers: {error}") from None


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    """Arrays by name; pickled objects are refused."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise InvalidInputError(f"{path}: not arrays of numbers: {error}") from None


def _read_csv(path: Path) -> np.ndarray:
    """A table of numbers; a first line that is no numbers is a header."""
    import numpy as np

    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path}: cannot be read as text: {error}") from None
    rows: list[list[float]] = []
    for number, line in enumerate(lines):
        try:
            rows.append([float(cell) for cell in line.split(",")])
        except ValueError:
            if number > 0:
                raise InvalidInputError(
                    f"{path}, row {number + 1}: must be numbers between commas, got {line!r}."
                ) from None
    if not rows or len({len(row) for row in rows}) != 1:
        lengths = sorted({len(row) for row in rows})
        raise InvalidInputError(f"{path}: must hold rows of equal length, got lengths {lengths}.")
    return np.array(rows)


def _read_torch(path: Path) -> object:
    """A tensor or tensors by name, without running code from the file."""
    from llr.data import load_torch_file

    return load_torch_file(path)
