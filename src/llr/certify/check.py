#!/usr/bin/env python
"""Check a certificate of a rank, without the library that wrote it.

    python check.py FILE ./file.py:factory [--state WEIGHTS.pt]

This file imports the standard library, NumPy, PyTorch and python-flint, and shares no code with
what wrote the certificate. It exports the model again (``torch.export``), runs it in three number
systems of its own, and looks at the claims:

- lower bound: the determinant of the r rows and columns that the certificate names is not zero,
  by float64 enclosures, by balls, or exactly modulo the prime of the certificate;
- upper bound: the number of parameters or of rows, or the rank of the matrix whose activations
  are symbols, modulo random primes drawn here.

What cannot be checked is never taken for checked. Exit status: 0 all that is claimed is checked;
1 rejected; 3 the lower bound is proved and the upper one is not checked.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import importlib.util
import json
import math
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flint import arb, arb_mat, ctx, fmpz, nmod_mat
from torch import Tensor, nn
from torch.fx.node import map_arg
from torch.torch_version import TorchVersion
from torch.utils import _pytree as pytree

__all__ = ["FORMAT", "VERSION", "Report", "check", "export_model", "file_digest", "hashes"]

SAFE_TORCH = "2.6"  # before, weights_only=True could run code from a file (CVE-2025-32434)
FORMAT, VERSION = "llr-rank-certificate", 1
BAD, UNCHECKED = 1, 3  # exit status
ULP = 2.0**-53
TINY = 1e-300  # above whatever underflows
MARGIN = 2.0**-80  # radius of inputs where a model has kinks: it is differentiable around them
Parts = tuple[np.ndarray, ...]


class Rejected(Exception):
    """The certificate does not prove what it claims; the message is a sentence."""


class Unable(Exception):
    """This checker has no rule for something; the message is a sentence."""


class Undecided(Exception):
    """A sign could not be decided at this precision."""


@dataclass(frozen=True)
class Report:
    """What was checked.

    Attributes:
        lower: the lower bound that is proved here; None if it is not.
        upper: the upper bound that is checked here; None if it is not.
        rejected: whether the certificate must not be believed.
        sentences: what was found, a sentence each.
    """

    lower: int | None
    upper: int | None
    rejected: bool
    sentences: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether all that the certificate claims is checked."""
        return not self.rejected and self.lower is not None and self.upper is not None

    @property
    def status(self) -> int:
        """Exit status: 0 accepted, 1 rejected, 3 the upper bound is not checked."""
        return BAD if self.rejected else 0 if self.accepted else UNCHECKED

    def __str__(self) -> str:
        return "\n".join(self.sentences)


# The file ---------------------------------------------------------------------------------------


def file_digest(content: dict[str, Any]) -> str:
    """SHA-256 of the certificate without its own digest, as canonical JSON."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def require(condition: bool, sentence: str) -> None:
    """Reject unless a condition holds."""
    if not condition:
        raise Rejected(sentence)


def is_count(value: object) -> bool:
    """Whether a value is a non-negative integer."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


FIELDS = {
    "format": str,
    "version": int,
    "quantity": str,
    "lower": dict,
    "upper": dict,
    "model": dict,
    "samples": (dict, type(None)),
    "n_rows": (int, type(None)),
    "made_with": dict,
    "sha256": str,
}
METHODS = ("exact", "float64", "balls", "none")
BOUNDS = ("parameters", "rows", "closed form", "null vectors", "exact", "formal activations")


def read(source: str | Path | dict[str, Any]) -> dict[str, Any]:
    """The content of a certificate, its form checked."""
    if isinstance(source, dict):
        content: Any = source
    else:
        try:
            content = json.loads(Path(source).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise Rejected(f"{source} cannot be read as JSON: {error}.") from None
    require(isinstance(content, dict), "A certificate must be a JSON object.")
    require(content.get("format") == FORMAT, f"The format must be {FORMAT!r}.")
    require(
        content.get("version") == VERSION,
        f"The version must be {VERSION}, got {content.get('version')!r}: use the checker that "
        "belongs to it.",
    )
    for name, kind in FIELDS.items():
        require(
            name in content and isinstance(content[name], kind),
            f"The field {name!r} is missing or is not of its type.",
        )
    unknown = sorted(set(content) - set(FIELDS))
    require(not unknown, f"There are unknown fields: {unknown}.")
    try:
        digest = file_digest(content)
    except ValueError:
        raise Rejected("A number of the file is not finite.") from None
    require(content["sha256"] == digest, "The file was changed after it was written: its SHA-256.")
    _check_bounds(content)
    return content


def _check_bounds(content: dict[str, Any]) -> None:
    """The two bounds are of the right form and agree with each other."""
    lower, upper, model = content["lower"], content["upper"], content["model"]
    require(is_count(lower.get("rank")), "The lower bound must be a number that is not negative.")
    require(is_count(upper.get("rank")), "The upper bound must be a number that is not negative.")
    require(
        lower["rank"] <= upper["rank"],
        f"The lower bound {lower['rank']} is above the upper one, {upper['rank']}.",
    )
    require(lower.get("method") in METHODS, f"The method must be one of {METHODS}.")
    require(upper.get("by") in BOUNDS, f"The upper bound must be by one of {BOUNDS}.")
    chance = upper.get("chance")
    require(
        isinstance(chance, (int, float)) and 0 <= chance <= 1,
        "The chance of error must be in 0..1.",
    )
    certain = upper["by"] in ("parameters", "rows", "null vectors")
    require(
        bool(chance) is not certain or upper["by"] == "exact",
        f"The chance of error cannot be {chance} for an upper bound by {upper['by']}.",
    )
    rank, rows, columns = lower["rank"], lower.get("rows"), lower.get("columns")
    require(
        isinstance(rows, list) and isinstance(columns, list) and len(rows) == len(columns) == rank,
        f"A proof of rank {rank} needs that many rows and columns.",
    )
    require(
        all(isinstance(row, list) and len(row) == 2 and all(map(is_count, row)) for row in rows)
        and all(map(is_count, columns)),
        "Rows must be pairs (sample, output) and columns numbers.",
    )
    require(len({tuple(row) for row in rows}) == rank, "A row is named twice.")
    require(len(set(columns)) == rank, "A column is named twice.")
    require(rank == 0 or lower["method"] != "none", "A lower bound without a method is no proof.")
    require(
        isinstance(model.get("parameters"), list)
        and isinstance(model.get("sha256"), str)
        and isinstance(model.get("parameters_sha256"), str),
        "The model must be described by its parameters and two hashes.",
    )
    given = content["quantity"] == "rank on samples"
    require(given or content["quantity"] == "model rank", "The quantity is not known.")
    require(
        given == (content["n_rows"] is not None),
        "The number of rows belongs to a rank on samples, and to no other.",
    )


def _tensor(leaf: Any) -> Tensor:
    """A stored tensor, samples along the first axis."""
    try:
        shape = [int(n) for n in leaf["shape"]]
        if leaf["dtype"] == "float64":
            flat = torch.tensor([float.fromhex(v) for v in leaf["values"]], dtype=torch.float64)
        else:
            dtype = {"int64": torch.int64, "int32": torch.int32, "bool": torch.bool}[leaf["dtype"]]
            flat = torch.tensor(leaf["values"], dtype=dtype)
        tensor = flat.reshape(shape)
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise Rejected(f"The samples cannot be read: {error}.") from None
    require(bool(torch.isfinite(tensor.double()).all()), "A sample is not finite.")
    require(tensor.dim() >= 1, "A sample tensor must have a sample axis.")
    return tensor


def stored_samples(content: dict[str, Any]) -> list[Tensor] | None:
    """The tensors of the samples."""
    if content["samples"] is None:
        require(content["lower"]["rank"] == 0, "A proof needs its samples, and there are none.")
        return None
    leaves = content["samples"].get("leaves")
    require(isinstance(leaves, list) and len(leaves) > 0, "The samples hold no tensors.")
    tensors = [_tensor(leaf) for leaf in leaves]
    require(len({len(t) for t in tensors}) == 1, "The tensors of the samples differ in length.")
    return tensors


# The model --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Export:
    """A model as a graph of ATen operations on one sample.

    Attributes:
        nodes: of the graph, in order.
        given: what each placeholder stands for: ("parameter", name), ("buffer", name),
            ("constant", name) or ("input", position).
        values: tensors of parameters, buffers and constants, by name.
        columns: names of the parameters that make the columns.
        outputs: c.
    """

    nodes: list[torch.fx.Node]
    given: dict[torch.fx.Node, tuple[str, Any]]
    values: dict[str, Tensor]
    columns: list[str]
    outputs: int

    @property
    def n_params(self) -> int:
        """M."""
        return sum(self.values[name].numel() for name in self.columns)


KEPT = {
    *("softplus", "silu", "mish", "gelu", "_softmax", "_safe_softmax", "_log_softmax"),
    *("logsumexp", "hardswish", "hardsigmoid", "log_sigmoid_forward", "celu", "leaky_relu"),
    *("addcmul", "addcdiv", "sinh", "cosh", "tan", "rrelu_with_noise"),
}
"""Operations that are not broken into smaller ones, which would round or add kinks."""


def call_arguments(structure: Any, leaves: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict]:
    """Positional and keyword arguments of a forward pass."""
    kind = structure[0] if isinstance(structure, list) else structure
    if kind == "keywords":
        return (), dict(zip(structure[1], leaves, strict=True))
    if kind == "dict":
        return (dict(zip(structure[1], leaves, strict=True)),), {}
    return tuple(leaves), {}


def export_model(model: nn.Module, structure: Any, leaves: Sequence[Tensor]) -> Export:
    """Export a model on the first sample, in float64 and eval mode.

    Args:
        model: the module; it is left as it is.
        structure: how the leaves make a call: ``"tensor"``, ``"tuple"``, ``["dict", names]`` or
            ``["keywords", names]``.
        leaves: tensors of samples; only shapes and dtypes matter.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    model = copy.deepcopy(getattr(model, "_orig_mod", model)).cpu().double().eval()
    columns = [name for name, p in model.named_parameters() if p.requires_grad]
    example = [torch.zeros_like(leaf[:1]) for leaf in leaves]
    args, kwargs = call_arguments(structure, example)
    table = torch.export.default_decompositions()
    overload: Any
    for overload in list(table.keys()):
        if overload._schema.name.partition("::")[2] in KEPT:
            table.pop(overload)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch about itself
            program = torch.export.export(model, args, kwargs, strict=False)
            program = program.run_decompositions(table)
    except Exception as error:  # the model's own code runs here
        raise Unable(f"The model cannot be exported: {type(error).__name__}: {error}.") from None
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return _read_program(program, model, columns)


def _read_program(program: Any, model: nn.Module, columns: list[str]) -> Export:
    """What the export says of its inputs."""
    first: dict[int, str] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        first.setdefault(id(p), name)
    values = {name: p.detach() for name, p in model.named_parameters()}
    values.update({f"buffer {name}": b.detach() for name, b in model.named_buffers()})
    signature = program.graph_signature
    own = dict(model.named_parameters(remove_duplicate=False))
    given: dict[torch.fx.Node, tuple[str, Any]] = {}
    position = 0
    nodes = list(program.graph.nodes)
    for node in nodes:
        if node.op != "placeholder":
            continue
        if node.name in signature.inputs_to_parameters:
            name = signature.inputs_to_parameters[node.name]
            given[node] = ("parameter", first[id(own[name])])
        elif node.name in signature.inputs_to_buffers:
            given[node] = ("buffer", f"buffer {signature.inputs_to_buffers[node.name]}")
        elif node.name in signature.inputs_to_lifted_tensor_constants:
            name = signature.inputs_to_lifted_tensor_constants[node.name]
            values[f"constant {name}"] = program.constants[name].detach()
            given[node] = ("constant", f"constant {name}")
        else:
            given[node] = ("input", position)
            position += 1
    if signature.buffers_to_mutate:
        raise Unable("The forward pass changes a buffer.")
    leaves = pytree.tree_leaves(nodes[-1].args[0])
    outputs = sum(leaf.meta["val"].numel() for leaf in leaves)
    return Export(nodes, given, values, columns, outputs)


def hashes(export: Export) -> tuple[str, str]:
    """SHA-256 of the graph, and of the parameters, buffers and constants (float64 bytes)."""
    place = {node: i for i, node in enumerate(export.nodes)}
    graph = hashlib.sha256()

    def plain(value: Any) -> Any:
        if isinstance(value, torch.fx.Node):
            return f"%{place[value]}"
        if isinstance(value, (list, tuple)):
            return [plain(part) for part in value]
        if isinstance(value, dict):
            return {key: plain(part) for key, part in sorted(value.items())}
        return value.hex() if isinstance(value, float) else repr(value)

    for node in export.nodes:
        shapes = [tuple(v.shape) for v in _tensors(node.meta.get("val"))]
        what = export.given.get(node, str(node.target))
        graph.update(repr((node.op, what, plain(node.args), plain(node.kwargs), shapes)).encode())
    content = hashlib.sha256()
    for name, value in export.values.items():
        content.update(repr((name, tuple(value.shape), name in export.columns)).encode())
        content.update(np.ascontiguousarray(value.double().numpy()).tobytes())
    return graph.hexdigest(), content.hexdigest()


def _tensors(value: Any) -> list[Tensor]:
    """The tensors of a node's value."""
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)]


