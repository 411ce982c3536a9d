"""The site as `./run --chain` serves it, under the same supervisor, but with clocks that can be set wrong and a bad line to its chain.

python -m chaos.site WEB_PORT CHAIN_PORT CHAIN_URL LOOK_EVERY    with PORT444_VAR and CHAOS_CLOCKS, a folder, in the environment
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scripts import database, serve, watchdog
from scripts.environment import leave


class Supervisor(serve.Supervisor):
    """Its children read the clock through `chaos.skewed`; web and worker reach the chain at `chain_line`."""

    def __init__(self, *arguments: object, clocks: Path, chain_line: str) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.chain_line = chain_line
        for child in (self.web, self.queue, self.worker):
            child.arguments = ["-m", "chaos.skewed", str(clocks / child.name), *child.arguments]

    def begin_chain(self) -> bool:
        begun = super().begin_chain()
        self.environment["CHAIN_RPC_URL"] = self.chain_line
        return begun


def main(arguments: list[str]) -> int:
    web_port, chain_port, chain_line, look_every = arguments
    watchdog.LOOK_EVERY = float(look_every)
    with serve.only_one(), serve.listen(web_port) as web_socket, serve.listen("0") as mail_socket, database.served() as base:
        supervisor = Supervisor(base, web_socket, mail_socket, int(chain_port), clocks=Path(os.environ["CHAOS_CLOCKS"]), chain_line=chain_line)
        supervisor.run()
    return 0


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]))
