from __future__ import annotations

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from port444.kit.errors import Conflict, word_constraint
from port444.notifications.kinds import Group, Kind, register

# Whoever is reading along needs no mail about it.
READING_ALONG = timedelta(minutes=5)


class MessagingConfig(AppConfig):
    name = "port444.messaging"

    def ready(self) -> None:
        register(Kind("message.received", Group.MESSAGES, sms=True, delay=READING_ALONG, skip_if_read=True, leaves_when_read=True))
        word_constraint("report_once", Conflict(_("You have reported this conversation already. Support looks at it."), code="reported"))
        word_constraint("message_sent_once", Conflict(_("This message could not be sent. Reload the page and try again.")))
