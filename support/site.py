"""The staff console's site: the stock admin for staff who have passed a second factor."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest


class SupportAdminSite(admin.AdminSite):
    site_header = site_title = "port444 console"
    index_title = "Console"

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request)
