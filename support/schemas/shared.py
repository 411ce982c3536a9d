"""What several parts of the console ask for."""

from __future__ import annotations

from pydantic import Field

REASON = Field(min_length=1, max_length=600, description="Staff read it, now and later", examples=["Ticket 5531: late by a week"])
TOLD = Field(min_length=10, max_length=300, description="The person reads it, word for word")
PREVIEW = Field(False, description="Only work out what it comes to: the answer is a draft, which is submitted with the figures that were seen")
CODE = Field(
    "", max_length=20, description="From the authenticator app. A browser that gave one within ten minutes may leave it out", examples=["492039"]
)