# Three number systems ---------------------------------------------------------------------------
# An array is a tuple of NumPy arrays of one shape, the sample axis first (of length 1 for what is
# the same at all samples).


@contextmanager
def bits(precision: int) -> Iterator[None]:
    """Balls of this precision."""
    before, ctx.prec = ctx.prec, precision
    try:
        yield
    finally:
        ctx.prec = before


def _logistic(z: arb) -> arb:
    return 1 / (1 + (-z).exp())


def _density(z: arb) -> arb:
    return (-z * z / 2).exp() / (2 * arb.pi()).sqrt()


def _inner(z: arb) -> arb:
    """Twice the argument of the tanh in GELU's tanh form."""
    return 2 * (2 / arb.pi()).sqrt() * (z + z**3 * 44715 / 1000000)


def _inner_slope(z: arb) -> arb:
    slope = 2 * (2 / arb.pi()).sqrt() * (1 + 3 * z * z * 44715 / 1000000)
    return slope * (_inner(z) / 2).sech() ** 2 / 4


REAL: dict[str, tuple[Callable[[arb], arb], Callable[[arb], arb]]] = {
    "tanh": (lambda z: z.tanh(), lambda z: z.sech() ** 2),
    "sigmoid": (_logistic, lambda z: (z / 2).sech() ** 2 / 4),
    "softplus": (
        lambda z: z + (-z).exp().log1p() if z > 0 else z.exp().log1p(),
        _logistic,
    ),
    "normal": (lambda z: (-z / arb(2).sqrt()).erfc() / 2, _density),
    "gate": (lambda z: _logistic(_inner(z)), _inner_slope),
    "erf": (lambda z: z.erf(), lambda z: 2 * (-z * z).exp() / arb.pi().sqrt()),
    "sin": (lambda z: z.sin(), lambda z: z.cos()),
    "cos": (lambda z: z.cos(), lambda z: -z.sin()),
    "exp": (lambda z: z.exp(), lambda z: z.exp()),
    "log": (lambda z: z.log(), lambda z: 1 / z),
    "atan": (lambda z: z.atan(), lambda z: 1 / (1 + z * z)),
    "sqrt": (lambda z: z.sqrt(), lambda z: z.rsqrt() / 2),
    "rsqrt": (lambda z: z.rsqrt(), lambda z: -(z.rsqrt() ** 3) / 2),
    "reciprocal": (lambda z: 1 / z, lambda z: -1 / (z * z)),
}
"""Value and derivative of each function."""


class Floats:
    """Float64 midpoints and radii (Rump, Acta Numerica 2010)."""

    def __init__(self, margin: float = 0.0) -> None:
        self.margin = margin
        self.signs: list[np.ndarray] = []

    def constant(self, values: Any) -> Parts:
        array = np.asarray(values, dtype=np.float64)
        return array, np.zeros_like(array)

    def sample(self, values: np.ndarray) -> Parts:
        return values, np.full_like(values, self.margin)

    @staticmethod
    def _up(middle: np.ndarray, radius: np.ndarray, count: int = 8) -> Parts:
        """A radius that bounds, whatever ``count`` roundings did to it."""
        return middle, radius * (1 + 2 * (count + 6) * ULP) + np.where(radius > 0, TINY, 0.0)

    def add(self, a: Parts, b: Parts) -> Parts:
        middle = a[0] + b[0]
        exact = (a[0] == 0) | (b[0] == 0)
        return self._up(middle, a[1] + b[1] + np.where(exact, 0.0, ULP * np.abs(middle)))

    def negative(self, a: Parts) -> Parts:
        return -a[0], a[1]

    def multiply(self, a: Parts, b: Parts) -> Parts:
        middle = a[0] * b[0]
        radius = np.abs(a[0]) * b[1] + a[1] * (np.abs(b[0]) + b[1]) + ULP * np.abs(middle)
        live = ((a[0] != 0) | (a[1] > 0)) & ((b[0] != 0) | (b[1] > 0))
        return self._up(middle, np.where(live, radius + TINY, 0.0))

    def total(self, a: Parts, axes: tuple[int, ...]) -> Parts:
        count = math.prod(a[0].shape[axis] for axis in axes)
        rounding = (count - 1) * ULP * np.abs(a[0]).sum(axes)
        return self._up(a[0].sum(axes), a[1].sum(axes) + 2 * rounding, 3 * count)

    def matmul(self, a: Parts, b: Parts) -> Parts:
        inner = a[0].shape[-1]
        gamma = (inner + 2) * ULP / (1 - (inner + 2) * ULP)
        size_a, size_b = np.abs(a[0]), np.abs(b[0])
        radius = size_a @ (b[1] + gamma * size_b) + a[1] @ (size_b + b[1])
        live_a = ((a[0] != 0) | (a[1] > 0)).any(-1, keepdims=True)
        live_b = ((b[0] != 0) | (b[1] > 0)).any(-2, keepdims=True)
        radius = np.where(live_a & live_b, radius + 2 * inner * TINY, 0.0)
        return self._up(a[0] @ b[0], radius, 4 * inner)

    def function(self, name: str, a: Parts) -> tuple[Parts, Parts]:
        value, slope = REAL[name]
        with bits(80):
            balls = [
                arb(m, r) if r else arb(m)
                for m, r in zip(a[0].ravel().tolist(), a[1].ravel().tolist(), strict=True)
            ]
            values, slopes = [value(z) for z in balls], [slope(z) for z in balls]
        return enclosing(values, a[0].shape), enclosing(slopes, a[0].shape)

    def gate(self, a: Parts, mask: Any) -> Parts:
        return tuple(np.where(mask, part, 0.0) for part in a)

    def positive(self, z: Parts) -> np.ndarray:
        known = (np.abs(z[0]) > z[1]) | ((z[0] == 0) & (z[1] == 0))
        if not known.all():
            raise Undecided
        self.signs.append(np.sign(z[0]).astype(np.int8))
        return z[0] > 0

    zero: Any = 0.0


class Loose(Floats):
    """The same with the signs of midpoints: no proof."""

    def positive(self, z: Parts) -> np.ndarray:
        self.signs.append(np.sign(z[0]).astype(np.int8))
        return z[0] > 0


def enclosing(balls: Sequence[arb], shape: Sequence[int]) -> Parts:
    """Float64 midpoints and radii that contain balls."""
    middle = np.array([float(ball.mid()) for ball in balls]).reshape(shape)
    radius = np.array([float(ball.rad()) for ball in balls]).reshape(shape)
    exact = np.array([bool(ball.is_zero()) for ball in balls]).reshape(shape)
    radius = radius * (1 + 8 * ULP) + 2 * ULP * np.abs(middle) + TINY
    return middle, np.where(exact, 0.0, radius * (1 + 8 * ULP))


class Balls:
    """Balls of the working precision."""

    def __init__(self, margin: float = 0.0) -> None:
        self.margin = margin
        self.signs: list[np.ndarray] = []

    zero: Any = arb(0)

    def constant(self, values: Any) -> Parts:
        array = np.asarray(values, dtype=np.float64)
        out = np.empty(array.size, dtype=object)
        out[:] = [arb(v) for v in array.ravel().tolist()]
        return (out.reshape(array.shape),)

    def sample(self, values: np.ndarray) -> Parts:
        exact = self.constant(values)[0]
        return (np.asarray(exact + arb(0, self.margin), dtype=object),) if self.margin else (exact,)

    def add(self, a: Parts, b: Parts) -> Parts:
        return (np.asarray(a[0] + b[0], dtype=object),)

    def negative(self, a: Parts) -> Parts:
        return (np.asarray(-a[0], dtype=object),)

    def multiply(self, a: Parts, b: Parts) -> Parts:
        return (np.asarray(a[0] * b[0], dtype=object),)

    def total(self, a: Parts, axes: tuple[int, ...]) -> Parts:
        out = a[0]
        for axis in sorted(axes, reverse=True):
            out = np.asarray(np.add.reduce(out, axis=axis), dtype=object)
        return (out,)

    def matmul(self, a: Parts, b: Parts) -> Parts:
        left, right = a[0], b[0]
        if left.ndim == right.ndim == 3 and len(left) == len(right) == 1 and left.size > 64:
            (_, rows, inner), columns = left.shape, right.shape[2]
            found = arb_mat(rows, inner, left.ravel().tolist())
            found = found * arb_mat(inner, columns, right.ravel().tolist())
            out = np.empty(rows * columns, dtype=object)
            out[:] = found.entries()
            return (out.reshape(1, rows, columns),)
        return (np.asarray(np.matmul(left, right), dtype=object),)

    def function(self, name: str, a: Parts) -> tuple[Parts, Parts]:
        first, second = (np.frompyfunc(f, 1, 1)(a[0]) for f in REAL[name])
        return (np.asarray(first, dtype=object),), (np.asarray(second, dtype=object),)

    def gate(self, a: Parts, mask: Any) -> Parts:
        return (np.where(mask, a[0], self.zero),)

    def positive(self, z: Parts) -> np.ndarray:
        signs = np.empty(z[0].shape, dtype=np.int8)
        for place, ball in np.ndenumerate(z[0]):
            if not (ball > 0 or ball < 0 or ball.is_zero()):
                raise Undecided
            signs[place] = 1 if ball > 0 else -1 if ball < 0 else 0
        self.signs.append(signs)
        return signs > 0


class Vanishes(Exception):
    """A denominator is zero modulo a prime: take others."""


