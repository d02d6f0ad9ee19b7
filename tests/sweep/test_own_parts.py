"""An executor or a store that the caller brings wins over the config."""

from collections import Counter

import pytest

from llr.errors import InvalidInputError
from llr.executors import InProcessExecutor
from llr.sweep import JsonLinesStore, SweepInterrupted, plan_sweep, read_results, run_sweep
from llr.testing import ExecutorContract, StoreContract


class Counting(InProcessExecutor):
    """Trains here and counts what it trained."""

    name = "counting"

    def __init__(self):
        super().__init__(threads=1)
        self.counts = Counter()

    def map(self, function, items):
        for outcome in super().map(function, items):
            self.counts["outcomes"] += 1
            yield outcome


class Elsewhere(JsonLinesStore):
    """Keeps its runs in a folder below the sweep's."""

    def __init__(self, folder):
        super().__init__(folder / "elsewhere")


class TestCounting(ExecutorContract):
    def make(self):
        return Counting()


class TestElsewhere(StoreContract):
    def make(self, folder):
        return Elsewhere(folder)


def test_an_executor_wins_over_the_config(small):
    executor = Counting()
    config = small(execution__executor="processes", execution__workers=2)
    assert plan_sweep(config, executor=executor).executor == "counting"
    result = run_sweep(config, executor=executor)
    assert (result.n_trained, executor.counts["outcomes"]) == (18, 6)
    assert read_results(result.folder)["environment"]["executor"] == "counting"
    assert run_sweep(config).n_trained == 0


def test_a_store_keeps_the_runs_and_is_asked_for_them(small, runs_of):
    usual = run_sweep(small(experiment__name="usual"))
    result = run_sweep(small(), store=Elsewhere)
    assert result.n_trained == 18
    assert not (result.folder / "runs").exists()
    assert len(Elsewhere(result.folder).entries) == 18
    assert runs_of(result.folder) == runs_of(usual.folder)
    assert plan_sweep(small(), store=Elsewhere).n_stored == 18
    assert plan_sweep(small()).n_stored == 0
    assert run_sweep(small(), store=Elsewhere).n_trained == 0


def test_the_results_of_an_interrupted_sweep_come_from_the_callers_store(small):
    class Interrupted(Counting):
        def map(self, function, items):
            for outcome in super().map(function, items):
                if self.counts["outcomes"] == 3:
                    raise KeyboardInterrupt
                yield outcome

    with pytest.raises(SweepInterrupted, match="8 of 18 runs are finished"):
        run_sweep(small(), executor=Interrupted(), store=Elsewhere)
    folder = plan_sweep(small()).folder
    assert len(read_results(folder)["runs"]) == 8
    assert run_sweep(small(), store=Elsewhere).n_trained == 10


@pytest.mark.parametrize("call", [run_sweep, plan_sweep])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"executor": "ray"},
            r"executor must be an AbstractExecutor or None, got str; set execution\.executor=ray",
        ),
        ({"executor": InProcessExecutor}, r"got the class InProcessExecutor; make an instance"),
        ({"store": "runs.db"}, r"store must be a function .* got str"),
        ({"store": lambda folder: {}}, r"store must be a function .* which made dict"),
    ],
)
def test_what_is_no_executor_or_store_is_refused_with_what_to_give(small, call, options, message):
    with pytest.raises(InvalidInputError, match=message):
        call(small(), **options)


def test_a_wrong_executor_leaves_no_folder_behind(small, tmp_path):
    with pytest.raises(InvalidInputError, match="must be an AbstractExecutor"):
        run_sweep(small(), executor="processes")
    assert not list(tmp_path.iterdir())
