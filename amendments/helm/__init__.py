"""An amendment in words, for one of its two people: whose turn it is, what changes, what it costs. Pure words, no queries."""

from .changes import Row, Sums, days_rule, hours_words, rows, sums
from .looks import Look, look, tag_of
from .story import Step, Try, attempt, steps
from .turns import steer

__all__ = ["Look", "Row", "Step", "Sums", "Try", "attempt", "days_rule", "hours_words", "look", "rows", "steer", "steps", "sums", "tag_of"]
