"""The shape of what people choose about calls."""

from .booking import Choice, HoldForm, read_choice, read_start, write_start
from .conduct import CancelForm, DecideForm, DisputeForm, FreeTimeForm, MoveForm, NotesForm, ReportForm
from .connections import KeyForm, PasswordForm
from .hours import AvailabilityForm, cells_of, changed_cells, grid, windows_of

__all__ = [
    "AvailabilityForm",
    "CancelForm",
    "Choice",
    "DecideForm",
    "DisputeForm",
    "FreeTimeForm",
    "HoldForm",
    "KeyForm",
    "MoveForm",
    "NotesForm",
    "PasswordForm",
    "ReportForm",
    "cells_of",
    "changed_cells",
    "grid",
    "read_choice",
    "read_start",
    "windows_of",
    "write_start",
]
