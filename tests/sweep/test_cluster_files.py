"""The files for clusters are well formed, and their configs and commands are real ones."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from llr.cli import main
from llr.config import parse_config
from llr.sweep import grid

FOLDER = Path(__file__).parents[2] / "examples" / "clusters"
SCRIPTS = [FOLDER / "two_hosts.sh", FOLDER / "slurm.sbatch"]


@pytest.fixture(scope="module")
def kuberay():
    documents = YAML(typ="safe").load_all((FOLDER / "kuberay.yaml").read_text())
    return {document["kind"]: document for document in documents}


def sweep_commands(text):
    """Every ``llr sweep`` of a script, as words."""
    joined = text.replace("\\\n", " ")
    lines = [line.strip().rstrip("&") for line in joined.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("llr sweep")]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_well_formed(script):
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_call_commands_and_keys_that_exist(script):
    (words,) = sweep_commands(script.read_text())
    known = {name for option in main.get_command(None, "sweep").params for name in option.opts}
    known |= {"--no-show"}
    assert {word for word in words if word.startswith("--")} <= known
    overrides = [word.replace("$here:$port", "10.0.0.1:1") for word in words if "=" in word]
    overrides = [word.replace("$address:$port", "10.0.0.1:1") for word in overrides]
    assert parse_config({}, overrides).execution.address == "10.0.0.1:1"


def test_the_kubernetes_file_holds_a_sweep_that_can_run(kuberay):
    assert set(kuberay) == {"ConfigMap", "PersistentVolumeClaim", "RayJob"}
    config = parse_config(YAML(typ="safe").load(kuberay["ConfigMap"]["data"]["config.yaml"]))
    assert config.execution.executor == "ray"
    assert len(grid(config)) == 3600
    spec = kuberay["RayJob"]["spec"]
    assert spec["entrypoint"].startswith("llr sweep --config /config/config.yaml")
    head = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    (container,) = head["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"config": "/config", "results": config.output.dir}
    assert {volume["name"] for volume in head["volumes"]} == set(mounts)
    workers = spec["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]
    assert workers["image"] == container["image"]


def test_every_file_is_named_on_the_page():
    page = (FOLDER.parents[1] / "docs" / "clusters.md").read_text()
    assert all(f"(../examples/clusters/{path.name})" in page for path in FOLDER.iterdir())
