"""The certificate file: what an independent checker needs to prove the bounds again."""

from __future__ import annotations

import copy
import inspect
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from llr.certify import check
from llr.certify._rank_problem import RankProblem
from llr.errors import InvalidInputError, UnsupportedModuleError
from llr.tangent import Samples, sample_count

__all__ = ["check_certificate", "write_certificate"]


def _leaf(tensor: Tensor) -> dict[str, Any]:
    """A tensor of samples; floats as C99 hexadecimal numbers, which are exact."""
    flat = tensor.reshape(-1).tolist()
    real = tensor.is_floating_point()
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "values": [value.hex() for value in flat] if real else flat,
    }


def _structure(module: nn.Module, x: Samples) -> Any:
    """How the tensors of a sample make a call of the module."""
    if isinstance(x, Tensor):
        return "tensor"
    if isinstance(x, tuple):
        return "tuple"
    accepted = inspect.signature(module.forward).parameters.values()
    keywords = {p.name for p in accepted if p.kind is not p.VAR_KEYWORD}
    by_keyword = any(p.kind is p.VAR_KEYWORD for p in accepted) or keywords.issuperset(x)
    return ["keywords" if by_keyword else "dict", list(x)]


def _at_parameters(problem: RankProblem) -> nn.Module:
    """The module at the parameters of the problem."""
    if problem.function.module is None:
        raise InvalidInputError(
            "a certificate file names a model that a checker can build again, so it needs an "
            "nn.Module, got a function of parameters. Put it into a module's forward."
        )
    module = copy.deepcopy(problem.function.module).double()
    own = dict(module.named_parameters())
    with torch.no_grad():
        for name, value in problem.program.params.items():
            own[name].copy_(value)
    return module


def write_certificate(
    path: Path,
    problem: RankProblem,
    claims: dict[str, dict[str, Any]],
    *,
    samples: Samples | None,
    rows: list[tuple[int, int]],
    n_rows: int | None,
) -> None:
    """Write the file: the claims of a proof, and the rows and samples that it stands on.

    Raises:
        InvalidInputError: if the model is a function, or the folder does not exist.
        UnsupportedModuleError: if the model cannot be exported for a checker.
    """
    module = _at_parameters(problem)
    x = problem.x if problem.x is not None else samples
    if x is None:
        example: Samples = torch.zeros(problem.program.inputs[0], dtype=torch.float64)
    else:
        example = x
    if problem.x is not None and samples is not None:  # rows on x itself
        rows = _rows_on(problem.x, samples, rows)
    structure = _structure(module, example)
    try:
        export = check.export_model(module, structure, pytree.tree_leaves(example))
    except check.Unable as error:
        raise UnsupportedModuleError(
            f"a certificate file needs a model that torch.export takes. {error}"
        ) from None
    graph, values = check.hashes(export)
    content: dict[str, Any] = {
        "format": check.FORMAT,
        "version": check.VERSION,
        "quantity": "model rank" if problem.x is None else "rank on samples",
        "lower": claims["lower"] | {"rows": [list(row) for row in rows]},
        "upper": claims["upper"],
        "model": {
            "class": type(module).__name__,
            "parameters": [
                [name, list(p.shape)] for name, p in module.named_parameters() if p.requires_grad
            ],
            "input_shape": [int(n) for n in problem.program.inputs[0][1:]],
            "sha256": graph,
            "parameters_sha256": values,
        },
        "samples": None
        if x is None
        else {"structure": structure, "leaves": [_leaf(leaf) for leaf in pytree.tree_leaves(x)]},
        "n_rows": n_rows,
        "made_with": {
            "llr": version("llr"),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python_flint": version("python-flint"),
        },
    }
    content["sha256"] = check.file_digest(content)
    try:
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error}.") from None


def _rows_on(x: Samples, used: Samples, rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Rows of the samples that a proof uses, as rows of x, which holds equal samples."""

    def contents(samples: Samples) -> list[bytes]:
        parts = [leaf.contiguous().numpy() for leaf in pytree.tree_leaves(samples)]
        return [b"".join(part[i].tobytes() for part in parts) for i in range(sample_count(samples))]

    place = {content: i for i, content in enumerate(contents(x))}
    at = [place[content] for content in contents(used)]
    return [(at[sample], output) for sample, output in rows]


def check_certificate(path: str | Path | dict[str, Any], model: nn.Module) -> check.Report:
    """The report of the independent checker on a certificate file.

    The checker is one file, ``llr/certify/check.py``, which imports only the standard library,
    NumPy, PyTorch and python-flint, and also runs alone. It exports the model, compares it with
    the hashes of the certificate, proves the lower bound again, and checks the upper bound by
    arithmetic of its own. What it cannot check is never taken for checked.

    Args:
        path: the file, as :meth:`CertifiedRank.save` writes it, or its content.
        model: the module with the parameters that the certificate is about.

    Returns:
        ``.accepted`` where both bounds are checked; ``.lower`` and ``.upper``, the bounds that
        are, or None; ``.rejected``; ``.sentences`` that say what was found.

    Raises:
        InvalidInputError: if ``model`` is not a module.

    Example:
        >>> import llr, tempfile, pathlib
        >>> model = llr.PaperTeacherMLP(hidden_bias=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "rank.json"
        ...     llr.certify_rank(model).save(file)
        ...     report = check_certificate(file, model)
        >>> report.accepted, report.lower
        (True, 21)
    """
    if not isinstance(model, nn.Module):
        raise InvalidInputError(
            f"model must be a torch.nn.Module, got {type(model).__name__}; a certificate is about "
            "the parameters that it holds."
        )
    return check.check(path, model)
