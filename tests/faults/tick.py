"""The sweeps that tell people, and then the mail, in a process that is killed at one of its steps.

python -m tests.faults.tick TAG    with KILL_AT, STEPS_FILE and KILLED_FILE in the environment
"""

from __future__ import annotations

import sys

import django

django.setup()

from django_q.models import OrmQ  # noqa: E402 (after setup)

from port444.accounts.models import User  # noqa: E402
from port444.away.jobs import remind, welcome  # noqa: E402
from port444.catalog.jobs import refresh_points, refresh_services  # noqa: E402
from port444.kit.clock import now  # noqa: E402
from port444.notifications.jobs import sweep  # noqa: E402
from port444.notifications.models import Delivery  # noqa: E402
from port444.orders.jobs import publish_reviews, send_nudges, suggest_offers  # noqa: E402
from tests.faults import edges  # noqa: E402
from tests.faults.waiting import A_DAY, praise, wait_for_sweeps  # noqa: E402


def prepare(tag: str) -> None:
    """All of `tag` is due; what leads there is not mailed."""
    moment = now()
    wait_for_sweeps(tag, moment)
    praise(User.objects.get(email=f"client0-{tag}@fault.example"), f"praised-{tag}", moment - 8 * A_DAY)
    Delivery.objects.filter(status="pending").update(status="skipped")
    OrmQ.objects.all().delete()


if __name__ == "__main__":
    tag = sys.argv[1]
    if not User.objects.filter(email__contains=f"-{tag}@").exists():
        prepare(tag)
    Delivery.objects.filter(status="sending").update(claimed_until=now())  # whoever held them is dead, and their lease over
    edges.wrap()
    edges.task = "tick"
    for job in (send_nudges, publish_reviews, suggest_offers, remind, welcome, refresh_points, refresh_services, sweep):
        job()
    edges.task = ""
