"""What needs somebody."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from port444.kit.http import UserRequest

from .frame import console_page, show


@require_GET
@console_page()
def home(request: UserRequest) -> HttpResponse:
    return show(request, "support/home.html", {}, section="home", title="What needs you")
