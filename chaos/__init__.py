"""A marketplace day under random faults: `./run chaos` (docs/chaos.md)."""
