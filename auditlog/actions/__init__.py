"""Everything that writes to the log or to what stands beside it."""

from .incidents import Finding, open_incident
from .recording import ensure_partitions, record, record_many

__all__ = ["Finding", "ensure_partitions", "open_incident", "record", "record_many"]
