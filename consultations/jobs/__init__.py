"""What the clock and the queue do for calls. One module for each noun; queued paths name the functions here."""

from .calls import complete_ended

__all__ = ["complete_ended"]
