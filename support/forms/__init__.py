"""What staff type, a module for each part."""

from .audit import AuditFilter
from .disputes import DecisionForm, SubmitForm, WordsForm
from .joining import MergeForm, SplitForm, UndoForm
from .plans import PlanForm, form_of, register
from .refunds import RefundForm
from .restrict import HoldForm, ReinstateForm, SuspendForm
from .threads import OpenThread
from .viewings import ViewingForm

__all__ = [
    "AuditFilter",
    "DecisionForm",
    "HoldForm",
    "MergeForm",
    "OpenThread",
    "PlanForm",
    "RefundForm",
    "ReinstateForm",
    "SplitForm",
    "SubmitForm",
    "SuspendForm",
    "UndoForm",
    "ViewingForm",
    "WordsForm",
    "form_of",
    "register",
]
