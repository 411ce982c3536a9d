"""What staff type, a module for each part."""

from .actions import ActionFilter
from .audit import AuditFilter
from .credits import CreditForm, VoidForm
from .disputes import DecisionForm, SubmitForm, WordsForm
from .incidents import CloseManyForm, DecideForm, DeclineForm, IncidentNote, JoinForm, OpenIncidentForm, ReopenForm, VersionForm
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
    "CloseManyForm",
    "CreditForm",
    "DecideForm",
    "DecisionForm",
    "DeclineForm",
    "HoldForm",
    "IncidentNote",
    "JoinForm",
    "MacroForm",
    "MergeForm",
    "NoteForm",
    "OpenIncidentForm",
    "OpenThread",
    "PlanForm",
    "RefundForm",
    "ReinstateForm",
    "ReopenForm",
    "SplitForm",
    "SubmitForm",
    "SuspendForm",
    "UndoForm",
    "VersionForm",
    "ViewingForm",
    "VoidForm",
    "WordsForm",
    "form_of",
    "macros_of",
    "register",
]
