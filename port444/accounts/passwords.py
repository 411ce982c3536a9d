"""Passwords that many people have, and those that whoever knows this site would try first."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

WORDS = frozenset({"port", "escrow", "freelancer", "freelance", "builder", "client", "marketplace", "treuhand", "usdc", "wallet"})
LETTERS = re.compile(r"[^\W\d_]+")


class NotCommon(CommonPasswordValidator):
    """Refuses Django's 20,000 passwords from leaks, and those whose letters are words of this site and nothing else, whatever numbers and
    signs stand between: Port444-2026!"""

    def validate(self, password: str, user: Any = None) -> None:
        super().validate(password, user)
        words = LETTERS.findall(password.casefold())
        if words and WORDS.issuperset(words):
            raise ValidationError(self.get_error_message(), code="password_too_common")