class Residues:
    """Residues modulo primes below 2^31; h(z) is a random residue that depends on z alone.

    A relation among tangent functions that holds for such symbols holds for the functions, so
    that the rank with symbols is an upper bound. What is built in: odd and even functions, the
    sigmoid as a tanh, addition theorems of sin, cos and exp about sample 0, and for kinks the
    ratio of the argument to that at sample 0, whose sign is known.

    Args:
        primes: distinct.
        signs: of all samples, or of sample 0 alone; then those of the others are symbols.
    """

    zero: Any = np.uint64(0)

    def __init__(self, primes: Sequence[int], signs: Sequence[np.ndarray] = ()) -> None:
        self.primes = [np.uint64(p) for p in primes]
        self.key = secrets.randbits(62)
        self.known = iter(signs)
        self.symbolic = False

    def each(self, f: Callable[..., Any], *operands: Parts) -> Parts:
        return tuple(f(p, *parts) for p, *parts in zip(self.primes, *operands, strict=True))

    def integer(self, value: int) -> Parts:
        return tuple(np.asarray(value % int(p), dtype=np.uint64) for p in self.primes)

    def constant(self, values: Any) -> Parts:
        array = np.asarray(values, dtype=np.float64)
        flat = array.ravel().tolist()
        ratios = {v: v.as_integer_ratio() for v in set(flat)}
        out = []
        for p in map(int, self.primes):
            at = {v: n % p * pow(d, -1, p) % p for v, (n, d) in ratios.items()}
            out.append(np.array([at[v] for v in flat], dtype=np.uint64).reshape(array.shape))
        return tuple(out)

    sample = constant

    def random(self, shape: Sequence[int]) -> Parts:
        source = np.random.default_rng(secrets.randbits(128))
        return tuple(source.integers(0, int(p), shape, dtype=np.uint64) for p in self.primes)

    def add(self, a: Parts, b: Parts) -> Parts:
        return self.each(lambda p, x, y: (x + y) % p, a, b)

    def negative(self, a: Parts) -> Parts:
        return self.each(lambda p, x: (p - x) % p, a)

    def multiply(self, a: Parts, b: Parts) -> Parts:
        return self.each(lambda p, x, y: x * y % p, a, b)

    def total(self, a: Parts, axes: tuple[int, ...]) -> Parts:
        return self.each(lambda p, x: x.sum(axes, dtype=np.uint64) % p, a)

    def matmul(self, a: Parts, b: Parts) -> Parts:
        def product(p: np.uint64, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            """By float64 products of 11-bit by 31-bit numbers, exact for up to 2048 terms."""
            whole: Any = np.uint64(0)
            for start in range(0, x.shape[-1], 2048):
                left = x[..., start : start + 2048]
                right = y[..., start : start + 2048, :].astype(np.float64)
                part: Any = np.uint64(0)
                for shift in (22, 11, 0):
                    digit = ((left >> np.uint64(shift)) & np.uint64(2047)).astype(np.float64)
                    part = (part * np.uint64(2048) + (digit @ right).astype(np.uint64)) % p
                whole = (whole + part) % p
            return whole

        return self.each(product, a, b)

    def inverse(self, a: Parts) -> Parts:
        def inverted(p: np.uint64, x: np.ndarray) -> np.ndarray:
            if not x.all():
                raise Vanishes
            out, base, exponent = np.ones_like(x), x, int(p) - 2
            while exponent:
                if exponent & 1:
                    out = out * base % p
                base, exponent = base * base % p, exponent >> 1
            return out

        return self.each(inverted, a)

    def half(self, a: Parts) -> Parts:
        return self.each(lambda p, x: x * ((p + np.uint64(1)) // np.uint64(2)) % p, a)

    def equal(self, a: Parts, value: int) -> np.ndarray:
        return np.logical_and.reduce(
            [x == np.uint64(value % int(p)) for p, x in zip(self.primes, a, strict=True)]
        )

    @staticmethod
    def choose(where: np.ndarray, a: Parts, b: Parts) -> Parts:
        return tuple(np.where(where, x, y) for x, y in zip(a, b, strict=True))

    def symbol(self, name: str, z: Parts) -> Parts:
        """A random residue for each prime: a function of the name and of z."""
        self.symbolic = True
        tag = int.from_bytes(hashlib.sha256(f"{name} {self.key}".encode()).digest()[:8], "big")
        with np.errstate(over="ignore"):
            word = np.full(z[0].shape, tag, dtype=np.uint64)
            for part in z:
                word = _scramble(word ^ (part + np.uint64(0x632BE59BD9B4E019)))
            out = []
            for k, p in enumerate(self.primes):
                out.append(_scramble(word ^ np.uint64(0x2545F4914F6CDD1D * (k + 1) % 2**64)) % p)
        return tuple(out)

    def symmetric(self, name: str, z: Parts, *, odd: bool, at_zero: int | None = None) -> Parts:
        """A symbol h with h(-z) = -h(z), or h(-z) = h(z), perhaps with a known h(0)."""
        turned = z[0] > self.primes[0] // np.uint64(2)
        value = self.symbol(name, self.choose(turned, self.negative(z), z))
        if odd:
            value = self.choose(turned, self.negative(value), value)
            at_zero = 0
        if at_zero is not None:
            value = self.choose(self.equal(z, 0), self.integer(at_zero), value)
        return value

    def power_of_e(self, z: Parts) -> Parts:
        """A symbol with h(0) = 1."""
        return self.choose(self.equal(z, 0), self.integer(1), self.symbol("exp", z))

    def function(self, name: str, z: Parts) -> tuple[Parts, Parts]:
        one = self.integer(1)
        if name == "tanh":
            y = self.symmetric("tanh", z, odd=True)
            return y, self.add(one, self.negative(self.multiply(y, y)))
        if name == "sigmoid":
            y = self.half(self.add(one, self.symmetric("tanh", self.half(z), odd=True)))
            return y, self.multiply(y, self.add(one, self.negative(y)))
        if name == "softplus":
            y = self.add(self.half(z), self.symmetric("softplus", z, odd=False))
            return y, self.function("sigmoid", z)[0]
        if name in ("normal", "gate"):
            y = self.add(self.half(one), self.symmetric(name, z, odd=True))
            return y, self.symmetric(f"{name}'", z, odd=False)
        if name == "erf":
            return self.symmetric("erf", z, odd=True), self.symmetric("erf'", z, odd=False)
        if name == "atan":
            slope = self.inverse(self.add(one, self.multiply(z, z)))
            return self.symmetric("atan", z, odd=True), slope
        if name in ("sin", "cos"):
            sine, cosine = self._circle(z)
            return (sine, cosine) if name == "sin" else (cosine, self.negative(sine))
        if name in ("exp", "relative exp"):
            if name == "exp":  # about sample 0
                first = tuple(part[:1] for part in z)
                step = self.power_of_e(self.add(z, self.negative(first)))
                y = self.multiply(step, self.power_of_e(first))
            else:
                y = self.power_of_e(z)
            return y, y
        if name == "log":
            y = self.choose(self.equal(z, 1), self.integer(0), self.symbol("log", z))
            return y, self.inverse(z)
        if name in ("sqrt", "rsqrt"):
            cube = self.symbol("-3/2 power", z)
            root = self.multiply(z, cube)
            if name == "rsqrt":
                return root, self.negative(self.half(cube))
            return self.multiply(z, root), self.half(root)
        y = self.inverse(z)
        return y, self.negative(self.multiply(y, y))

    def _circle(self, z: Parts) -> tuple[Parts, Parts]:
        """Sin and cos by the addition theorem about sample 0."""
        first = tuple(part[:1] for part in z)
        pairs = [
            (
                self.symmetric("sin", w, odd=True),
                self.symmetric("cos", w, odd=False, at_zero=1),
            )
            for w in (first, self.add(z, self.negative(first)))
        ]
        (s0, c0), (s, c) = pairs
        sine = self.add(self.multiply(s, c0), self.multiply(c, s0))
        return sine, self.add(self.multiply(c, c0), self.negative(self.multiply(s, s0)))

    def gate(self, a: Parts, mask: Any) -> Parts:
        if isinstance(mask, tuple):
            return self.multiply(a, mask)
        return tuple(np.where(mask, part, np.uint64(0)) for part in a)

    def positive(self, z: Parts) -> Any:
        signs = next(self.known)
        if len(signs) == len(z[0]):
            return signs > 0
        off = signs == 0
        first = tuple(part[:1] for part in z)
        base = self.choose(off, self.integer(1), first)
        ratio = self.multiply(z, self.inverse(base))
        step = self.choose(self.equal(ratio, 1), self.integer(1), self.symbol("step", ratio))
        step = self.choose(signs > 0, step, self.add(self.integer(1), self.negative(step)))
        free = self.choose(self.equal(z, 0), self.integer(0), self.symbol("free step", z))
        return self.choose(np.broadcast_to(off, z[0].shape), free, step)


def _scramble(word: np.ndarray) -> np.ndarray:
    """A bijection of 64-bit words that looks random (the finaliser of MurmurHash3, twice)."""
    for _ in range(2):
        word = (word ^ (word >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        word = (word ^ (word >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        word = word ^ (word >> np.uint64(33))
    return word


# The interpreter --------------------------------------------------------------------------------


class Value:
    """A real array on the tape: entries, and the adjoint of the operation towards each source."""

    def __init__(
        self, parts: Parts, sources: Sequence[tuple[Value, Callable[[Parts], Parts]]] = ()
    ) -> None:
        self.parts = parts
        self.sources = [(source, back) for source, back in sources if source.live]
        self.live = bool(self.sources)
        self.absent: np.ndarray | None = None  # entries that are minus infinity

    @property
    def shape(self) -> tuple[int, ...]:
        return self.parts[0].shape[1:]


class Mask(Value):
    """1 where a comparison holds."""

    def __init__(self, parts: Parts, where: Any) -> None:
        super().__init__(parts)
        self.where = where


class PerSample:
    """Integers or truth values that differ between samples: one tensor per sample."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensors[0].shape)


def reshaped(parts: Parts, shape: Sequence[int]) -> Parts:
    return tuple(part.reshape(len(part), *shape) for part in parts)


def padded(parts: Parts, axes: int) -> Parts:
    """Axes of length 1 behind the sample axis, so that shapes broadcast."""
    shape = parts[0].shape[1:]
    return reshaped(parts, (1,) * (axes - len(shape)) + shape)


class Machine:
    """A run of the exported graph in a number system."""

    def __init__(self, export: Export, system: Any) -> None:
        self.export, self.system = export, system
        self.node: torch.fx.Node = export.nodes[0]
        self.parameters: dict[str, Value] = {}
        self.cache: dict[Any, Any] = export.__dict__.setdefault("_cache", {})
        self.calls = 0

    # Elementary steps

    def constant(self, values: Any) -> Value:
        """A constant; minus infinity is remembered as absent."""
        if isinstance(values, Tensor):
            values = values.detach().double().numpy()
        array = np.asarray(values, dtype=np.float64)
        absent = np.isneginf(array)
        array = np.where(absent, 0.0, array)
        if not np.isfinite(array).all():
            raise Unable("A constant of the model is infinite or not a number.")
        out = Value(self.system.constant(array[None]))
        out.absent = absent if absent.any() else None
        return out

    def lift(self, value: Any) -> Value:
        if isinstance(value, Value):
            return value
        if isinstance(value, PerSample):
            stacked = np.stack([t.double().numpy() for t in value.tensors])
            return Value(self.system.constant(stacked))
        return self.constant(value)

    def _summed(self, parts: Parts, shape: tuple[int, ...]) -> Parts:
        """The adjoint of broadcasting."""
        extra = parts[0].ndim - 1 - len(shape)
        if extra:
            parts = self.system.total(parts, tuple(range(1, 1 + extra)))
        axes = tuple(i for i, n in enumerate(shape, 1) if n == 1 and parts[0].shape[i] != 1)
        return reshaped(self.system.total(parts, axes), shape) if axes else parts

    def add(self, a: Any, b: Any) -> Value:
        a, b = self.lift(a), self.lift(b)
        axes = max(len(a.shape), len(b.shape))
        out = Value(
            self.system.add(padded(a.parts, axes), padded(b.parts, axes)),
            [(a, lambda g: self._summed(g, a.shape)), (b, lambda g: self._summed(g, b.shape))],
        )
        gone = [v.absent for v in (a, b) if v.absent is not None]
        if gone:
            out.absent = np.broadcast_to(np.logical_or.reduce(gone), out.shape)
        return out

    def negative(self, a: Any) -> Value:
        a = self.lift(a)
        if a.absent is not None:
            raise Unable("An infinity is subtracted.")
        return Value(self.system.negative(a.parts), [(a, self.system.negative)])

    def subtract(self, a: Any, b: Any) -> Value:
        return self.add(a, self.negative(b))

    def multiply(self, a: Any, b: Any) -> Value:
        a, b = self.lift(a), self.lift(b)
        if a.absent is not None or b.absent is not None:
            raise Unable("An infinity is multiplied.")
        axes = max(len(a.shape), len(b.shape))
        left, right = padded(a.parts, axes), padded(b.parts, axes)
        s = self.system
        return Value(
            s.multiply(left, right),
            [
                (a, lambda g: self._summed(s.multiply(g, right), a.shape)),
                (b, lambda g: self._summed(s.multiply(g, left), b.shape)),
            ],
        )

    def matmul(self, a: Any, b: Any) -> Value:
        """Product of the last two axes; the axes before them are equal."""
        a, b = self.lift(a), self.lift(b)
        turned = lambda parts: tuple(np.swapaxes(p, -1, -2) for p in parts)  # noqa: E731
        return Value(
            self._product(a.parts, b.parts),
            [
                (a, lambda g: self._product(g, turned(b.parts))),
                (b, lambda g: self._product(turned(a.parts), g)),
            ],
        )

    def _product(self, a: Parts, b: Parts) -> Parts:
        """One large product where a matrix is the same for all samples."""
        if a[0].ndim == b[0].ndim == 3:
            (n, rows, inner), (m, _, columns) = a[0].shape, b[0].shape
            if inner == 1:
                return self.system.multiply(a, b)
            if m == 1 and n > 1:
                flat = tuple(part.reshape(1, n * rows, inner) for part in a)
                out = self.system.matmul(flat, b)
                return tuple(part.reshape(n, rows, columns) for part in out)
            if n == 1 and m > 1:
                swap = lambda parts: tuple(np.swapaxes(p, 1, 2) for p in parts)  # noqa: E731
                return swap(self._product(swap(b), swap(a)))
        return self.system.matmul(a, b)

    def function(self, a: Any, name: str) -> Value:
        a = self.lift(a)
        if a.absent is not None:
            raise Unable("A function of an infinity.")
        value, slope = self.system.function(name, a.parts)
        return Value(value, [(a, lambda g: self.system.multiply(g, slope))])

    def reciprocal(self, a: Any) -> Value:
        if not isinstance(a, (Value, Tensor, PerSample)):
            array = np.asarray(a, dtype=np.float64)
            if (np.abs(np.frexp(array)[0]) == 0.5).all():
                return self.constant(1 / array)
        return self.function(self.lift(a), "reciprocal")

    def reshape(self, a: Value, *shape: int) -> Value:
        out = Value(reshaped(a.parts, shape), [(a, lambda g: reshaped(g, a.shape))])
        out.absent = None if a.absent is None else a.absent.reshape(shape)
        return out

    def total(self, a: Value, axes: Sequence[int], keep: bool = False) -> Value:
        chosen = tuple(sorted({axis % len(a.shape) + 1 for axis in axes})) if a.shape else ()
        if not chosen:
            return a
        kept = tuple(1 if i in chosen else n for i, n in enumerate(a.shape, 1))
        value = self.system.total(a.parts, chosen)

        def back(g: Parts) -> Parts:
            n = len(g[0])
            wide = reshaped(g, kept)
            return tuple(np.broadcast_to(p, (n, *a.shape)) for p in wide)

        out = Value(value, [(a, back)])
        return self.reshape(out, *kept) if keep else out

    def gate(self, a: Value, where: Any) -> Value:
        return Value(self.system.gate(a.parts, where), [(a, lambda g: self.system.gate(g, where))])

    def positive(self, z: Value) -> Any:
        return self.system.positive(z.parts)

    def relu(self, z: Value) -> Value:
        return self.gate(z, self.positive(z))

    def maximum(self, a: Any, b: Any) -> Value:
        return self.add(b, self.relu(self.subtract(a, b)))

    def minimum(self, a: Any, b: Any) -> Value:
        return self.negative(self.maximum(self.negative(a), self.negative(b)))

    def move(self, sources: Sequence[Any], transform: Callable[..., Any]) -> Any:
        """Entries moved: what ``transform`` does to tensors of positions, 0 being a zero."""
        values = [self.lift(source) for source in sources]
        sizes = [math.prod(v.shape) for v in values]
        starts = np.cumsum([1, *sizes])
        key = (self.node, self.calls)
        self.calls += 1
        if key not in self.cache:
            positions = [
                torch.arange(start, start + size).reshape(v.shape)
                for v, start, size in zip(values, starts, sizes, strict=False)
            ]
            moved = transform(*positions)
            parts = moved if isinstance(moved, (list, tuple)) else [moved]
            tables = [(t.numpy().reshape(-1) - 1, tuple(t.shape)) for t in parts]
            self.cache[key] = (tables, isinstance(moved, (list, tuple)))
        tables, several = self.cache[key]
        found = [self._moved(values, sizes, *table) for table in tables]
        return found if several else found[0]

    def _moved(
        self, values: list[Value], sizes: list[int], index: np.ndarray, shape: tuple[int, ...]
    ) -> Value:
        """Entries taken by position in the sources laid end to end; -1 is a zero."""
        n = max(len(v.parts[0]) for v in values)
        system = self.system

        def end_to_end(k: int) -> np.ndarray:
            flat = [v.parts[k].reshape(len(v.parts[k]), -1) for v in values]
            if len(flat) > 1:
                flat = [np.broadcast_to(part, (n, part.shape[1])) for part in flat]
            return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)

        def taken(part: np.ndarray, where: np.ndarray, outer: tuple[int, ...]) -> np.ndarray:
            if part.shape[1] == 0:
                return np.full((len(part), *outer), system.zero, dtype=part.dtype)
            out = part[:, where]
            out[:, where < 0] = system.zero
            return out.reshape(len(part), *outer)

        def back(start: int, size: int, inner: tuple[int, ...]) -> Callable[[Parts], Parts]:
            def adjoint(g: Parts) -> Parts:
                table = self._places(index, start, size)
                flat = [part.reshape(len(part), -1) for part in g]
                spread = tuple(taken(part, table, table.shape) for part in flat)
                summed = spread if table.shape[1] == 1 else system.total(spread, (2,))
                return reshaped(summed, inner)

            return adjoint

        starts = np.cumsum([0, *sizes])
        out = Value(
            tuple(taken(end_to_end(k), index, shape) for k in range(len(values[0].parts))),
            [(v, back(int(starts[i]), sizes[i], v.shape)) for i, v in enumerate(values)],
        )
        if any(v.absent is not None for v in values):
            gone = np.concatenate(
                [
                    np.zeros(s, bool)
                    if v.absent is None
                    else np.broadcast_to(v.absent, v.shape).ravel()
                    for v, s in zip(values, sizes, strict=True)
                ]
            )
            out.absent = np.where(index >= 0, gone[index], False).reshape(shape)
        return out

    def _places(self, index: np.ndarray, start: int, size: int) -> np.ndarray:
        """For each source entry the places it was moved to, (size, most); -1 where none is."""
        key = (id(index), start)
        if key not in self.cache:
            here = np.flatnonzero((index >= start) & (index < start + size))
            here = here[np.argsort(index[here], kind="stable")]
            counts = np.bincount(index[here] - start, minlength=size)
            column = np.arange(len(here)) - np.repeat(np.cumsum(counts) - counts, counts)
            table = np.full((size, max(1, int(counts.max(initial=0)))), -1)
            table[index[here] - start, column] = here
            self.cache[key] = table
        return self.cache[key]

    # The run

    def __call__(self, sample: Sequence[Any]) -> Value:
        """All outputs, flat, at the samples."""
        values: dict[torch.fx.Node, Any] = {}
        for name in self.export.columns:
            leaf = self.constant(self.export.values[name])
            leaf.live = True
            self.parameters[name] = leaf
        for node, (kind, what) in self.export.given.items():
            if kind == "input":
                values[node] = sample[what]
            elif what in self.parameters:
                values[node] = self.parameters[what]
            else:
                tensor = self.export.values[what]
                values[node] = self.constant(tensor) if tensor.is_floating_point() else tensor
        with np.errstate(all="ignore"):
            for node in self.export.nodes:
                if node.op == "call_function":
                    self.node, self.calls = node, 0
                    get = values.__getitem__
                    args = map_arg(node.args, get)
                    kwargs = map_arg(node.kwargs, get)
                    values[node] = self._apply(node, args, dict(kwargs))
            self.node, self.calls = self.export.nodes[-1], 0
            found = [
                self.lift(values[leaf])
                for leaf in pytree.tree_leaves(self.export.nodes[-1].args[0])
            ]
            flat = [self.reshape(v, math.prod(v.shape)) for v in found]
            return flat[0] if len(flat) == 1 else self.move(flat, lambda *p: torch.cat(p))

    def _apply(self, node: torch.fx.Node, args: Any, kwargs: dict[str, Any]) -> Any:
        """One operation: on numbers of the system, on each sample's integers, or on constants."""
        target: Any = node.target
        leaves = pytree.tree_leaves((args, kwargs))
        schema = getattr(target, "_schema", None)
        name = schema.name.partition("::")[2] if schema else getattr(target, "__name__", "")
        if name == "getitem":
            return args[0][args[1]]
        if any(isinstance(leaf, Value) for leaf in leaves):
            if name not in OPERATIONS:
                raise Unable(f"The operation aten.{name} has no rule in this checker.")
            return OPERATIONS[name](self, *args, **kwargs)
        many = [leaf for leaf in leaves if isinstance(leaf, PerSample)]
        if many:
            if name == "embedding":
                return OPERATIONS[name](self, *args, **kwargs)
            count = len(many[0].tensors)
            pick = lambda i: lambda v: v.tensors[i] if isinstance(v, PerSample) else v  # noqa: E731
            return PerSample(
                [
                    target(*pytree.tree_map(pick(i), args), **pytree.tree_map(pick(i), kwargs))
                    for i in range(count)
                ]
            )
        return target(*args, **kwargs)

    def rows(self, output: Value, position: int) -> Parts:
        """Derivatives of one output by all parameters: a row for each sample."""
        n = len(output.parts[0])
        seed = np.zeros((1, *output.shape))
        seed[0, position] = 1.0
        pending: dict[int, tuple[Value, Parts]] = {id(output): (output, self.system.constant(seed))}
        found: dict[int, Parts] = {}
        for value in _reversed_order(output):
            entry = pending.pop(id(value), None)
            if entry is None:
                continue
            if not value.sources:
                found[id(value)] = entry[1]
            for source, back in value.sources:
                change = back(entry[1])
                before = pending.get(id(source))
                whole = change if before is None else self.system.add(before[1], change)
                pending[id(source)] = (source, whole)
        blocks = []
        for name in self.export.columns:
            leaf = self.parameters[name]
            size = math.prod(leaf.shape)
            adjoint = found.get(id(leaf))
            if adjoint is None:
                adjoint = self.system.constant(np.zeros((1, size)))
            flat = reshaped(adjoint, (size,))
            blocks.append(tuple(np.broadcast_to(part, (n, size)) for part in flat))
        return tuple(
            np.concatenate([block[k] for block in blocks], axis=1) for k in range(len(blocks[0]))
        )


def _reversed_order(output: Value) -> list[Value]:
    """Values such that each comes before its sources."""
    order: list[Value] = []
    state: set[int] = set()
    stack: list[tuple[Value, bool]] = [(output, False)]
    while stack:
        value, done = stack.pop()
        if done:
            order.append(value)
        elif id(value) not in state:
            state.add(id(value))
            stack.append((value, True))
            stack.extend((source, False) for source, _ in value.sources)
    return order[::-1]


# A rule for each operation ----------------------------------------------------------------------

OPERATIONS: dict[str, Callable[..., Any]] = {}


def operation(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a rule."""

    def registered(rule: Callable[..., Any]) -> Callable[..., Any]:
        OPERATIONS.update(dict.fromkeys(names, rule))
        return rule

    return registered


MOVES = (
    *("view", "_unsafe_view", "reshape", "permute", "transpose", "t", "expand", "unsqueeze"),
    *("squeeze", "select", "slice", "unfold", "diagonal", "flip", "roll", "repeat", "index"),
    *("index_select", "gather", "split", "split_with_sizes", "unbind", "tril", "triu", "clone"),
    *("alias", "constant_pad_nd"),
)


@operation(*MOVES)
def moved(m: Machine, a: Any, *args: Any, **kwargs: Any) -> Any:
    """Movement of one array, done to its positions by the operation itself."""
    target: Any = m.node.target
    kwargs.pop("memory_format", None)
    name = target._schema.name.partition("::")[2]
    if name in ("clone", "alias"):
        return a
    value = 0.0
    if name == "constant_pad_nd":
        value = float(args[1]) if len(args) > 1 else float(kwargs.pop("value", 0.0))
        args = args[:1]
    if any(isinstance(leaf, (Value, PerSample)) for leaf in pytree.tree_leaves((args, kwargs))):
        raise Unable(f"The operation aten.{name} with indices that depend on the input.")
    out = m.move([a], lambda positions: target(positions, *args, **kwargs))
    if value:
        seen = target(torch.ones(m.lift(a).shape), *args, **kwargs)
        out = m.add(out, m.constant(value * (1 - seen.double())))
    return out


@operation("full_like", "ones_like", "zeros_like", "new_full", "new_ones", "new_zeros")
def created(m: Machine, a: Any, *args: Any, **kwargs: Any) -> Tensor:
    """A constant of the shape or kind of another array."""
    target: Any = m.node.target
    return target(torch.zeros(a.shape, dtype=torch.float64), *args, **kwargs)


@operation("_to_copy")
def copied(m: Machine, a: Any, **kwargs: Any) -> Value:
    if kwargs.get("dtype") not in (None, torch.float64):
        raise Unable(f"The model casts to {kwargs['dtype']}.")
    return m.lift(a)


@operation("copy")
def overwritten(m: Machine, a: Any, b: Any, *_: Any) -> Value:
    shape = tuple(a.shape)
    return m.move([b], lambda positions: positions.expand(shape))


@operation("cat")
def joined(m: Machine, parts: Sequence[Any], dim: int = 0) -> Value:
    parts = [p for p in parts if not (isinstance(p, Tensor) and p.numel() == 0 and p.dim() == 1)]
    return m.move(parts, lambda *positions: torch.cat(positions, dim))


@operation("stack")
def stacked(m: Machine, parts: Sequence[Any], dim: int = 0) -> Value:
    return m.move(parts, lambda *positions: torch.stack(positions, dim))


@operation("slice_scatter", "select_scatter", "diagonal_scatter")
def written(m: Machine, a: Any, b: Any, *args: Any, **kwargs: Any) -> Value:
    target: Any = m.node.target
    return m.move([a, b], lambda p, q: target(p, q, *args, **kwargs))


@operation("add", "sub")
def plus(m: Machine, a: Any, b: Any, alpha: float = 1) -> Value:
    b = b if alpha == 1 else m.multiply(b, float(alpha))
    name = m.node.target._schema.name  # type: ignore[union-attr]
    return m.add(a, b) if name.endswith("add") else m.subtract(a, b)


@operation("mul")
def times(m: Machine, a: Any, b: Any) -> Value:
    return m.multiply(a, b)


@operation("div")
def over(m: Machine, a: Any, b: Any, rounding_mode: str | None = None) -> Value:
    if rounding_mode is not None:
        raise Unable("A quotient is rounded.")
    return m.multiply(a, m.reciprocal(b))


@operation("neg")
def minus(m: Machine, a: Any) -> Value:
    return m.negative(a)


@operation("square")
def squared(m: Machine, a: Any) -> Value:
    return m.multiply(a, a)


@operation("pow")
def raised(m: Machine, a: Any, exponent: Any) -> Value:
    if not isinstance(exponent, (int, float)) or 2 * exponent != int(2 * exponent):
        raise Unable(f"A power with the exponent {exponent}.")
    a, whole = m.lift(a), int(abs(exponent))
    out = m.constant(np.ones(()))
    for _ in range(whole):
        out = m.multiply(out, a)
    if exponent < 0:
        out = m.reciprocal(out) if whole else out
    if abs(exponent) != whole:
        out = m.multiply(out, m.function(a, "sqrt" if exponent > 0 else "rsqrt"))
    return out


@operation("addcmul", "addcdiv")
def fused(m: Machine, a: Any, b: Any, c: Any, value: float = 1) -> Value:
    name = m.node.target._schema.name  # type: ignore[union-attr]
    product = m.multiply(b, c if name.endswith("mul") else m.reciprocal(m.lift(c)))
    return m.add(a, m.multiply(product, float(value)))


@operation("mm", "bmm")
def product(m: Machine, a: Any, b: Any) -> Value:
    return m.matmul(a, b)


def _with_column(m: Machine, a: Any, b: Any) -> Value:
    """A matrix times a vector."""
    a, b = m.lift(a), m.lift(b)
    return m.reshape(m.matmul(a, m.reshape(b, b.shape[0], 1)), a.shape[0])


@operation("mv")
def matrix_vector(m: Machine, a: Any, b: Any) -> Value:
    return _with_column(m, a, b)


@operation("dot", "vdot")
def inner_product(m: Machine, a: Any, b: Any) -> Value:
    return m.total(m.multiply(a, b), [0])


def _scaled_sum(m: Machine, a: Any, b: Value, beta: float, alpha: float) -> Value:
    b = b if alpha == 1 else m.multiply(b, float(alpha))
    a = a if beta == 1 else m.multiply(a, float(beta))
    return m.add(a, b)


@operation("addmm", "baddbmm")
def affine(m: Machine, a: Any, b: Any, c: Any, beta: float = 1, alpha: float = 1) -> Value:
    return _scaled_sum(m, a, m.matmul(b, c), beta, alpha)


@operation("addmv")
def affine_vector(m: Machine, a: Any, b: Any, c: Any, beta: float = 1, alpha: float = 1) -> Value:
    return _scaled_sum(m, a, _with_column(m, b, c), beta, alpha)


@operation("_trilinear")
def trilinear(
    m: Machine, a: Any, b: Any, c: Any, ea: Any, eb: Any, ec: Any, summed: Any, unroll: int = 1
) -> Value:
    wide = []
    for value, axes in ((a, ea), (b, eb), (c, ec)):
        shape = list(value.shape)
        for axis in sorted(axes):
            shape.insert(axis, 1)
        wide.append(m.reshape(m.lift(value), *shape))
    return m.total(m.multiply(m.multiply(wide[0], wide[1]), wide[2]), summed)


@operation("tanh", "sigmoid", "erf", "sin", "cos", "exp", "log", "atan", "sqrt", "rsqrt")
def named(m: Machine, a: Any) -> Value:
    return m.function(a, m.node.target._schema.name.partition("::")[2])  # type: ignore[union-attr]


@operation("reciprocal")
def inverse(m: Machine, a: Any) -> Value:
    return m.reciprocal(m.lift(a))


@operation("expm1")
def exp_less_one(m: Machine, a: Any) -> Value:
    return m.subtract(m.function(a, "exp"), 1.0)


@operation("log1p")
def log_of_one_more(m: Machine, a: Any) -> Value:
    return m.function(m.add(a, 1.0), "log")


@operation("erfc")
def complement(m: Machine, a: Any) -> Value:
    return m.subtract(1.0, m.function(a, "erf"))


@operation("tan")
def tangent(m: Machine, a: Any) -> Value:
    return m.multiply(m.function(a, "sin"), m.reciprocal(m.function(a, "cos")))


@operation("sinh")
def sinh(m: Machine, a: Any) -> Value:
    return m.multiply(m.subtract(m.function(a, "exp"), m.function(m.negative(a), "exp")), 0.5)


@operation("cosh")
def cosh(m: Machine, a: Any) -> Value:
    return m.multiply(m.add(m.function(a, "exp"), m.function(m.negative(a), "exp")), 0.5)


@operation("softplus")
def softplus(m: Machine, a: Any, beta: float = 1, threshold: float = 20) -> Value:
    if beta == 1:
        return m.function(a, "softplus")
    inner = m.function(m.multiply(a, float(beta)), "softplus")
    return m.multiply(inner, m.reciprocal(float(beta)))


@operation("log_sigmoid_forward")
def log_sigmoid(m: Machine, a: Any) -> list[Any]:
    return [m.negative(m.function(m.negative(a), "softplus")), None]


@operation("silu")
def silu(m: Machine, a: Any) -> Value:
    return m.multiply(a, m.function(a, "sigmoid"))


@operation("mish")
def mish(m: Machine, a: Any) -> Value:
    return m.multiply(a, m.function(m.function(a, "softplus"), "tanh"))


@operation("gelu")
def gelu(m: Machine, a: Any, approximate: str = "none") -> Value:
    return m.multiply(a, m.function(a, "normal" if approximate == "none" else "gate"))


# Kinks


@operation("relu")
def relu(m: Machine, a: Any) -> Value:
    return m.relu(m.lift(a))


def _halves(m: Machine, a: Any) -> tuple[Value, Value]:
    """The positive part, and the rest."""
    above = m.relu(m.lift(a))
    return above, m.subtract(a, above)


@operation("leaky_relu")
def leaky_relu(m: Machine, a: Any, slope: float = 0.01) -> Value:
    above, below = _halves(m, a)
    return m.add(above, m.multiply(below, float(slope)))


@operation("rrelu_with_noise", "rrelu_with_noise_functional")
def mean_slope(m: Machine, a: Any, noise: Any, low: float = 1 / 8, high: float = 1 / 3, *_: Any):
    out = leaky_relu(m, a, (low + high) / 2)
    name = m.node.target._schema.name  # type: ignore[union-attr]
    return [out, noise] if name.endswith("functional") else out


@operation("elu")
def elu(m: Machine, a: Any, alpha: float = 1, scale: float = 1, inner: float = 1) -> Value:
    above, below = _halves(m, a)
    below = below if inner == 1 else m.multiply(below, float(inner))
    tail = m.multiply(m.subtract(m.function(below, "exp"), 1.0), float(alpha))
    return m.multiply(m.add(above, tail), float(scale))


@operation("celu")
def celu(m: Machine, a: Any, alpha: float = 1) -> Value:
    above, below = _halves(m, a)
    inner = m.multiply(below, m.reciprocal(float(alpha)))
    return m.add(above, m.multiply(m.subtract(m.function(inner, "exp"), 1.0), float(alpha)))


@operation("abs")
def absolute(m: Machine, a: Any) -> Value:
    return m.subtract(m.multiply(m.relu(m.lift(a)), 2.0), a)


def _mask(m: Machine, z: Value, *, opposite: bool = False) -> Mask:
    """Where z > 0, or where it is not."""
    where = m.positive(z)
    ones = m.system.constant(np.ones((1, *z.shape)))
    if opposite and isinstance(where, tuple):
        where = m.system.add(ones, m.system.negative(where))
    elif opposite:
        where = ~where
    return Mask(m.system.gate(ones, where), where)


@operation("gt", "lt", "ge", "le")
def compared(m: Machine, a: Any, b: Any) -> Mask:
    name = m.node.target._schema.name[-2:]  # type: ignore[union-attr]
    z = m.subtract(a, b) if name in ("gt", "le") else m.subtract(b, a)
    return _mask(m, z, opposite=name in ("ge", "le"))


@operation("bitwise_not", "logical_not")
def negated(m: Machine, a: Any) -> Mask:
    if not isinstance(a, Mask):
        raise Unable("A negation of real numbers.")
    ones = m.system.constant(np.ones((1, *a.shape)))
    if isinstance(a.where, tuple):
        where = m.system.add(ones, m.system.negative(a.where))
        return Mask(where, where)
    return Mask(m.system.gate(ones, ~a.where), ~a.where)


@operation("sign")
def sign(m: Machine, a: Any) -> Value:
    return m.subtract(_mask(m, m.lift(a)), _mask(m, m.negative(a)))


@operation("where")
def chosen(m: Machine, condition: Any, a: Any, b: Any) -> Value:
    if isinstance(condition, Tensor):
        left, right = m.lift(a), m.lift(b)
        shape = torch.broadcast_shapes(condition.shape, left.shape, right.shape)
        return m.move(
            [left, right],
            lambda p, q: torch.where(condition, p.expand(shape), q.expand(shape)),
        )
    share = m.lift(condition)
    return m.add(b, m.multiply(m.subtract(a, b), share))


@operation("maximum")
def larger(m: Machine, a: Any, b: Any) -> Value:
    return m.maximum(a, b)


@operation("minimum")
def smaller(m: Machine, a: Any, b: Any) -> Value:
    return m.minimum(a, b)


@operation("clamp", "hardtanh")
def clamped(m: Machine, a: Any, low: Any = None, high: Any = None, **ends: Any) -> Value:
    if m.node.target._schema.name.endswith("hardtanh"):  # type: ignore[union-attr]
        low, high = -1 if low is None else low, 1 if high is None else high
    low, high = ends.get("min", low), ends.get("max", high)
    a = a if low is None else m.maximum(a, m.lift(low))
    return a if high is None else m.minimum(a, m.lift(high))


@operation("clamp_min")
def clamped_below(m: Machine, a: Any, low: Any) -> Value:
    return m.maximum(a, m.lift(low))


@operation("clamp_max")
def clamped_above(m: Machine, a: Any, high: Any) -> Value:
    return m.minimum(a, m.lift(high))


@operation("hardsigmoid")
def hardsigmoid(m: Machine, a: Any) -> Value:
    inner = m.minimum(m.maximum(m.add(a, 3.0), 0.0), 6.0)
    return m.multiply(inner, m.reciprocal(6.0))


@operation("hardswish")
def hardswish(m: Machine, a: Any) -> Value:
    return m.multiply(a, hardsigmoid(m, a))


def _largest(m: Machine, a: Value, present: np.ndarray | None = None) -> Value:
    """The maximum along the last axis, one entry after the other."""
    size = a.shape[-1]
    seen = np.ones(a.shape, bool) if present is None else np.broadcast_to(present, a.shape)
    columns = m.move([a], lambda p: [p[..., i] for i in range(size)])
    best, have = columns[0], seen[..., 0]
    for i in range(1, size):
        both, new = have & seen[..., i], ~have & seen[..., i]
        change = m.subtract(columns[i], best)
        # A fixed sign where only one of the two takes part.
        z = m.add(m.gate(change, both[None]), m.constant(np.where(both, 0.0, np.where(new, 1, -1))))
        best = m.add(best, m.gate(change, m.positive(z)))
        have = have | seen[..., i]
    return best


def _axes(a: Value, dim: Any) -> list[int]:
    """Axes that ``dim`` names, all of them for none."""
    if dim is None or (isinstance(dim, (list, tuple)) and not dim):
        return list(range(len(a.shape)))
    return [d % max(len(a.shape), 1) for d in ([dim] if isinstance(dim, int) else dim)]


@operation("amax", "amin", "max", "min")
def extreme(m: Machine, a: Any, dim: Any = None, keepdim: bool = False) -> Any:
    name = m.node.target._schema.name.partition("::")[2]  # type: ignore[union-attr]
    a = m.lift(a)
    a = m.negative(a) if name.endswith("min") else a
    axes = _axes(a, dim)
    rest = [i for i in range(len(a.shape)) if i not in axes]
    shape = [a.shape[i] for i in rest]
    kept = [1 if i in axes else n for i, n in enumerate(a.shape)]
    last = m.move([a], lambda p: p.permute(*rest, *axes).reshape(*shape, -1))
    out = _largest(m, last)
    out = m.negative(out) if name.endswith("min") else out
    out = m.reshape(out, *kept) if keepdim else out
    return out if name in ("amax", "amin") or dim is None else [out, None]


# Sums and norms


@operation("sum")
def summed(m: Machine, a: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    a = m.lift(a)
    return m.total(a, _axes(a, dim), keepdim)


def _mean(m: Machine, a: Value, axes: Sequence[int], keep: bool = True) -> Value:
    count = math.prod(a.shape[axis] for axis in axes)
    return m.multiply(m.total(a, axes, keep), m.reciprocal(float(count)))


@operation("mean")
def averaged(m: Machine, a: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    a = m.lift(a)
    return _mean(m, a, _axes(a, dim), keepdim)


@operation("var", "var_mean")
def variance(
    m: Machine, a: Any, dim: Any = None, correction: float | None = None, keepdim: bool = False
) -> Any:
    a = m.lift(a)
    axes = _axes(a, dim)
    count = math.prod(a.shape[axis] for axis in axes)
    away = m.subtract(a, _mean(m, a, axes))
    squares = m.total(m.multiply(away, away), axes, keepdim)
    free = float(count - (1 if correction is None else correction))
    out = m.multiply(squares, m.reciprocal(free))
    if m.node.target._schema.name.endswith("var"):  # type: ignore[union-attr]
        return out
    return [out, _mean(m, a, axes, keepdim)]


@operation("linalg_vector_norm")
def length(m: Machine, a: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any):
    if ord != 2:
        raise Unable(f"A norm of order {ord}.")
    a = m.lift(a)
    return m.function(m.total(m.multiply(a, a), _axes(a, dim), keepdim), "sqrt")


@operation("prod")
def all_multiplied(m: Machine, a: Any, dim: int | None = None, keepdim: bool = False) -> Value:
    a = m.lift(a)
    if dim is None:
        a, dim = m.reshape(a, math.prod(a.shape)), 0
    axis = dim % len(a.shape)
    factors = m.move([a], lambda p: list(torch.unbind(p, axis)))
    out = factors[0]
    for factor in factors[1:]:
        out = m.multiply(out, factor)
    kept = [1 if i == axis else n for i, n in enumerate(a.shape)]
    return m.reshape(out, *kept) if keepdim else out


@operation("cumsum")
def running(m: Machine, a: Any, dim: int, **_: Any) -> Value:
    a = m.lift(a)
    axis = dim % len(a.shape)
    slices = m.move([a], lambda p: list(torch.unbind(p, axis)))
    sums = [slices[0]]
    for part in slices[1:]:
        sums.append(m.add(sums[-1], part))
    return m.move(sums, lambda *p: torch.stack(p, axis))


def _first(m: Machine, a: Value, axis: int) -> Value:
    """The first entry along an axis that is not absent."""
    gone = np.zeros(a.shape, bool) if a.absent is None else np.broadcast_to(a.absent, a.shape)
    if gone.all(axis=axis).any():
        raise Unable("A softmax in which everything is masked.")
    place = torch.from_numpy(np.expand_dims(gone.argmin(axis=axis), axis))
    out = m.move([a], lambda p: p.gather(axis, place))
    out.absent = None
    return out


def _powers(m: Machine, a: Value, axis: int) -> Parts:
    """Exp of a minus its first entry, 0 where absent."""
    shifted = m.subtract(a, _first(m, a, axis))
    name = "relative exp" if isinstance(m.system, Residues) else "exp"
    powers = m.system.function(name, shifted.parts)[0]
    if a.absent is not None:
        powers = m.system.gate(powers, ~np.broadcast_to(a.absent, a.shape)[None])
    return powers


@operation("_softmax", "_safe_softmax")
def softmax(m: Machine, a: Any, dim: int, *_: Any, **__: Any) -> Value:
    a, s = m.lift(a), m.system
    axis = dim % len(a.shape)
    kept = [1 if i == axis else n for i, n in enumerate(a.shape)]
    powers = _powers(m, a, axis)
    whole = reshaped(s.function("reciprocal", s.total(powers, (axis + 1,)))[0], kept)
    share = s.multiply(powers, whole)

    def back(g: Parts) -> Parts:
        mean = reshaped(s.total(s.multiply(g, share), (axis + 1,)), kept)
        return s.multiply(share, s.add(g, s.negative(mean)))

    return Value(share, [(a, back)])


@operation("_log_softmax")
def log_softmax(m: Machine, a: Any, dim: int, *_: Any) -> Value:
    a = m.lift(a)
    axis = dim % len(a.shape)
    shifted = m.subtract(a, _first(m, a, axis))
    whole = m.total(m.function(shifted, "exp"), [axis], True)
    return m.subtract(shifted, m.function(whole, "log"))


@operation("logsumexp")
def logsumexp(m: Machine, a: Any, dim: Any, keepdim: bool = False) -> Value:
    a = m.lift(a)
    (axis,) = _axes(a, dim)
    first = _first(m, a, axis)
    whole = m.total(m.function(m.subtract(a, first), "exp"), [axis], True)
    out = m.add(first, m.function(whole, "log"))
    kept = [n for i, n in enumerate(a.shape) if i != axis]
    return out if keepdim else m.reshape(out, *kept)


def _standard(m: Machine, a: Value, axes: Sequence[int], eps: float) -> Value:
    """(a - mean) / sqrt(variance + eps)."""
    away = m.subtract(a, _mean(m, a, axes))
    spread = _mean(m, m.multiply(away, away), axes)
    return m.multiply(away, m.function(m.add(spread, float(eps)) if eps else spread, "rsqrt"))


def _scaled(m: Machine, a: Value, weight: Any, bias: Any, trailing: int = 0) -> Value:
    for value, combine in ((weight, m.multiply), (bias, m.add)):
        if value is not None:
            lifted = m.lift(value)
            a = combine(a, m.reshape(lifted, *lifted.shape, *[1] * trailing))
    return a


@operation("native_layer_norm")
def layer_norm(m: Machine, a: Any, shape: Any, weight: Any, bias: Any, eps: float) -> list[Any]:
    a = m.lift(a)
    axes = list(range(len(a.shape) - len(shape), len(a.shape)))
    return [_scaled(m, _standard(m, a, axes, eps), weight, bias), None, None]


@operation("native_group_norm")
def group_norm(
    m: Machine, a: Any, weight: Any, bias: Any, n: int, c: int, size: int, groups: int, eps: float
) -> list[Any]:
    a = m.lift(a)
    flat = m.reshape(a, n, groups, c // groups * size)
    out = m.reshape(_standard(m, flat, [2], eps), *a.shape)
    return [_scaled(m, out, weight, bias, len(a.shape) - 2), None, None]


@operation("_native_batch_norm_legit_no_training")
def batch_norm(
    m: Machine, a: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float
) -> list[Any]:
    a = m.lift(a)
    trailing = len(a.shape) - 2
    channel = lambda v: m.reshape(m.lift(v), *v.shape, *[1] * trailing)  # noqa: E731
    spread = m.function(m.add(channel(var), float(eps)), "rsqrt")
    out = m.multiply(m.subtract(a, channel(mean)), spread)
    return [_scaled(m, out, weight, bias, trailing), None, None]


@operation("_native_batch_norm_legit")
def instance_norm(m: Machine, a: Any, weight: Any, bias: Any, *rest: Any) -> list[Any]:
    if len(rest) != 3:
        raise Unable("A batch norm in training mode.")
    a = m.lift(a)
    out = _standard(m, a, [0, *range(2, len(a.shape))], rest[-1])
    return [_scaled(m, out, weight, bias, len(a.shape) - 2), None, None]


@operation("embedding")
def embedding(m: Machine, weight: Any, indices: Any, *_: Any) -> Value:
    table = m.lift(weight)
    tensors = indices.tensors if isinstance(indices, PerSample) else [indices]
    flat = np.stack([np.eye(table.shape[0])[t.numpy().ravel()] for t in tensors])
    out = m.matmul(Value(m.system.constant(flat)), table)
    return m.reshape(out, *tensors[0].shape, *table.shape[1:])


# Windows


def _listed(value: Any, axes: int) -> list[int]:
    value = list(value) if isinstance(value, (list, tuple)) else [value]
    return [int(v) for v in (value * axes if len(value) == 1 else value)]


def _combine(size: Sequence[int], places: Sequence[np.ndarray]) -> np.ndarray:
    """(places of a window, windows) as flat positions, from (windows, places) of each axis."""
    index = np.zeros((1, 1), dtype=np.int64)
    for n, at in zip(size, places, strict=True):
        rows = at.T  # (places, windows)
        joint = np.where(
            (index[:, None, :, None] < 0) | (rows[None, :, None, :] < 0),
            -1,
            index[:, None, :, None] * n + rows[None, :, None, :],
        )
        index = joint.reshape(len(index) * len(rows), -1)
    return index


def _sliding(
    size: Sequence[int], out: Sequence[int], kernel: Any, stride: Any, padding: Any, dilation: Any
) -> np.ndarray:
    axes = len(size)
    lists = [_listed(v, axes) for v in (kernel, stride, padding, dilation)]
    places = []
    for n, o, k, s, p, d in zip(size, out, *lists, strict=True):
        at = np.arange(o)[:, None] * s - p + np.arange(k) * d
        places.append(np.where((at >= 0) & (at < n), at, -1))
    return _combine(size, places)


def _viewed(m: Machine, x: Value, index: np.ndarray, axes: int) -> Value:
    """(..., places, windows): entries of x that windows on its last axes see."""
    lead = math.prod(x.shape[: len(x.shape) - axes])
    size = math.prod(x.shape[len(x.shape) - axes :])
    shifted = np.where(index < 0, -1, index + size * np.arange(lead)[:, None, None])
    return m.move([x], lambda _: torch.from_numpy(shifted + 1))


@operation("convolution")
def convolution(
    m: Machine,
    x: Any,
    w: Any,
    b: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Value:
    x, w = m.lift(x), m.lift(w)
    shape = tuple(m.node.meta["val"].shape)
    axes, size, out = len(shape) - 2, x.shape[2:], shape[2:]
    kernel = w.shape[2:]
    if x.shape[0] != 1:
        raise Unable("A convolution of more than one sample.")
    if transposed:
        places = []
        lists = [_listed(v, axes) for v in (stride, padding, dilation)]
        for n, o, k, s, p, d in zip(size, out, kernel, *lists, strict=True):
            at = np.arange(o)[:, None] + p - np.arange(k) * d
            fits = (at % s == 0) & (at // s >= 0) & (at // s < n)
            places.append(np.where(fits, at // s, -1))
        index = _combine(size, places)
    else:
        index = _sliding(size, out, kernel, stride, padding, dilation)
    count = math.prod(kernel)
    c_in, c_out = x.shape[1], shape[1]
    seen = m.reshape(_viewed(m, x, index, axes), groups, c_in // groups * count, math.prod(out))
    if transposed:  # (in, out / groups, kernel)
        each = m.reshape(w, groups, c_in // groups, c_out // groups, count)
        weight = m.move(
            [each], lambda p: p.permute(0, 2, 1, 3).reshape(groups, c_out // groups, -1)
        )
    else:
        weight = m.reshape(w, groups, c_out // groups, c_in // groups * count)
    y = m.reshape(m.matmul(weight, seen), *shape)
    return y if b is None else m.add(y, m.reshape(m.lift(b), c_out, *[1] * axes))


@operation("avg_pool2d", "avg_pool3d")
def average_pool(
    m: Machine,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Value:
    x = m.lift(x)
    shape = tuple(m.node.meta["val"].shape)
    axes = int(m.node.target._schema.name[-2])  # type: ignore[union-attr]
    size, out = x.shape[-axes:], shape[-axes:]
    stride = stride or kernel
    index = _sliding(size, out, kernel, stride, padding, 1)
    if divisor is not None:
        counts = np.full(index.shape[1], float(divisor))
    elif count_include_pad:
        counts = np.ones(1)
        lists = [_listed(v, axes) for v in (kernel, stride, padding)]
        for n, o, k, s, p in zip(size, out, *lists, strict=True):
            begin = np.arange(o) * s - p
            counts = np.outer(counts, np.minimum(begin + k, n + p) - begin).ravel()
    else:
        counts = (index >= 0).sum(0)
    sums = m.total(_viewed(m, x, index, axes), [1])
    return m.reshape(m.multiply(sums, m.reciprocal(counts.astype(float))), *shape)


def _shared_out(size: Sequence[int], out: Sequence[int]) -> np.ndarray:
    """Windows of adaptive pools."""
    places = []
    for n, o in zip(size, out, strict=True):
        begin = np.arange(o) * n // o
        end = -(-(np.arange(1, o + 1) * n) // o)
        at = begin[:, None] + np.arange(int((end - begin).max()))
        places.append(np.where(at < end[:, None], at, -1))
    return _combine(size, places)


@operation("_adaptive_avg_pool2d", "_adaptive_avg_pool3d")
def adaptive_average(m: Machine, x: Any, wanted: Any) -> Value:
    x, shape, axes = m.lift(x), tuple(m.node.meta["val"].shape), len(wanted)
    index = _shared_out(x.shape[-axes:], shape[-axes:])
    sums = m.total(_viewed(m, x, index, axes), [1])
    counts = (index >= 0).sum(0).astype(float)
    return m.reshape(m.multiply(sums, m.reciprocal(counts)), *shape)


def _maximum_over(m: Machine, x: Value, index: np.ndarray, axes: int, shape: Any) -> list[Any]:
    seen = m.move([_viewed(m, x, index, axes)], lambda p: p.transpose(1, 2))
    return [m.reshape(_largest(m, seen, (index >= 0).T), *shape), None]


@operation("adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_maximum(m: Machine, x: Any, wanted: Any) -> list[Any]:
    x, shape, axes = m.lift(x), tuple(m.node.meta["val"][0].shape), len(wanted)
    return _maximum_over(m, x, _shared_out(x.shape[-axes:], shape[-axes:]), axes, shape)


@operation("max_pool2d_with_indices", "max_pool3d_with_indices")
def maximum_pool(
    m: Machine,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> list[Any]:
    x, shape = m.lift(x), tuple(m.node.meta["val"][0].shape)
    axes = 3 if "3d" in m.node.target._schema.name else 2  # type: ignore[union-attr]
    size, out = x.shape[-axes:], shape[-axes:]
    index = _sliding(size, out, kernel, stride or kernel, padding, dilation)
    return _maximum_over(m, x, index, axes, shape)


@operation("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def nearest(m: Machine, x: Any, *args: Any, **kwargs: Any) -> Value:
    target: Any = m.node.target
    return m.move([x], lambda p: target(p.double(), *args, **kwargs).long())


@operation("upsample_bilinear2d", "upsample_linear1d", "upsample_bicubic2d")
def interpolated(m: Machine, x: Any, *args: Any, **kwargs: Any) -> Value:
    """The weights that PyTorch uses, by its own function of unit vectors."""
    x, target = m.lift(x), m.node.target
    size = math.prod(x.shape[2:])
    units = torch.eye(size, dtype=torch.float64).reshape(size, 1, *x.shape[2:])
    weights = target(units, *args, **kwargs).reshape(size, -1)  # type: ignore[operator]
    shape = tuple(m.node.meta["val"].shape)
    flat = m.reshape(x, 1, math.prod(x.shape[:2]), size)
    wide = m.constant(weights.numpy()[None])
    return m.reshape(m.matmul(flat, wide), *shape)


# The claims -------------------------------------------------------------------------------------


def _inputs(export: Export, system: Any, leaves: Sequence[Tensor]) -> list[Any]:
    """The samples in a number system, each one a batch of size 1."""
    out: list[Any] = []
    for leaf in leaves:
        if leaf.is_floating_point():
            out.append(Value(system.sample(leaf.numpy()[:, None])))
        else:
            out.append(PerSample([leaf[i : i + 1] for i in range(len(leaf))]))
    return out


def _submatrix(
    export: Export, system: Any, leaves: Sequence[Tensor], rows: Any, columns: Any
) -> Parts:
    """The named rows and columns of the tangent matrix."""
    machine = Machine(export, system)
    output = machine(_inputs(export, system, leaves))
    n = len(leaves[0])
    output.parts = tuple(np.broadcast_to(p, (n, *p.shape[1:])) for p in output.parts)
    square: list[np.ndarray] | None = None
    by_output: dict[int, list[int]] = {}
    for place, (_, position) in enumerate(rows):
        by_output.setdefault(position, []).append(place)
    with np.errstate(all="ignore"):
        for position, places in by_output.items():
            samples = [rows[place][0] for place in places]
            found = machine.rows(output, position)
            if square is None:
                square = [np.empty((len(rows), len(columns)), part.dtype) for part in found]
            for out, part in zip(square, found, strict=True):
                out[places] = part[samples][:, columns]
    assert square is not None
    return tuple(square)


def has_kinks(export: Export) -> bool:
    """Whether a run asks for signs: found out by running one."""
    probe = Loose()
    leaves = [
        torch.zeros(1, *tuple(node.meta["val"].shape)[1:], dtype=node.meta["val"].dtype)
        for node, (kind, _) in export.given.items()
        if kind == "input"
    ]
    Machine(export, probe)(_inputs(export, probe, leaves))
    return bool(probe.signs)


def prove_lower(content: dict[str, Any], export: Export, leaves: list[Tensor]) -> str:
    """Prove the lower bound; how, in words."""
    lower = content["lower"]
    rows, columns, method = lower["rows"], lower["columns"], lower["method"]
    require(
        all(s < len(leaves[0]) and o < export.outputs for s, o in rows),
        "A row names a sample or an output that does not exist.",
    )
    require(all(j < export.n_params for j in columns), "A column does not exist.")
    kinks = has_kinks(export)
    margin = MARGIN if kinks else 0.0
    if method == "exact":
        return _prove_exactly(lower, export, leaves, margin)
    if method == "float64":
        try:
            square = _submatrix(export, Floats(margin), leaves, rows, columns)
            bound = float_bound(*square)
        except Undecided:
            bound = math.inf
        if bound < 1:
            return f"by float64 enclosures, ||I - C A|| <= {bound:.1e}"
    precision: Any = lower.get("precision")
    require(
        is_count(precision) and 2 <= precision <= 2**20, "The precision must be a number of bits."
    )
    most = 2 * max(precision, 128)
    for used in (most // 2, most):
        with bits(used):
            try:
                square = _submatrix(export, Balls(margin), leaves, rows, columns)
            except Undecided:
                continue
            if nonsingular(square[0]):
                return f"by ball arithmetic at {used} bits"
    raise Rejected(
        f"The {len(rows)} rows and columns do not prove the rank: balls of {most} bits leave the "
        "determinant open, or a sign at a kink."
    )


def _prove_exactly(
    lower: dict[str, Any], export: Export, leaves: list[Tensor], margin: float
) -> str:
    """The determinant modulo the prime of the certificate, the signs being proved first."""
    prime: Any = lower.get("prime")
    require(
        is_count(prime) and 2**29 < prime < 2**31 and bool(fmpz(prime).is_prime()),
        "An exact proof needs a prime of 30 or 31 bits.",
    )
    signs = proved_signs(export, leaves, margin)
    system = Residues([prime], signs)
    try:
        square = _submatrix(export, system, leaves, lower["rows"], lower["columns"])
    except Vanishes:
        raise Rejected("A denominator vanishes modulo the prime of the certificate.") from None
    require(not system.symbolic, "The model is not made of exact operations alone.")
    size = len(square[0])
    matrix = nmod_mat(size, size, square[0].astype(np.int64).ravel().tolist(), prime)
    require(
        matrix.rank() == size,
        f"The determinant of the {size} rows and columns is zero modulo the prime {prime}.",
    )
    return f"exactly modulo the prime {prime}"


def proved_signs(export: Export, leaves: list[Tensor], margin: float) -> list[np.ndarray]:
    """Signs at the kinks, by float64 or by balls."""
    attempts: list[tuple[Any, int]] = [(Floats(margin), 53)]
    attempts += [(Balls(margin), precision) for precision in (128, 512, 2048)]
    for system, precision in attempts:
        with bits(max(precision, 53)):
            try:
                Machine(export, system)(_inputs(export, system, leaves))
            except Undecided:
                continue
        return [np.broadcast_to(s, (len(leaves[0]), *s.shape[1:])) for s in system.signs]
    raise Rejected("A sample lies on a kink, where the model has no derivative.")


def float_bound(middle: np.ndarray, radius: np.ndarray) -> float:
    """A bound on ||I - C A||, C an approximate inverse, by float64 alone."""
    size = len(middle)
    if not (np.isfinite(middle).all() and np.isfinite(radius).all()):
        return math.inf
    for axis in (0, 1, 0, 1):
        most = np.abs(middle).max(axis, keepdims=True)
        if not most.all():
            return math.inf
        exponent = np.frexp(most)[1]
        middle, radius = np.ldexp(middle, -exponent), np.ldexp(radius, -exponent) + TINY
    try:
        inverse_ = np.linalg.inv(middle)
    except np.linalg.LinAlgError:
        return math.inf
    ones = np.ones(size)
    gamma = (size + 6) * ULP / (1 - (size + 6) * ULP)
    sizes = np.abs(inverse_)
    rest = np.abs(np.eye(size) - inverse_ @ middle) @ ones + 8 * size * ULP
    rest = rest + gamma * (sizes @ (np.abs(middle) @ ones)) + sizes @ (radius @ ones)
    bound = float(rest.max()) * (1 + 32 * (size + 4) * ULP) + size * TINY
    return bound if math.isfinite(bound) else math.inf


def nonsingular(matrix: np.ndarray) -> bool:
    """Whether balls prove a matrix nonsingular, its rows and columns scaled by powers of two."""
    size = len(matrix)
    balls = matrix.ravel().tolist()
    if not all(ball.is_finite() for ball in balls):
        return False

    def exponent(ball: arb) -> int:
        mantissa, power = ball.abs_upper().man_exp()
        return int(mantissa).bit_length() + int(power) if mantissa else -(10**9)

    powers = np.array([exponent(ball) for ball in balls]).reshape(size, size)
    by_row = powers.max(1)
    by_column = (powers - by_row[:, None]).max(0)
    if min(by_row.min(), by_column.min()) < -(10**8):
        return False
    two = arb(2)
    scaled = [
        matrix[i, j] * two ** int(-by_row[i] - by_column[j])
        for i in range(size)
        for j in range(size)
    ]
    square = arb_mat(size, size, scaled)
    try:
        square.solve(arb_mat(size, 1, [1] * size))
    except ZeroDivisionError:
        return False
    return True


PRIMES = 3


def random_primes(count: int) -> list[int]:
    """Distinct random primes between 2^30 and 2^31."""
    found: list[int] = []
    while len(found) < count:
        draw = 2**30 + secrets.randbelow(2**30) | 1
        if draw not in found and fmpz(draw).is_prime():
            found.append(draw)
    return found


def _formal_rows(export: Export, leaves: list[Tensor] | None, count: int) -> tuple[list[int], Any]:
    """Primes, and the rows (n, c, M) with activations as symbols modulo each of them."""
    kinks = has_kinks(export)
    for _ in range(20):
        primes = random_primes(PRIMES)
        shapes = [
            (tuple(node.meta["val"].shape), node.meta["val"].is_floating_point())
            for node, (kind, _) in export.given.items()
            if kind == "input"
        ]
        if leaves is None:
            if not all(real for _, real in shapes):
                raise Unable("Random samples cannot stand for integer inputs.")
            source = torch.Generator().manual_seed(secrets.randbits(60))
            first = [
                (torch.randn(shape, generator=source, dtype=torch.float64) * 2**20).round() / 2**20
                for shape, _ in shapes
            ]
        else:
            first = [leaf[:1] for leaf in leaves]
        margin = MARGIN if kinks else 0.0
        try:
            signs = proved_signs(export, first, margin) if kinks else []
        except Rejected:
            continue
        if leaves is not None and kinks:
            rest = proved_signs(export, leaves, margin)
            signs = [np.concatenate(pair) for pair in zip(signs, rest, strict=True)]
        system = Residues(primes, signs)
        try:
            return primes, _run_formally(export, system, first, leaves, shapes, count)
        except Vanishes:
            continue
    raise Unable("Every set of primes made a denominator vanish.")


def _run_formally(
    export: Export, system: Residues, first: Any, leaves: Any, shapes: Any, count: int
) -> list[np.ndarray]:
    """Rows at random samples, or at the given ones, behind sample 0, whose rows are dropped."""
    sample: list[Any] = []
    for k, (shape, real) in enumerate(shapes):
        if not real:
            assert leaves is not None
            tensors = [first[k], *(leaves[k][i : i + 1] for i in range(len(leaves[k])))]
            sample.append(PerSample(tensors))
            continue
        begin = system.sample(first[k].numpy()[:, None])
        if leaves is None:
            rest = system.random((count, *shape))
        else:
            rest = system.sample(leaves[k].numpy()[:, None])
        sample.append(Value(tuple(np.concatenate(pair) for pair in zip(begin, rest, strict=True))))
    n = 1 + (count if leaves is None else len(leaves[0]))
    machine = Machine(export, system)
    output = machine(sample)
    output.parts = tuple(np.broadcast_to(p, (n, *p.shape[1:])) for p in output.parts)
    rows = [machine.rows(output, position) for position in range(export.outputs)]
    return [np.stack([row[k][1:] for row in rows], axis=1) for k in range(len(system.primes))]


def _rank(matrix: np.ndarray, prime: int, most: int) -> int:
    """Rank modulo a prime, if it is below ``most``: of random combinations of the columns."""
    if matrix.shape[1] > most:
        field = Residues([prime])
        (matrix,) = field.matmul((matrix,), field.random((matrix.shape[1], most)))
    rows, columns = matrix.shape
    return nmod_mat(rows, columns, matrix.astype(np.int64).ravel().tolist(), prime).rank()


def check_upper(content: dict[str, Any], export: Export, leaves: list[Tensor] | None) -> str:
    """Check the upper bound; how, in words.

    Raises:
        Unable: if it cannot be checked here.
        Rejected: if it is wrong.
    """
    rank, by = content["upper"]["rank"], content["upper"]["by"]
    given = content["quantity"] == "rank on samples"
    if by == "parameters":
        require(
            rank == export.n_params,
            f"The upper bound must be the number of parameters, {export.n_params}, got {rank}.",
        )
    if by == "rows":
        require(given, "Only a rank on samples is bounded by its rows.")
        require(
            rank == content["n_rows"],
            f"The upper bound must be the number of rows, {content['n_rows']}, got {rank}.",
        )
    if rank >= export.n_params:
        return "the number of parameters"
    if given and rank >= content["n_rows"]:
        return "the number of rows"
    samples = leaves if given else None
    outputs = export.outputs
    count = math.ceil((rank + 1) / outputs) + 2
    while True:
        primes, parts = _formal_rows(export, samples, count)
        ranks, settled = [], True
        for p, rows in zip(primes, parts, strict=True):
            flat = rows.reshape(len(rows) * outputs, -1)
            found = _rank(flat, p, rank + 8)
            if found > rank:
                raise Unable(
                    f"With activations as symbols the rank is at least {found}, above {rank}: the "
                    "upper bound rests on something that this checker does not know."
                )
            ranks.append(found)
            if samples is None and _rank(flat[:-outputs], p, rank + 8) < found:
                settled = False
        if settled:
            return (
                f"the rank {max(ranks)} with activations as symbols, modulo {PRIMES} random primes "
                "of 31 bits drawn here"
            )
        count *= 2


def check(source: str | Path | dict[str, Any], model: nn.Module) -> Report:
    """Check a certificate against a model.

    Args:
        source: the file, or its content.
        model: the module that the certificate is about, with its parameters.

    Returns:
        What was proved, what was not, and why.
    """
    try:
        content = read(source)
        leaves = stored_samples(content)
        export = _compared(content, model, leaves)
    except Rejected as error:
        return Report(None, None, True, (f"Rejected: {error}",))
    except Unable as error:
        return Report(None, None, True, (f"Rejected, since nothing could be checked: {error}",))
    return _checked(content, export, leaves)


def _compared(content: dict[str, Any], model: nn.Module, leaves: list[Tensor] | None) -> Export:
    """Export the model, and compare it with what the certificate says of it."""
    described = content["model"]["parameters"]
    own = [[name, list(p.shape)] for name, p in model.named_parameters() if p.requires_grad]
    require(
        described == own,
        "The model's trainable parameters are not those of the certificate: their names, order or "
        "shapes differ.",
    )
    if leaves is None:
        shape = content["model"].get("input_shape")
        require(isinstance(shape, list) and all(map(is_count, shape)), "An input shape is needed.")
        leaves = [torch.zeros(1, *shape, dtype=torch.float64)]
        structure: Any = "tensor"
    else:
        structure = content["samples"].get("structure")
    try:
        export = export_model(model, structure, leaves)
    except (TypeError, ValueError, IndexError) as error:
        raise Rejected(f"The samples do not fit the model: {error}.") from None
    graph, values = hashes(export)
    made = content["made_with"].get("torch")
    version = (
        ""
        if made == torch.__version__
        else f" (the certificate was made with PyTorch {made}, and this is {torch.__version__})"
    )
    require(
        values == content["model"]["parameters_sha256"],
        "The parameters or buffers of the model are not those of the certificate: their SHA-256.",
    )
    require(
        graph == content["model"]["sha256"],
        f"The model is not that of the certificate: the SHA-256 of its operations{version}.",
    )
    if content["n_rows"] is not None:
        require(
            content["n_rows"] == len(leaves[0]) * export.outputs,
            "The number of rows is not that of the samples times outputs.",
        )
    return export


def _checked(content: dict[str, Any], export: Export, leaves: list[Tensor] | None) -> Report:
    """Both bounds."""
    lower, upper = content["lower"]["rank"], content["upper"]["rank"]
    sentences: list[str] = []
    try:
        if lower == 0:
            sentences.append("Lower bound 0: nothing to prove.")
        else:
            assert leaves is not None
            how = prove_lower(content, export, leaves)
            sentences.append(f"Lower bound {lower}: proved, {how}.")
    except Rejected as error:
        return Report(None, None, True, (f"Rejected: {error}",))
    except Unable as error:
        return Report(None, None, True, (f"Rejected, the lower bound is not proved: {error}",))
    except Exception as error:  # whatever it is, nothing is proved
        reason = f"{type(error).__name__}: {error}"
        return Report(None, None, True, (f"Rejected, the lower bound is not proved: {reason}.",))
    try:
        how = check_upper(content, export, leaves)
    except Rejected as error:
        return Report(lower, None, True, (*sentences, f"Rejected: {error}"))
    except Unable as error:
        sentences.append(f"Lower bound proved, upper bound {upper} not checked. {error}")
        return Report(lower, None, False, tuple(sentences))
    except Exception as error:  # whatever it is, nothing is checked
        reason = f"{type(error).__name__}: {error}"
        sentences.append(f"Lower bound proved, upper bound {upper} not checked. {reason}.")
        return Report(lower, None, False, tuple(sentences))
    sentences.append(f"Upper bound {upper}: checked, by {how}.")
    what = content["quantity"]
    if lower == upper:
        sentences.append(f"The {what} is {lower}.")
    else:
        sentences.append(f"The {what} is between {lower} and {upper}.")
    return Report(lower, upper, False, tuple(sentences))


# The command line -------------------------------------------------------------------------------


def _factory(text: str) -> nn.Module:
    """The module that ``./file.py:factory`` returns."""
    file, _, name = text.rpartition(":")
    path = Path(file)
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        sys.exit(f"Error: MODEL must be a file and a function, ./file.py:factory, got {text!r}.")
    sys.path.insert(0, str(path.resolve().parent))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, name):
        sys.exit(f"Error: {file} has no function {name!r}.")
    model = getattr(module, name)()
    if not isinstance(model, nn.Module):
        sys.exit(f"Error: {name}() must return a torch.nn.Module, got {type(model).__name__}.")
    return model


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Check a certificate of a rank.")
    parser.add_argument("file", help="the certificate")
    parser.add_argument("model", help="./file.py:factory, a function that returns the module")
    parser.add_argument("--state", help="weights (.pt) for the module")
    options = parser.parse_args(arguments)
    model = _factory(options.model)
    if options.state:
        if TorchVersion(torch.__version__) < SAFE_TORCH:
            sys.exit(f"Error: torch must be {SAFE_TORCH} or newer to read {options.state} safely")
        try:
            model.load_state_dict(torch.load(options.state, weights_only=True))
        except Exception as error:
            sys.exit(f"Error: {options.state} does not fit the model: {error}")
    report = check(options.file, model)
    print(report)
    return report.status


if __name__ == "__main__":
    sys.exit(main())
