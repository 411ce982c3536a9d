"""The shell of a site, kept open: what many tests send to it costs the start of one process instead of one each.

Reads lines of JSON, each a text of Python; answers each with a line of JSON: what it printed, and how it failed if it did.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback

import django

django.setup()

from django.db import connections  # noqa: E402  (needs what was set up)

for line in sys.stdin:
    printed, failure = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(json.loads(line), "<site>", "exec"), {"__name__": "__site__"})
        except Exception:  # noqa: BLE001 - told to whoever sent it, whatever it is
            failure = traceback.format_exc()
        finally:
            connections.close_all()  # nobody may hold the site's database between two texts
    print(json.dumps([printed.getvalue(), failure]), flush=True)
