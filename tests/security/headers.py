"""What every answer of the site says to the browser about itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings

SENT_AWAY = ("text/html", "application/json", "application/problem+json")


def wrong(response: Any, *, signed_in: bool) -> list[str]:
    """What is missing in the headers of an answer, as words."""
    policy = {part.split()[0]: part.split()[1:] for part in response.headers.get("Content-Security-Policy", "").split(";") if part.strip()}
    kind, kept = response.headers.get("Content-Type", ""), response.headers.get("Cache-Control", "")
    found = []
    if policy.get("default-src") != ["'none'"]:
        found.append("no content policy")
    words = [word for name in ("script-src", "default-src", "style-src") for word in policy.get(name, [])]
    if any(word.startswith("'unsafe") or word in ("*", "http:", "https:", "data:") for word in words):
        found.append("scripts or styles of anybody")
    if kind.startswith("text/html") and (policy.get("base-uri") != ["'none'"] or "form-action" not in policy):
        found.append("base or forms of anybody")
    if policy.get("frame-ancestors") != ["'none'"] and response.headers.get("X-Frame-Options") != "DENY":
        found.append("may be framed")
    if kind.startswith("text/html") and policy.get("frame-ancestors") != ["'none'"]:
        found.append("a page that may be framed")
    expected = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": settings.SECURE_PERMISSIONS_POLICY,
    }
    found += [f"{name} is {response.headers.get(name)}" for name, value in expected.items() if response.headers.get(name) != value]
    if "Access-Control-Allow-Origin" in response.headers:
        found.append("other sites may read it")
    if kind.startswith("text/") and "charset=" not in kind and "attachment" not in response.headers.get("Content-Disposition", ""):
        found.append(f"{kind} says no charset")
    if signed_in and kind.startswith(SENT_AWAY) and not ("no-store" in kept or "no-cache" in kept or "public" in kept):
        found.append(f"caches may keep it: {kept or 'nothing said'}")
    return found
