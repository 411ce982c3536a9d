"""Every write to services, their packages, and what is known about prices."""

from .sales import count_sales_batch, forget_sale, note_sale, refresh_points_batch, refresh_services_batch
from .services import (
    MOST_OPTIONS,
    MOST_QUESTIONS,
    MOST_SERVICES,
    PackageText,
    Question,
    ServiceText,
    change_service,
    count_order,
    count_review,
    create_service,
    hide_hints,
    pause_service,
    publish_service,
    set_packages,
)
from .visits import count_visits_batch, note_visit

__all__ = [
    "MOST_OPTIONS",
    "MOST_QUESTIONS",
    "MOST_SERVICES",
    "PackageText",
    "Question",
    "ServiceText",
    "change_service",
    "count_order",
    "count_review",
    "count_sales_batch",
    "count_visits_batch",
    "create_service",
    "forget_sale",
    "hide_hints",
    "note_sale",
    "note_visit",
    "pause_service",
    "publish_service",
    "refresh_points_batch",
    "refresh_services_batch",
    "set_packages",
]
