"""The files at the root agree with each other: versions, bounds, choices, targets."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import llr
from llr._yaml import parse_yaml
from llr.config import parse_config

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]
TOOLS = {"test", "lint", "docs", "build", "dev"}
USERS_EXTRAS = sorted(set(PROJECT["optional-dependencies"]) - TOOLS)
ALIASES = {"sgd"}


def name_of(text: str) -> str:
    return Requirement(text).name.lower().replace("_", "-")


def pins(file: str) -> dict[str, Version]:
    """The exact versions of a requirements file."""
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text("utf-8").splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    assert all([spec.operator for spec in one.specifier] == ["=="] for one in found)
    return {name_of(str(one)): Version(next(iter(one.specifier)).version) for one in found}


def bounds(*extras: str) -> dict[str, Version]:
    """The lower bounds of the package and of extras; extras of its own are left out."""
    extra = PROJECT["optional-dependencies"]
    texts = [*PROJECT["dependencies"], *(text for name in extras for text in extra[name])]
    found = [Requirement(text) for text in texts if name_of(text) != "llr"]
    assert all([spec.operator for spec in one.specifier] == [">="] for one in found)
    return {name_of(str(one)): Version(next(iter(one.specifier)).version) for one in found}


def test_every_dependency_is_pinned_within_its_bound():
    pinned, lowest = pins("constraints.txt"), bounds(*PROJECT["optional-dependencies"])
    assert not [name for name in lowest if name not in pinned]
    assert not [name for name, least in lowest.items() if pinned[name] < least]


def test_the_floor_is_the_lower_bound_of_every_dependency_of_a_user():
    assert pins("requirements-floor.txt") == bounds(*USERS_EXTRAS)


@pytest.mark.parametrize(
    "peers",
    sorted((ROOT / "benchmarks").glob("*/requirements.txt")),
    ids=lambda path: path.parent.name,
)
def test_every_peer_of_a_benchmark_is_pinned(peers: Path):
    assert (peers.parent / "run.py").is_file()
    assert {name_of(line) for line in peers.read_text().split()} <= set(pins("constraints.txt"))


def test_every_dependency_of_a_user_has_its_reason():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Dependencies")[2]
    named = {name.lower() for name in re.findall(r"[A-Za-z][\w.-]*", text)}
    assert not set(bounds(*USERS_EXTRAS)) - named


def test_the_packages_of_the_guide_are_those_of_the_import_contract():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    listed = text.partition("```text\n")[2].partition("```")[0].splitlines()
    assert listed == PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]


def test_the_version_stands_in_one_place():
    citation = parse_yaml((ROOT / "CITATION.cff").read_bytes(), source="CITATION.cff")
    assert llr.__version__ == PROJECT["version"] == citation["version"]
    assert f'"{PROJECT["version"]}"' not in (ROOT / "src/llr/__init__.py").read_text("utf-8")


def ci() -> dict[str, Any]:
    path = ROOT / ".github/workflows/ci.yml"
    return parse_yaml(path.read_bytes(), source=path.name)["jobs"]


def test_the_matrix_runs_every_python_and_system_of_the_classifiers():
    matrix = ci()["matrix"]["strategy"]["matrix"]
    label = "Programming Language :: Python :: 3."
    versions = [f"3.{text.removeprefix(label)}" for text in PROJECT["classifiers"] if label in text]
    assert matrix["python"] == versions
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert [os.split("-")[0] for os in matrix["os"]] == ["ubuntu", "macos", "windows"]


def test_the_workflow_runs_what_make_check_runs():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    commands = [step.get("run", "") for job in ci().values() for step in job["steps"]]
    named = {name for run in commands if run.startswith(".ci/run ") for name in run.split()[1:]}
    check = set(re.findall(r"^check: ([a-z -]+?) *##", makefile, re.MULTILINE)[0].split())
    assert named <= targets
    assert check | {"test-floor"} == named


def test_a_release_waits_for_every_other_job_and_holds_no_password():
    jobs = ci()
    release = jobs.pop("release")
    assert set(release["needs"]) == set(jobs)
    assert release["permissions"] == {"id-token": "write"}
    assert "secrets" not in (ROOT / ".github/workflows/ci.yml").read_text("utf-8")


def listed_choices(comment: str) -> set[str]:
    """``of a run: auto | torch  (why)`` as its choices; empty if it lists none, or not all."""
    parts = [part.split("(")[0].strip() for part in comment.split(":")[-1].split("|")]
    return set(parts) if len(parts) > 1 and "..." not in comment else set()


def test_the_comments_of_the_config_list_every_choice():
    schema = type(parse_config({})).model_json_schema()
    section, checked = "", set()
    for line in (ROOT / "config.yaml").read_text("utf-8").splitlines():
        text, _, comment = line.partition("#")
        key = text.partition(":")[0]
        if text and not text.startswith(" "):
            section = key
        elif listed := listed_choices(comment):
            part = schema["$defs"][schema["properties"][section]["$ref"].rpartition("/")[2]]
            allowed = set(part["properties"][key.strip()]["enum"])
            assert listed | ALIASES == allowed | ALIASES, line
            checked.add(key.strip())
    assert {"optimizer", "engine", "executor"} <= checked
