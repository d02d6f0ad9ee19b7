"""``llr verify``: passes here, and fails where something is broken."""

from dataclasses import replace

import pytest
import torch

from llr.cli._verify import CHECKS
from llr.models import ACTIVATIONS, SharedTanhConv1D


def test_this_installation_passes_line_by_line(llr):
    result = llr("verify")
    assert result.exit_code == 0, result.stdout
    *lines, verdict = result.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", f"{name}:"] for name in CHECKS]
    assert verdict.startswith("All checks passed in ")


def break_a_forward_pass(monkeypatch):
    monkeypatch.setattr(
        SharedTanhConv1D, "forward", lambda self, x: torch.zeros(len(x), 1).double()
    )


def break_tanh(monkeypatch):
    wrong = replace(ACTIVATIONS["tanh"], function=lambda z: 0.999 * torch.sin(z))
    monkeypatch.setitem(ACTIVATIONS, "tanh", wrong)


@pytest.mark.parametrize("damage", [break_a_forward_pass, break_tanh])
def test_a_broken_computation_is_found(llr, monkeypatch, damage):
    damage(monkeypatch)
    result = llr("verify")
    assert result.exit_code == 1
    assert any(line.startswith("FAIL  models: ") for line in result.stdout.splitlines())
    assert "checks failed in" in result.stdout


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_that_raises_is_one_line_and_the_others_go_on(llr, monkeypatch, name: str):
    def fail() -> str:
        raise RuntimeError("not\nhere")

    for other in CHECKS:
        monkeypatch.setitem(CHECKS, other, lambda: "fine")
    monkeypatch.setitem(CHECKS, name, fail)
    result = llr("verify")
    assert result.exit_code == 1
    assert f"FAIL  {name}: RuntimeError: not here" in result.stdout
    assert result.stdout.count("ok    ") == len(CHECKS) - 1
