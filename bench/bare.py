"""Settings of a site that has some reads of the API a second time, for `bench/api.py`."""

from port444.settings import *  # noqa: F403

ROOT_URLCONF = "bench.bare_urls"
