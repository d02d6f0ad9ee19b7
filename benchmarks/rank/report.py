"""The benchmark's results as a Markdown table, for the documentation."""

from __future__ import annotations

GIGABYTE = 1e9
NAMES = {
    "mlp": "20-300-300-1 tanh network, at random",
    "target": "the same at a narrow target",
    "resnet": "ResNet-18, BatchNorm in eval mode",
}


def markdown(contents: dict) -> str:
    """A row a case, and where it was measured."""
    environment = contents["environment"]
    lines = [
        f"Measured on {environment['cpus']} cores ({environment['platform']}; torch "
        f"{environment['versions']['torch']}). Each figure is the best of some rounds in a process "
        "of its own; memory is that process's peak, Python and torch included.",
        "",
        "| | J | rank | llr | peer | speed | memory |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for case, found in contents["results"].items():
        own, peer = found["llr"], found.get("peer")
        rows, columns = own["n_rows"], own["n_params"]
        cells = [
            NAMES[case],
            f"{rows:,} x {columns:,}, {_gigabytes(8 * rows * columns)}",
            f"{own['rank']:,}",
            _cost(own),
        ]
        if peer is None:
            cells += ["more than there is", "", ""]
        else:
            ratios = found["ratios"]
            cells += [_cost(peer), f"{ratios['speed']:.1f} x", f"1/{ratios['memory']:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "The same matrices by each method of llr:",
        "",
        "| | method | seconds | peak memory |",
        "| --- | --- | ---: | ---: |",
    ]
    for case, found in contents["results"].items():
        for tool, row in found.items():
            if tool not in ("peer", "ratios"):
                chosen = f" within {_gigabytes(row['max_memory'])}" if tool == "llr" else ""
                figures = f"{row['seconds']:.1f} | {_gigabytes(row['peak_bytes'])}"
                lines.append(f"| {NAMES[case]} | {row['method']}{chosen} | {figures} |")
    return "\n".join(lines) + "\n"


def _cost(found: dict) -> str:
    """Time and memory."""
    return f"{found['seconds']:.1f} s, {_gigabytes(found['peak_bytes'])}"


def _gigabytes(size: float) -> str:
    """Bytes in GB."""
    return f"{size / GIGABYTE:.2f} GB"
