"""The LLR test: do these samples pin down the function at a parameter point, to first order?"""

from llr.recovery._check_llr import check_llr
from llr.recovery._llr_result import LLRResult

__all__ = ["LLRResult", "check_llr"]
