"""What a day under faults came to, for people (Markdown) and for programs (JSON)."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def write(done: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for name in (stamp, "last"):
        (folder / f"{name}.json").write_text(json.dumps(done, indent=1, default=str))
        (folder / f"{name}.md").write_text(markdown(done))


def summary(done: Mapping[str, Any]) -> str:
    """The last lines of a run."""
    broken = [one for one in done["invariants"] if one["broken"]]
    lines = [f"{one['name']}: {one['broken']} of {one['looked_at']}: {'; '.join(one['wrong'][:3])}" for one in broken]
    verdict = "nothing lost" if done["ok"] else f"BROKEN, {len(broken)} of {len(done['invariants'])} invariants; seed {done['terms']['seed']}"
    return "\n".join([*lines, f"{len(done['faults'])} faults, {len(done['invariants'])} invariants: {verdict}"])


def markdown(done: Mapping[str, Any]) -> str:
    return "\n".join(_lines(done)) + "\n"


def _lines(done: Mapping[str, Any]) -> Iterator[str]:
    terms, took, calls, first = done["terms"], done["took"], done["calls"], done["first_page"]
    yield f"Run of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {terms['seconds'] / 60:.0f} minutes, seed {terms['seed']}, on {machine()}."
    yield ""
    yield (
        f"{len(done['faults'])} faults in {took['faults'] / 60:.1f} minutes; after the last one all was settled within {took['settling']:.0f} s. "
        + ("**No invariant is broken: nothing was lost and nothing was done twice.**" if done["ok"] else "**Invariants are broken.**")
    )
    yield ""
    yield "### Faults"
    yield ""
    yield "| fault | times | back after (median, longest) | the first page was away (longest) |"
    yield "| --- | ---: | ---: | ---: |"
    for kind in sorted({fault["kind"] for fault in done["faults"]}):
        these = [fault for fault in done["faults"] if fault["kind"] == kind]
        backs = [fault["back"] for fault in these if fault["back"] is not None]
        lasted = any(fault["lasted"] for fault in these)
        back = f"{statistics.median(backs):.1f} s, {max(backs):.1f} s" + (" (as long as it was there)" if lasted else "") if backs else "never"
        away = max(fault["away"] for fault in these)
        yield f"| {kind} | {len(these)} | {back} | {'' if lasted else f'{away:.1f} s'} |"
    if done["skipped"]:
        yield ""
        yield f"Drawn, but not possible at that moment or in that time: {', '.join(sorted(set(done['skipped'])))}."
    yield ""
    lines = [fault for fault in done["faults"] if fault["kind"].startswith("provider")]
    names = {
        name: [fault["kind"].removeprefix("provider ") for fault in lines if fault["detail"] == name] for name in sorted({f["detail"] for f in lines})
    }
    yield (
        "By provider: "
        + "; ".join(f"{name} ({', '.join(f'{mode} {modes.count(mode)}' for mode in sorted(set(modes)))})" for name, modes in names.items())
        + "."
    )
    yield ""
    yield "### What people did meanwhile"
    yield ""
    yield f"{terms['clients']} clients, {terms['builders']} builders, two of support and strangers who signed up; {terms['hands']} scenes at a time."
    yield ""
    yield "| scene, played to its end | times |"
    yield "| --- | ---: |"
    for scene, times in done["scenes"].items():
        yield f"| {scene} | {times} |"
    yield ""
    yield (
        f"{calls['asked']:,} calls, {calls['repeated']:,} of them repeats after no answer or a 5xx; {calls['replayed']:,} answers came from the key "
        f"that an earlier try had used. Statuses: {', '.join(f'{status} {times:,}' for status, times in calls['statuses'].items())} (0: no answer). "
        f"The first page was asked for {first['asked']:,} times and was away {first['missed']:,} times, {first['longest']:.1f} s at the longest. "
        f"{len(done['given_up'])} scenes were not played to their end."
    )
    yield ""
    yield "### Invariants"
    yield ""
    yield "| invariant | looked at | broken |"
    yield "| --- | ---: | ---: |"
    for one in done["invariants"]:
        note = f" ({one['note']})" if one["note"] else ""
        yield f"| {one['name']}{note} | {one['looked_at']:,} | {one['broken']} |"
    for one in done["invariants"]:
        for words in one["wrong"]:
            yield f"- {one['name']}: {words}"


def machine() -> str:
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"a machine with {os.cpu_count()} cores and {pages / 2**30:.0f} GB"
