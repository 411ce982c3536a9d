"""Seals, puts the seals into cold storage and exports rows there, round after round, until it is killed. Says so before each round.

python -m chaos.sealer
"""

import django

django.setup()

from auditlog import jobs  # noqa: E402 (after setup)


def main() -> None:
    while True:
        print("round", flush=True)
        jobs.seal()
        jobs.export_file()


if __name__ == "__main__":
    main()
