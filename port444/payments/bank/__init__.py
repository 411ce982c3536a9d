"""Bank accounts, and the files in which transfers to them are handed to a bank. Talks to nobody."""

from __future__ import annotations

from .accounts import Account, read_account, read_iban
from .files import Debtor, Transfer, as_csv, as_pain

__all__ = ["Account", "Debtor", "Transfer", "as_csv", "as_pain", "read_account", "read_iban"]
