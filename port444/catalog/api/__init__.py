"""The API of finding services, and of selling them."""

from .finding import router as finding
from .selling import router as selling

__all__ = ["finding", "selling"]
