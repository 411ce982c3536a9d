"""Every write of away mode."""

from .returning import forget, is_back, is_near, remind_batch, tell_batch, want_to_know, welcome_batch

__all__ = ["forget", "is_back", "is_near", "remind_batch", "tell_batch", "want_to_know", "welcome_batch"]
