"""Every write of away mode."""

from .returning import forget, want_to_know

__all__ = ["forget", "want_to_know"]
