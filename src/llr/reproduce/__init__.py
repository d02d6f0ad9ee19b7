"""The papers' results, and local recovery beyond them: each with a YAML file and a verdict."""

from llr.reproduce._gallery import write_page
from llr.reproduce._job import Job
from llr.reproduce._judges import NAMES, list_reproductions
from llr.reproduce._reproduce import Reproduced, reproduce
from llr.reproduce._settings import Plan, Reproduction, load_reproduction
from llr.reproduce._verdict import Comparison, Verdict

__all__ = [
    "NAMES",
    "Comparison",
    "Job",
    "Plan",
    "Reproduced",
    "Reproduction",
    "Verdict",
    "list_reproductions",
    "load_reproduction",
    "reproduce",
    "write_page",
]
