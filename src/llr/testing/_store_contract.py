"""What a store of finished runs promises."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path

import torch

from llr.seeds import generator
from llr.sweep import AbstractStore, FinishedRun

__all__ = ["StoreContract"]


class StoreContract(ABC):
    """What :class:`llr.sweep.AbstractStore` promises."""

    @abstractmethod
    def make(self, folder: Path) -> AbstractStore:
        """A store over a folder: new, or what an earlier one has left there."""

    @staticmethod
    def finished(run_id: str, *, status: str = "converged", value: float = 0.1) -> FinishedRun:
        """A made-up run."""
        record = {
            **{"id": run_id, "model": "mlp", "scale": 1, "width": 3, "sample_size": 5},
            **{"init_std": 1e-10, "seed": 0, "status": status, "steps": 1, "train_mse": value},
            **{"test_mse": value, "seconds": 0.1, "time": 0.1, "init_method": "normal"},
            **{"n_parameters": 21, "engine": "torch", "message": "made up", "chunk": "c"},
        }
        losses = {"at": [0.0, 1.0], "train_mse": [value, None], "test_mse": [value, None]}
        return FinishedRun(record, history=losses)

    def test_what_was_appended_is_there_for_the_next_store(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store = self.make(folder)
            runs = [self.finished(run_id, value=1 / 3) for run_id in "abc"]
            store.append(runs[:2])
            store.append(runs[2:])
            for opened in (store, self.make(folder)):  # the first is still open, as after a kill
                assert list(opened.entries) == ["a", "b", "c"]
                assert list(opened.records("cab")) == [runs[i].record for i in (2, 0, 1)]
                assert opened.histories("b") == {"b": runs[1].history}
                assert not opened.damage
                opened.close()

    def test_an_empty_folder_is_an_empty_store(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            store = self.make(Path(name))
            assert dict(store.entries) == {}
            assert store.histories(["a"]) == {}

    def test_a_run_takes_the_place_of_its_error_and_the_first_one_stays(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store = self.make(folder)
            store.append([self.finished("a", status="error")])
            assert store.entries["a"].failed
            store.append([self.finished("a", value=1.0)])
            store.append([self.finished("a", value=2.0)])
            store.close()
            for opened in (store, self.make(folder)):
                assert not opened.entries["a"].failed
                assert [record["test_mse"] for record in opened.records("a")] == [1.0]
                opened.close()

    def test_parameters_come_back_bit_for_bit(self) -> None:
        from safetensors.torch import save

        with tempfile.TemporaryDirectory() as name:
            weight = torch.randn(3, 2, dtype=torch.float64, generator=generator(0, "init"))
            run = replace(self.finished("a"), parameters=save({"weight": weight}))
            store = self.make(Path(name))
            store.append([run])
            store.close()
            assert torch.equal(self.make(Path(name)).parameters("a")["weight"], weight)
