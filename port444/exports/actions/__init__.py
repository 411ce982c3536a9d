"""Taking data away."""

from .taking import Made, export_person, export_table, require_range, require_taker

__all__ = ["Made", "export_person", "export_table", "require_range", "require_taker"]
