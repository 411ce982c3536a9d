"""Numbers that a detector works with, each with its bounds, so that they can be tried and changed without a release."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    value: float
    least: float
    most: float
    help: str

    def check(self, value: float) -> float:
        if not self.least <= value <= self.most:
            raise ValueError(f"{self.name} lies between {self.least:g} and {self.most:g}, not at {value:g}.")
        return float(value)


class Terms(Mapping[str, float]):
    """The values that are in force: those of a version, and the usual ones where it says nothing."""

    def __init__(self, parameters: Iterable[Parameter], changed: Mapping[str, float] | None = None) -> None:
        known = {parameter.name: parameter for parameter in parameters}
        self._values = {name: float(parameter.value) for name, parameter in known.items()}
        for name, value in (changed or {}).items():
            if name in known:  # a later release may have dropped one that an old version names
                self._values[name] = known[name].check(value)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
