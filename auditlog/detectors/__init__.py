"""What looks wrong, concluded from what happened (docs/detectors.md).

A detector reads facts and a memory and nothing else, so that the same functions run over the audit log and over anybody's file. What it
remembers of a set of facts does not depend on the order in which they come: facts of a transaction that was long in committing lead to the
same incidents.
"""
