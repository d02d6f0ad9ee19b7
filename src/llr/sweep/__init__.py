"""Sweeps: the runs of a grid, who trains them, where they are kept, and their results."""

from llr._moved import moved_names
from llr.sweep._build_problem import build_dataset, build_problem, optimizer_of
from llr.sweep._choose_executor import EXECUTORS, make_executor
from llr.sweep._device import check_device
from llr.sweep._environment import describe_environment
from llr.sweep._export import ExportFormat, export_results
from llr.sweep._grid import grid, single_run
from llr.sweep._json_lines import JsonLinesStore
from llr.sweep._optimistic import optimistic_sample_sizes
from llr.sweep._paths import SweepPaths
from llr.sweep._plan_and_result import FailedRun, SweepInterrupted, SweepPlan, SweepResult
from llr.sweep._read_results import load_results, read_results
from llr.sweep._runner import plan_sweep, run_sweep
from llr.sweep._single import SingleRun, train_single
from llr.sweep._spec import SPEC_VERSION, RunSpec, TargetSpec
from llr.sweep._store import AbstractStore, Damage, Entry, FinishedRun
from llr.sweep._stored import History, StoredSweep, open_sweep
from llr.sweep._write_results import SCHEMA_VERSION

__all__ = [
    "EXECUTORS",
    "SCHEMA_VERSION",
    "SPEC_VERSION",
    "AbstractStore",
    "Damage",
    "Entry",
    "ExportFormat",
    "FailedRun",
    "FinishedRun",
    "History",
    "JsonLinesStore",
    "RunSpec",
    "SingleRun",
    "StoredSweep",
    "SweepInterrupted",
    "SweepPaths",
    "SweepPlan",
    "SweepResult",
    "TargetSpec",
    "build_dataset",
    "build_problem",
    "check_device",
    "describe_environment",
    "export_results",
    "grid",
    "load_results",
    "make_executor",
    "open_sweep",
    "optimistic_sample_sizes",
    "optimizer_of",
    "plan_sweep",
    "read_results",
    "run_sweep",
    "single_run",
    "train_single",
]

__getattr__ = moved_names(
    __name__,
    {
        **dict.fromkeys(("Config", "load_config", "parse_config"), "llr.config"),
        **dict.fromkeys(
            (
                "AbstractExecutor",
                "Failure",
                "InProcessExecutor",
                "Outcome",
                "ProcessExecutor",
                "RayExecutor",
            ),
            "llr.executors",
        ),
    },
)
