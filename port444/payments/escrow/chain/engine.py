"""Carries operations to the chain and the chain's answers to the books."""

from __future__ import annotations

from .client import Chain


def tick(chain: Chain) -> int:
    """Do once what is due. Gives the number of operations that moved."""
    raise NotImplementedError


def step(chain: Chain, op_id: str) -> None:
    """Do what is due for one operation."""
    raise NotImplementedError
