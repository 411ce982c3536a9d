"""What ./run rehearse does inside the site's Django, one word a call.

python -m scripts.rehearsing seal     seal the audit log, and put its seals and rows into cold storage
python -m scripts.rehearsing grow     go on living: people write to each other and send files
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "port444.settings")
django.setup()

from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402  (needs what was set up)

from auditlog import actions, jobs  # noqa: E402
from port444.kit import context  # noqa: E402
from port444.kit.ids import uuid7  # noqa: E402
from port444.messaging.actions import send_message  # noqa: E402
from port444.messaging.models import Conversation  # noqa: E402

CONVERSATIONS = 5


def seal() -> None:
    jobs.seal()
    actions.export_rows()


def grow() -> None:
    for conversation in Conversation.objects.order_by("pk")[:CONVERSATIONS]:
        note = SimpleUploadedFile("note.txt", f"Written after the backup, to {conversation.pk}.\n".encode(), "text/plain")
        send_message(conversation.pk, actor=conversation.client, body="Sent after the backup.", client_key=uuid7(), uploads=[note])


if __name__ == "__main__":
    context.begin(source="command:rehearse", actor_type="system")
    {"seal": seal, "grow": grow}[sys.argv[1]]()
