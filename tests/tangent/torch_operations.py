"""Models made of one operation of torch, and how the library's J compares with plain autograd's.

Each real tensor that an operation takes is a parameter, depends on the sample, or both: torch's
batching rules differ by which of its arguments have a batch axis. The result is projected onto c
outputs; samples and vectors in equal number to the outputs are among the shapes.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from llr.errors import LLRError
from llr.tangent import TangentOperator

ROLES = ("all batched", "none batched", "first is data", "last is data", "first unbatched")
SHAPES = ((3, 3), (2, 1), (2, 3))  # samples, outputs
CLOSE = 1e-8  # of the largest derivative
LARGEST = 400  # entries of the arguments together


@dataclass(frozen=True)
class Trial:
    """One operation at some arguments: a model, its parameters and samples."""

    name: str
    call: Callable[..., object]
    arguments: tuple[object, ...]
    keywords: dict[str, object]

    def __post_init__(self) -> None:
        flat, form = pytree.tree_flatten((self.arguments, self.keywords))
        object.__setattr__(self, "flat", flat)
        object.__setattr__(self, "form", form)

    @property
    def places(self) -> list[int]:
        """Which arguments can be parameters."""
        return [
            i
            for i, v in enumerate(self.flat)
            if isinstance(v, Tensor) and v.dtype == torch.float64 and v.requires_grad and v.numel()
        ]

    def model(self, role: str, n_outputs: int) -> tuple[Callable, dict[str, Tensor]] | None:
        """A function (params, x) -> y for samples x (n, 1), and its parameters."""
        places = self.places
        data = {"first is data": places[:1], "last is data": places[-1:]}.get(role, [])
        if not places or (data and len(places) < 2):
            return None
        plain = {"none batched": places, "first unbatched": places[:1]}.get(
            role, [] if role == "all batched" else [i for i in places if i not in data]
        )
        params = {f"p{i}": self.flat[i].detach().clone() for i in places if i not in data}

        def one(params: dict[str, Tensor], x: Tensor) -> Tensor:
            flat = list(self.flat)
            for i in places:
                bend = 1.0 + 0.01 * torch.sin(x + torch.arange(flat[i].numel()))
                bend = bend.reshape(flat[i].shape)
                own = params.get(f"p{i}", flat[i].detach())
                flat[i] = own if i in plain else own * bend
            args, kwargs = pytree.tree_unflatten(flat, self.form)
            out = torch.cat([part.flatten() for part in real_parts(self.call(*args, **kwargs))])
            weights = torch.sin(1.0 + torch.arange(n_outputs * len(out)) ** 2).to(out.dtype)
            return weights.view(n_outputs, -1) @ (out * (1.0 + 0.1 * x))

        return lambda params, x: torch.stack([one(params, sample) for sample in x]), params


def real_parts(out: object) -> list[Tensor]:
    """The float64 tensors in a result."""
    leaves = pytree.tree_leaves(out)
    return [v for v in leaves if isinstance(v, Tensor) and v.dtype == torch.float64]


def jacobian(model: Callable, params: dict[str, Tensor], x: Tensor) -> Tensor:
    """J by plain autograd, one sample and one output at a time."""
    rows = []
    for sample in x:
        leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
        for o in range(len(model(leaves, sample[None])[0])):
            out = model(leaves, sample[None])[0, o]
            grads = torch.autograd.grad(out, list(leaves.values()), materialize_grads=True)
            rows.append(torch.cat([grad.flatten() for grad in grads]))
    return torch.stack(rows)


def outcome(trial: Trial, role: str, n: int, c: int) -> str:
    """``equal``, ``mended`` (by the loop), ``refused``, ``skipped``, or what is wrong."""
    made = trial.model(role, c)
    if made is None:
        return "skipped"
    model, params = made
    x = torch.linspace(-1.0, 1.0, n, dtype=torch.float64)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            wanted = jacobian(model, params, x)
            again = jacobian(model, params, x)
        except (RuntimeError, TypeError, ValueError, NotImplementedError, IndexError):
            return "skipped"  # no derivative at all
    if not bool(wanted.isfinite().all()) or not torch.equal(wanted, again):
        return "skipped"  # random, or at a cusp
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            J = TangentOperator(model, x, params=params)
            got = J.to_dense()
            sources = torch.Generator().manual_seed(0)
            v = torch.randn(got.shape[1], c, generator=sources, dtype=torch.float64)
            u = torch.randn(got.shape[0], n, generator=sources, dtype=torch.float64)
            pushed, pulled = J @ v, J.T @ u
        except LLRError:
            return "refused"
        except Exception as error:
            return f"wrong: {type(error).__name__}: {str(error).splitlines()[0][:100]}"
    for kind, a, b in (
        ("J", got, wanted),
        ("J V", pushed, wanted @ v),
        ("J^T U", pulled, wanted.T @ u),
    ):
        if not bool(((a - b).abs() <= CLOSE * b.abs().max() + 1e-14).all()):
            return f"wrong: {kind}"
    loops = [w for w in caught if "one sample at a time" in str(w.message)]
    return "mended" if loops else "equal"


def sweep(trials: Iterator[Trial]) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """All outcomes, counted together and by operation."""
    total: Counter[str] = Counter()
    by_name: dict[str, Counter[str]] = {}
    for trial in trials:
        for role in ROLES:
            for n, c in SHAPES:
                found = outcome(trial, role, n, c)
                total[found.split(":")[0]] += 1
                by_name.setdefault(trial.name, Counter())[found] += 1
    return total, by_name


def torchs_own(most: int) -> Iterator[Trial]:
    """Every differentiable operation of torch's own tests, at up to ``most`` sets of arguments."""
    from torch.testing._internal.common_methods_invocations import op_db

    for info in op_db:
        if not info.supports_autograd or torch.float64 not in info.supported_dtypes("cpu"):
            continue
        name = f"{info.name}.{info.variant_test_name}".rstrip(".")
        yield from samples_of(name, info, most)


def samples_of(name: str, info: object, most: int) -> Iterator[Trial]:
    """Some of the arguments that torch's tests use, small ones, of different shapes."""
    torch.manual_seed(0)
    seen: set[object] = set()
    try:
        for sample in info.sample_inputs("cpu", torch.float64, requires_grad=True):
            arguments = (sample.input, *sample.args)
            tensors = [v for v in pytree.tree_leaves(arguments) if isinstance(v, Tensor)]
            shape = tuple(tuple(v.shape) for v in tensors)
            if shape in seen or sum(v.numel() for v in tensors) > LARGEST:
                continue
            seen.add(shape)
            yield Trial(name, info.op, arguments, dict(sample.kwargs))
            if len(seen) == most:
                return
    except (RuntimeError, ImportError, ValueError):  # arguments that need another library
        return
