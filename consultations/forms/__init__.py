"""The shape of what people choose about calls."""

from .booking import Choice, HoldForm, read_choice, read_start, write_start
from .conduct import CancelForm, ConvertForm, DecideForm, DisputeForm, FreeTimeForm, MoveForm, NotesForm, ReportForm
from .connections import KeyForm, PasswordForm
from .hours import REFUNDS, AvailabilityForm, DaysOffForm, OtherHoursForm, read_leave, read_window, write_leave, write_window
from .week import OFFICE, cells_of, changed_cells, grid, is_painted, windows_of
from .why import WhyForm

__all__ = [
    "OFFICE",
    "REFUNDS",
    "AvailabilityForm",
    "CancelForm",
    "Choice",
    "ConvertForm",
    "DaysOffForm",
    "DecideForm",
    "DisputeForm",
    "FreeTimeForm",
    "HoldForm",
    "KeyForm",
    "MoveForm",
    "NotesForm",
    "OtherHoursForm",
    "PasswordForm",
    "ReportForm",
    "WhyForm",
    "cells_of",
    "changed_cells",
    "grid",
    "is_painted",
    "read_choice",
    "read_leave",
    "read_start",
    "read_window",
    "windows_of",
    "write_leave",
    "write_start",
    "write_window",
]
