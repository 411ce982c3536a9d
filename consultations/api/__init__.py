"""The API of calls: booking and holding them, moving them, free times and hours, and connected calendars."""

from ninja import Router

from . import calendars, calls, endings, moves, slots

router = Router(tags=["Calls"])
for part in (calls, endings, moves, slots, calendars):
    router.add_router("", part.router)

__all__ = ["router"]
