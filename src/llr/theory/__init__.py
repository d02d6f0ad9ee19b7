"""Exact integers from the theory: ranks, optimistic sample sizes, embeddings. No samples."""

from llr.theory._formal_rank import formal_rank

__all__ = ["formal_rank"]
