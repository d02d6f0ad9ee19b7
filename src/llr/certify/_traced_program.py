"""The forward pass of one sample as a list of ATen operations, with exact constants."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functionalize
from torch.fx.node import map_arg
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree

from llr._types import Parameters
from llr.certify._number_arrays import Movement
from llr.errors import LLRError, UnsupportedModuleError
from llr.tangent import ModelFunction, Samples, map_samples

__all__ = ["Program", "Reference", "Step", "trace"]


KINKS = frozenset(
    (
        *("relu", "leaky_relu", "rrelu_with_noise", "_prelu_kernel", "elu", "celu", "hardtanh"),
        *("hardsigmoid", "hardswish", "threshold", "abs", "sign", "clamp", "clamp_min"),
        *("clamp_max", "maximum", "minimum", "max", "min", "amax", "amin", "gt", "lt", "ge"),
        *("le", "max_pool2d_with_indices", "max_pool3d_with_indices", "adaptive_max_pool2d"),
        *("adaptive_max_pool3d",),
    )
)
"""Operations that ask for signs."""


@dataclass(frozen=True)
class Reference:
    """The value of an earlier step, or a part of it."""

    step: int


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        name: of the operation without its overload, as ``"addmm"``.
        call: the operation itself, which moves index tensors about and folds constants.
        args: arguments; ``Reference`` for values.
        kwargs: keyword arguments, likewise.
        shape: of the result, or of the first where there are several; None if it is no tensor.
        cache: movements of entries, by key, kept between runs.
    """

    name: str
    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: tuple[int, ...] | None
    cache: dict[int, Movement | list[Movement]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Program:
    """f(x; theta) of one sample, as a batch of one.

    Attributes:
        params: the parameters that make the columns of J, float64.
        inputs: shapes of the tensors of one sample, the batch axis included.
        real: whether each of these tensors is of real numbers (the others are integers).
        slots: parameters first, then the tensors of a sample, then constants: step indices of
            the values that are given.
        constants: the tensors that the program holds, by step index.
        steps: in order; those that are given are None.
        output: step whose value is the output.
        outputs: c, the number of outputs.
        text: the traced code.
    """

    params: Parameters
    inputs: tuple[tuple[int, ...], ...]
    real: tuple[bool, ...]
    slots: tuple[int, ...]
    constants: dict[int, Tensor]
    steps: tuple[Step | None, ...]
    output: int
    outputs: int
    text: str

    @cached_property
    def n_params(self) -> int:
        """M, the number of columns."""
        return sum(value.numel() for value in self.params.values())

    @cached_property
    def operations(self) -> tuple[str, ...]:
        """Names of the operations, each once, sorted."""
        return tuple(sorted({step.name for step in self.steps if step is not None}))

    @cached_property
    def kinks(self) -> bool:
        """Whether an operation may have a kink."""
        return not KINKS.isdisjoint(self.operations)

    def at(self, params: Parameters) -> Program:
        """The same program at other parameters."""
        return Program(
            params,
            self.inputs,
            self.real,
            self.slots,
            self.constants,
            self.steps,
            self.output,
            self.outputs,
            self.text,
        )

    def sample_arrays(self, x: Samples) -> list[np.ndarray]:
        """The tensors of n samples, each (n, 1, ...): the sample axis, then the batch of one."""
        return [leaf.detach().cpu().numpy()[:, None] for leaf in pytree.tree_leaves(x)]


@contextlib.contextmanager
def _plain_arithmetic() -> Iterator[None]:
    """Attention and recurrences as sums and products, in place of fused kernels."""
    from torch._dispatch.python import enable_python_dispatcher

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            sdpa_kernel(SDPBackend.MATH),
            torch.no_grad(),
            enable_python_dispatcher(),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def trace(function: ModelFunction, sample: Samples) -> Program:
    """Trace a model on a batch of one.

    Args:
        function: the model as a pure function.
        sample: one sample; only shapes and dtypes matter.

    Raises:
        UnsupportedModuleError: if control flow depends on the data, or the model cannot be traced.
    """
    from torch.fx.experimental.proxy_tensor import make_fx

    was_training = _in_training(function.module)
    example = map_samples(torch.zeros_like, sample)
    mode: dict[str, Any] = {"tracing_mode": "fake", "_allow_non_fake_inputs": True}
    try:
        with _plain_arithmetic():
            graph = make_fx(functionalize(function, remove="mutations"), **mode)(
                function.params, example
            )
            if any(
                str(node.target).split(".")[1:2] and _in_place(node) for node in graph.graph.nodes
            ):
                # Work in place that shows only behind composite operations: once more.
                leaves = pytree.tree_leaves((function.params, example))

                def again(*values: Tensor) -> Any:
                    return graph(*pytree.tree_unflatten(values, spec))

                spec = pytree.tree_structure((function.params, example))
                graph = make_fx(functionalize(again, remove="mutations"), **mode)(*leaves)
    except LLRError:
        raise
    except Exception as error:  # tracing runs the user's code and raises many kinds
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UnsupportedModuleError(
            "a certificate needs a forward pass made of the same operations for every input, but "
            f"{_name(function)} could not be traced: {type(error).__name__}: {reason} Avoid "
            "branches on values (if x.sum() > 0), .item(), and operations of other libraries."
        ) from error
    finally:
        _restore(was_training)
    for node in list(graph.graph.nodes):
        if "_assert" in str(node.target):  # checks of the program, which compute nothing
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    return _read(graph, function, example)


def _in_place(node: torch.fx.Node) -> bool:
    """Whether a node changes its argument."""
    parts = str(node.target).split(".")
    return node.op == "call_function" and len(parts) > 1 and parts[1].endswith("_")


def _name(function: ModelFunction) -> str:
    """Of the model, for a message."""
    return "the function" if function.module is None else type(function.module).__name__


def _in_training(module: nn.Module | None) -> list[nn.Module]:
    """Put a module into eval mode; returns the parts that were not."""
    parts = [] if module is None else [part for part in module.modules() if part.training]
    for part in parts:
        part.training = False
    return parts


def _restore(parts: list[nn.Module]) -> None:
    """Back to train mode."""
    for part in parts:
        part.training = True


def _read(graph: torch.fx.GraphModule, function: ModelFunction, example: Samples) -> Program:
    """The graph as a program."""
    place: dict[torch.fx.Node, int] = {}
    steps: list[Step | None] = []
    slots: list[int] = []
    constants: dict[int, Tensor] = {}
    output = outputs = -1

    def lowered(value: Any) -> Any:
        to_reference: Any = lambda node: Reference(place[node])  # noqa: E731
        return map_arg(value, to_reference)

    for node in graph.graph.nodes:
        if node.op == "output":
            last = pytree.tree_leaves(node.args[0])[0]
            output, outputs = place[last], last.meta["val"].numel()
            break
        place[node] = len(steps)
        if node.op == "placeholder":
            slots.append(len(steps))
            steps.append(None)
        elif node.op == "get_attr":
            constants[len(steps)] = getattr(graph, str(node.target)).detach()
            steps.append(None)
        else:
            value = node.meta.get("val")
            first = value[0] if isinstance(value, (tuple, list)) and value else value
            shape = tuple(first.shape) if isinstance(first, Tensor) else None
            steps.append(
                Step(_operation(node), node.target, lowered(node.args), lowered(node.kwargs), shape)
            )
    leaves = pytree.tree_leaves(example)
    return Program(
        params=function.params,
        inputs=tuple(tuple(leaf.shape) for leaf in leaves),
        real=tuple(leaf.is_floating_point() for leaf in leaves),
        slots=tuple(slots),
        constants=constants,
        steps=tuple(steps),
        output=output,
        outputs=outputs,
        text=graph.code,
    )


def _operation(node: torch.fx.Node) -> str:
    """``"addmm"`` of ``aten.addmm.default``; a Python function's own name."""
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        namespace, _, name = target._schema.name.partition("::")
        return name if namespace == "aten" else f"{namespace}::{name}"
    return getattr(target, "__name__", str(target))
