"""Settings of a site that says with each answer where its time went, for `bench/load.py`."""

from port444.settings import *  # noqa: F403
from port444.settings import MIDDLEWARE as USUAL

MIDDLEWARE = ["bench.timing.middleware", *USUAL]
STAFF_SECOND_FACTOR = False  # an authenticator app is nothing that a benchmark has
