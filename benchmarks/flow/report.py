"""The benchmark's results as Markdown tables, for the documentation."""

from __future__ import annotations


def _peers(results: dict) -> list[str]:
    """A row for each comparison."""
    phase, diffrax = results["phase"], results["diffrax"]
    rows = [
        (
            f"phase diagram, {phase['runs']} runs, width 20",
            phase["llr"]["seconds"],
            "LSODA, exact Jacobian, 2 processes",
            f"{phase['lsoda']['seconds']:.1f}",
            f"{phase['ratio']:.1f} x",
        ),
        (
            "the same, seconds of processor",
            phase["llr"]["processor_seconds"],
            "LSODA",
            f"{phase['lsoda']['processor_seconds']:.1f}",
            f"{phase['processor_ratio']:.1f} x",
        ),
        (
            f"one run, width {diffrax['width']}, n = 20",
            diffrax["llr_seconds"],
            "diffrax Kvaerno5",
            f"{diffrax['diffrax_seconds']:.1f}",
            f"{diffrax['ratio']:.0f} x",
        ),
    ]
    for row in results["wide"]:
        more = "" if row["bdf"]["finished"] else "more than "
        rows.append(
            (
                f"one run, width {row['width']}, n = 20",
                row["llr"]["seconds"],
                "BDF, exact Jacobian",
                f"{more}{row['bdf']['seconds']:.0f}",
                f"{more}{row['ratio']:,.0f} x",
            )
        )
    return [
        "| | llr, s | peer | its seconds | ratio |",
        "| --- | ---: | --- | ---: | ---: |",
        *(
            f"| {what} | {ours:.2g} | {peer} | {theirs} | {ratio} |"
            for what, ours, peer, theirs, ratio in rows
        ),
    ]


def _cost(results: dict) -> list[str]:
    """Cost against width and n."""
    lines = [
        "| n | width | steps | a step, ms | a run, s |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for axis in ("width", "n"):
        lines += [
            f"| {row['n']} | {row['width']} | {row['steps']:.0f} | "
            f"{1e3 * row['seconds_a_step']:.2g} | {row['seconds']:.2g} |"
            for row in results["cost"][axis]
        ]
    return lines


def _accuracy(results: dict) -> list[str]:
    """Accuracy against rtol."""
    head = "| rtol | steps | a run, s | test MSE off by: median | nine in ten | largest |"
    return [
        head,
        "|" + " ---: |" * 6,
        *(
            f"| {row['rtol']:g} | {row['steps']:.0f} | {row['seconds']:.2g} | "
            f"{row['median']:.1e} | {row['ninth_decile']:.1e} | {row['largest']:.1e} |"
            for row in results["accuracy"]
        ),
    ]


def markdown(results: dict) -> str:
    """Tables of the results, and where they were measured."""
    environment = results["environment"]
    versions = environment["versions"]
    used = ", ".join(f"{k} {versions[k]}" for k in ("scipy", "numba", "jax", "diffrax"))
    exponents = results["cost"]["exponents"]
    lines = [
        f"Measured on {environment['cpus']} cores ({environment['platform']}; {used}): the papers' "
        "target, no biases, initial deviation 1e-10, until a training MSE of 1e-20 or t = 1e8, "
        "rtol 1e-4.",
        "",
        *_peers(results),
        "",
        "Cost of one fully connected run on one core, medians over three seeds:",
        "",
        *_cost(results),
        "",
        "Fitted powers: a step grows like width to the "
        f"{exponents['seconds_a_step against width']:.2f} and n to the "
        f"{exponents['seconds_a_step against n']:.2f}, a run like width to the "
        f"{exponents['seconds against width']:.2f} and n to the "
        f"{exponents['seconds against n']:.2f}.",
        "",
        "Accuracy of the final test MSE against rtol (24 runs of width 20 around the optimistic "
        "sample sizes, compared with rtol 1e-8):",
        "",
        *_accuracy(results),
    ]
    return "\n".join(lines) + "\n"
