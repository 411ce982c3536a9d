"""Proposals that nobody answered."""

from __future__ import annotations

from consultations.actions import lapse_proposal
from consultations.models import Proposal
from port444.kit.clock import now
from port444.kit.jobs import each

BATCH = 200


def lapse_proposals() -> int:
    """End what was proposed and not answered in time; how many."""
    due = Proposal.objects.due(now()).order_by("answer_by").values_list("pk", flat=True)[:BATCH]
    return each(lapse_proposal, list(due))
