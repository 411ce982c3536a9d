from __future__ import annotations

from port444.kit import jobs

from . import actions


def send() -> int:
    """Each minute, and after every act that somebody listens to: send what is due."""
    return actions.send_due()


def forget() -> int:
    """Daily: remove what is older than the log goes back."""
    return jobs.drain(actions.forget_batch, actions.FORGOTTEN)
