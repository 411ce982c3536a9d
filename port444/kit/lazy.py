"""Heavy libraries that few processes need, loaded at their first use."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any


class Lazy(ModuleType):
    """Stands for a module and imports it when something of it is asked for.

    It does not lie in `sys.modules`, as that of `importlib.util.LazyLoader` does: there, whoever imports `package.part` before
    the first use of `package` has the part run twice, and the second time without the names of its own parts.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def load(name: str) -> ModuleType:
    """What stands for the module of that name. Raises ModuleNotFoundError at once when there is none."""
    if importlib.util.find_spec(name) is None:
        raise ModuleNotFoundError(name)
    return Lazy(name)
