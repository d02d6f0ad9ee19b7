"""``llr config``: what it shows is what is run."""

import json
from pathlib import Path

from llr.config import Config, load_config, parse_config


def test_show_prints_a_config_that_loads_to_the_same(llr, folder: Path):
    result = llr("config", "--show", "training.lr=0.25")
    assert result.exit_code == 0
    (folder / "shown.yaml").write_text(result.stdout)
    shown = load_config("shown.yaml")
    assert shown == load_config("config.yaml", ["training.lr=0.25"])
    assert shown.training.lr == 0.25


def test_showing_is_the_default(llr):
    assert llr("config").stdout == llr("config", "--show").stdout


def test_without_a_config_file_the_defaults_are_shown(llr, folder: Path):
    (folder / "config.yaml").unlink()
    assert llr("config").stdout == parse_config({}).to_yaml()
    result = llr("config", "--config", "config.yaml")
    assert result.exit_code == 2
    assert result.stderr == "Error: config.yaml: there is no such config file.\n"


def test_the_schema_is_json(llr):
    assert json.loads(llr("config", "--schema").stdout) == Config.json_schema()


def test_each_fault_is_a_line(llr):
    result = llr("config", "training.lr=fast", "sweep.seeds=none")
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first == "Error: config.yaml: training.lr must be a finite number > 0, got 'fast'."
    assert second.startswith("Error: config.yaml: sweep.seeds must be a number of seeds")


def test_a_key_is_explained_with_an_override_that_can_be_pasted(llr):
    result = llr("config", "--explain", "sweep.scales")
    assert result.exit_code == 0
    assert "default  model.scale" in result.stdout
    assert "example  sweep.scales=[1,3,10]" in result.stdout


def test_a_section_is_explained_key_by_key(llr):
    heads = [
        line for line in llr("config", "--explain", "init").stdout.splitlines() if line[:1] > " "
    ]
    assert heads == ["init.method", "init.std"]


def test_an_unknown_key_is_a_line(llr):
    result = llr("config", "--explain", "training.optimiser")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: training.optimiser is not a key of section 'training'")
