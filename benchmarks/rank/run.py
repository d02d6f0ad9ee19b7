"""Model ranks of large tangent matrices: time and peak memory of llr beside its peer.

    python benchmarks/rank/run.py            # all: about ten minutes
    python benchmarks/rank/run.py mlp        # one of mlp, target, resnet; nothing written
    python benchmarks/rank/run.py --quick    # a tiny network, in seconds; nothing written

Each measurement is a process of its own, so that its peak memory (maximum resident set, Python and
torch included) is its own; the clock starts after imports and a warm-up on a tiny model.

mlp     20-300-300-1 tanh network, M = 97,000 parameters, 2,000 rows: full row rank
target  the same network at a narrow target, every neuron split: rank far below the rows
resnet  ResNet-18, M = 11 million, BatchNorm in eval mode, 100 images, 10 outputs: 1,000 rows

The peer, where it fits into memory: ``vmap(jacrev)`` and ``torch.linalg.matrix_rank``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from resnet import resnet18
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

import llr
from llr.seeds import generator
from llr.sweep import describe_environment
from report import GIGABYTE, markdown

HERE = Path(__file__).parent
ROUNDS = {"llr": 3, "peer": 2}


def mlp() -> tuple[nn.Module, Tensor, dict]:
    """A generic wide network."""
    model = llr.MLP(20, widths=[300, 300], generator=generator(0, "init"))
    return model, normal(2000, 20), {"max_memory": 0.5 * GIGABYTE}


def target() -> tuple[nn.Module, Tensor, dict]:
    """The wide network at the parameters of a narrow one."""
    narrow = llr.MLP(20, widths=[6, 5], generator=generator(0, "target"))
    llr.initialize(narrow, std=0.5, generator=generator(0, "target"))
    wide = llr.MLP(20, widths=[300, 300])
    wide.load_state_dict(llr.embed(narrow, wide, method="split", generator=generator(0, "noise")))
    return wide, normal(2000, 20), {"max_memory": 0.7 * GIGABYTE}


def resnet() -> tuple[nn.Module, Tensor, dict]:
    """ResNet-18 on images of 3 x 32 x 32, BatchNorm statistics those of the images."""
    images = normal(100, 3, 32, 32)
    model = resnet18(seed=0, images=images.float())
    return model, images, {"max_memory": 1.2 * GIGABYTE}


def tiny() -> tuple[nn.Module, Tensor, dict]:
    """A network small enough to try the benchmark itself."""
    return llr.MLP(5, widths=[20, 20], generator=generator(0, "init")), normal(100, 5), {}


PUBLISHED = ("mlp", "target", "resnet")
CASES: dict[str, Callable[[], tuple[nn.Module, Tensor, dict]]] = {
    case.__name__: case for case in (mlp, target, resnet, tiny)
}
HAS_PEER = ("mlp", "target", "tiny")  # a dense J of the ResNet would take 90 GB
OTHER_METHODS = {"mlp": ["dense"], "target": ["sketched"], "resnet": [], "tiny": ["sketched"]}


def normal(n: int, *shape: int) -> Tensor:
    return torch.randn(n, *shape, generator=generator(0, "probe"), dtype=torch.float64)


def by_llr(model: nn.Module, x: Tensor, options: dict) -> dict:
    """Rank, verdict and method."""
    result = llr.model_rank(model, x, **options)
    names = ("rank", "verdict", "method", "gap", "n_rows", "n_params")
    found = {name: getattr(result, name) for name in names}
    return found | {"max_memory": options.get("max_memory")}


def by_peer(model: nn.Module, x: Tensor, options: dict) -> dict:
    """The rank from the whole matrix."""
    params = {name: value.detach() for name, value in model.named_parameters()}

    def outputs(params: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(model, params, (sample[None],))[0]

    blocks = vmap(jacrev(outputs), (None, 0))(params, x)
    J = torch.cat([block.flatten(2) for block in blocks.values()], dim=2).flatten(0, 1)
    del blocks
    return {"rank": int(torch.linalg.matrix_rank(J))}


def by_method(method: str) -> Callable[[nn.Module, Tensor, dict], dict]:
    """One of llr's methods, with memory enough."""
    return lambda model, x, options: by_llr(model, x, {"method": method, "max_memory": 1e10})


MEASURED = {
    "llr": by_llr,
    "peer": by_peer,
    **{method: by_method(method) for method in ("dense", "chunked", "sketched")},
}


def measure(case: str, tool: str) -> None:
    """Run in a process of its own: print one line of JSON."""
    warm = llr.MLP(2, widths=[2, 2], generator=generator(0, "init"))
    MEASURED[tool](warm, normal(8, 2), {"method": "chunked"})
    MEASURED[tool](warm, normal(8, 2), {"method": "sketched"})
    model, x, options = CASES[case]()
    seconds, found = [], {}
    for _ in range(1 if case == "resnet" else ROUNDS.get(tool, 1)):
        start = time.perf_counter()
        found = MEASURED[tool](model, x, options)
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**found, "seconds": min(seconds), "peak_bytes": peak}))


def run(case: str, tool: str) -> dict:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, case, "--tool", tool]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(case: str) -> dict:
    """llr and its peer on one case, printed."""
    tools = ["llr", *(["peer"] if case in HAS_PEER else []), *OTHER_METHODS[case]]
    results = {tool: run(case, tool) for tool in tools}
    own = results["llr"]
    dense = 8 * own["n_rows"] * own["n_params"]
    print(f"{case}: {own['n_rows']} x {own['n_params']}, J alone {dense / GIGABYTE:.2f} GB")
    for tool, found in results.items():
        print(
            f"  {tool:<8} rank {found['rank']:<6} {found['seconds']:8.2f} s "
            f"{found['peak_bytes'] / GIGABYTE:6.2f} GB  {found.get('method', 'vmap(jacrev)')}",
            flush=True,
        )
        assert found["rank"] == own["rank"], "the ranks must be equal"
    if "peer" in results:
        peer = results["peer"]
        speed = peer["seconds"] / own["seconds"]
        memory = peer["peak_bytes"] / own["peak_bytes"]
        results["ratios"] = {"speed": speed, "memory": memory}
        print(f"  llr is {speed:.1f} times faster in {1 / memory:.2f} of the memory, same rank")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="?", choices=list(CASES))
    parser.add_argument("--quick", action="store_true", help="the case 'tiny' alone")
    parser.add_argument("--tool", choices=list(MEASURED), help="measure here, in this process")
    arguments = parser.parse_args()
    if arguments.tool:
        measure(arguments.case, arguments.tool)
    elif arguments.case or arguments.quick:
        compare(arguments.case or "tiny")
    else:
        results = {case: compare(case) for case in PUBLISHED}
        environment = describe_environment() | {"threads": torch.get_num_threads()}
        contents = {"environment": environment, "results": results}
        (HERE / "results.json").write_text(json.dumps(contents, indent=2) + "\n")
        (HERE / "table.md").write_text(markdown(contents))


if __name__ == "__main__":
    main()
