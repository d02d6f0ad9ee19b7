"""Print the size and shape of the package: what the project says about itself in numbers.

    python tools/measure_code.py            # of this checkout
    python tools/measure_code.py FOLDER     # of another one

Files, lines and functions, the largest of each, how many names each part exports, and how many
imports between files stay inside a part or lead to another, and whether any form a cycle.
"""

from __future__ import annotations

import ast
import graphlib
import statistics
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "llr"


@dataclass(frozen=True)
class Module:
    """One file of the package: its dotted name, source and syntax tree."""

    name: str
    is_package: bool
    n_lines: int
    tree: ast.Module

    @property
    def part(self) -> str:
        """The first name below the package: ``theory`` of ``llr.theory.deep._rank``."""
        return self.name.split(".")[1] if "." in self.name else self.name


def read_modules(source: Path) -> list[Module]:
    """Every file of the package."""
    modules = []
    for path in sorted((source / PACKAGE).rglob("*.py")):
        names = list(path.relative_to(source).with_suffix("").parts)
        is_package = names[-1] == "__init__"
        text = path.read_text(encoding="utf-8")
        name = ".".join(names[:-1] if is_package else names)
        modules.append(Module(name, is_package, len(text.splitlines()), ast.parse(text)))
    return modules


def functions_of(module: Module) -> list[tuple[str, int]]:
    """Functions and methods with their number of lines, decorators included."""
    return [
        (f"{module.name}.{node.name}", _n_lines(node))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def exported(tree: ast.Module) -> list[str]:
    """The names of ``__all__``, as written or added to."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets) and node.value:
                names += [
                    part.value
                    for part in ast.walk(node.value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                ]
    return names


def imports_of(module: Module, known: set[str]) -> set[str]:
    """The files of the package that a file imports, wherever in it, type-only imports included."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            candidates = [f"{node.module}.{alias.name}" for alias in node.names if node.module]
        else:
            continue
        for name in candidates:
            owner = name if name in known else name.rpartition(".")[0]
            if owner in known and owner != module.name:
                found.add(owner)
    return found


def first_cycle(modules: list[Module], known: set[str]) -> str:
    """The files of an import cycle, type-only imports included, or ``none``."""
    graph = {module.name: imports_of(module, known) - {PACKAGE} for module in modules}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return " -> ".join(error.args[1])
    return "none"


def _n_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first decorator to the last line."""
    first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
    return (node.end_lineno or node.lineno) - first + 1


def main(folder: Path) -> None:
    """Print everything."""
    modules = read_modules(folder / "src")
    known = {module.name for module in modules}
    largest = max(modules, key=lambda module: module.n_lines)
    functions = [function for module in modules for function in functions_of(module)]
    longest, length = max(functions, key=lambda function: function[1])
    lines = [module.n_lines for module in modules]
    print(f"files      {len(modules)}, {sum(lines):,} lines; median {statistics.median(lines):g}")
    print(f"           largest {largest.n_lines}: {largest.name}")
    print(f"           over 150 lines: {sum(n > 150 for n in lines)}, over 300: ", end="")
    print(sum(n > 300 for n in lines))
    print(
        f"functions  {len(functions)}; median {statistics.median(n for _, n in functions):g} lines"
    )
    print(f"           longest {length}: {longest}")

    files = Counter(module.part for module in modules)
    doors = {module.part: exported(module.tree) for module in modules if _is_part(module)}
    doors[PACKAGE] = exported(ast.parse((folder / "src" / PACKAGE / "__init__.pyi").read_text()))
    inner, outer = Counter[str](), Counter[str]()
    for module in modules:
        for name in imports_of(module, known):
            target = name.split(".")[1] if "." in name else name
            (inner if target == module.part else outer)[module.part] += 1
    print(f"cycles     {first_cycle(modules, known)}")
    print(f"\n{'part':<14}{'files':>6}{'names':>7}{'imports inside':>16}{'of other parts':>16}")
    for part in sorted(files):
        row = files[part], len(doors.get(part, [])), inner[part], outer[part]
        print(f"{part:<14}{row[0]:>6}{row[1]:>7}{row[2]:>16}{row[3]:>16}")
    total = sum(files.values()), sum(map(len, doors.values())), inner.total(), outer.total()
    print(f"{'all':<14}{total[0]:>6}{total[1]:>7}{total[2]:>16}{total[3]:>16}")


def _is_part(module: Module) -> bool:
    """Whether a module is a part itself: a file or folder directly below the package."""
    return module.name.count(".") == 1


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
