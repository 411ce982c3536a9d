"""What staff type, a module for each part."""

from .actions import ActionFilter
from .audit import AuditFilter
from .credits import CreditForm, VoidForm
from .disputes import DecisionForm, SubmitForm, WordsForm
from .joining import MergeForm, SplitForm, UndoForm
from .macros import MacroForm, macros_of
from .plans import NoteForm, PlanForm, form_of, register
from .refunds import RefundForm
from .restrict import HoldForm, ReinstateForm, SuspendForm
from .threads import OpenThread
from .viewings import ViewingForm

__all__ = [
    "ActionFilter",
    "AuditFilter",
    "CreditForm",
    "DecisionForm",
    "HoldForm",
    "MacroForm",
    "MergeForm",
    "NoteForm",
    "OpenThread",
    "PlanForm",
    "RefundForm",
    "ReinstateForm",
    "SplitForm",
    "SubmitForm",
    "SuspendForm",
    "UndoForm",
    "ViewingForm",
    "VoidForm",
    "WordsForm",
    "form_of",
    "macros_of",
    "register",
]
