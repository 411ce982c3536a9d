from __future__ import annotations

app_name = "away"
urlpatterns: list[object] = []
