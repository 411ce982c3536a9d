"""Compile the contracts to `artifacts/`, which are committed: the application and its tests of a chain need no compiler.

    .venv/bin/python -m contracts.compile

Needs vyper (requirements/dev.txt). The same source gives the same bytes; tests/contracts/test_artifacts.py holds us to that.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ARTIFACTS = HERE / "artifacts"
NAMES = ("OrderEscrow", "MockUSDC")


def source(name: str) -> str:
    """The text of a contract."""
    return (HERE / f"{name}.vy").read_text()


def compiled(name: str, text: str) -> dict[str, Any]:
    """What the compiler makes of `text`."""
    import vyper

    out = vyper.compile_code(text, contract_path=f"{name}.vy", output_formats=["abi", "bytecode", "bytecode_runtime"])
    return {
        "contractName": name,
        "compiler": f"vyper {vyper.__version__}",
        "evmVersion": "cancun",
        "sourceSha256": hashlib.sha256(text.encode()).hexdigest(),
        "abi": out["abi"],
        "bytecode": out["bytecode"],
        "deployedBytecode": out["bytecode_runtime"],
    }


def artifact(name: str) -> str:
    """The content of the file in `artifacts/` as it has to be."""
    return json.dumps(compiled(name, source(name)), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    ARTIFACTS.mkdir(exist_ok=True)
    for name in NAMES:
        (ARTIFACTS / f"{name}.json").write_text(artifact(name))
