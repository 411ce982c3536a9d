"""A webhook of somebody, and a worker that sends what waits for it and is killed at one of its steps.

python -m tests.faults.hooks TAG URL    with KILL_AT, STEPS_FILE and KILLED_FILE in the environment
"""

from __future__ import annotations

import sys
from uuid import uuid4

import django

django.setup()

from port444.accounts.models import User  # noqa: E402 (after setup)
from port444.kit.clock import now  # noqa: E402
from port444.webhooks import actions  # noqa: E402
from port444.webhooks.jobs import send  # noqa: E402
from port444.webhooks.models import WebhookDelivery  # noqa: E402
from tests.faults import edges  # noqa: E402


def prepare(tag: str, url: str) -> None:
    person = User.objects.create_user(f"{tag}@fault.example", name=tag)
    endpoint, _ = actions.add_endpoint(person.pk, actor=person, terms=actions.Terms(url, ["*"]), client_key=uuid4())
    actions.ping_endpoint(endpoint.pk, actor=person)


if __name__ == "__main__":
    tag, url = sys.argv[1:]
    if not User.objects.filter(email=f"{tag}@fault.example").exists():
        prepare(tag, url)
    WebhookDelivery.objects.filter(status="sending").update(claimed_until=now())  # whoever held them is dead, and their lease over
    edges.wrap()
    edges.task = "send"
    send()
    edges.task = ""
