"""Everything that writes about webhooks."""

from .endpoints import (
    MOST,
    Terms,
    add_endpoint,
    change_endpoint,
    pause_endpoint,
    ping_endpoint,
    remove_endpoint,
    replay_delivery,
    replay_failed,
    resume_endpoint,
    rotate_secret,
)
from .sending import FORGOTTEN, forget_batch, send_due
from .telling import on_record

__all__ = [
    "FORGOTTEN",
    "MOST",
    "Terms",
    "add_endpoint",
    "change_endpoint",
    "forget_batch",
    "on_record",
    "pause_endpoint",
    "ping_endpoint",
    "remove_endpoint",
    "replay_delivery",
    "replay_failed",
    "resume_endpoint",
    "rotate_secret",
    "send_due",
]
