"""Every write to services, their packages, and what is known about prices."""

from .listings import forget_words_batch, rate_batch
from .sales import count_sales_batch, forget_sale, note_sale, refresh_points_batch, refresh_services_batch
from .searches import FOUND, MOST_SAVED, change_search, look_at_search, remove_search, save_search, tell_found_batch
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
    missing,
    pause_service,
    publish_service,
    set_packages,
)
from .visits import count_visits_batch, note_visit
from .words import MOST_SYNONYMS, add_synonym, remove_synonym

__all__ = [
    "FOUND",
    "MOST_OPTIONS",
    "MOST_QUESTIONS",
    "MOST_SAVED",
    "MOST_SERVICES",
    "MOST_SYNONYMS",
    "PackageText",
    "Question",
    "ServiceText",
    "add_synonym",
    "change_search",
    "change_service",
    "count_order",
    "count_review",
    "count_sales_batch",
    "count_visits_batch",
    "create_service",
    "forget_sale",
    "forget_words_batch",
    "hide_hints",
    "look_at_search",
    "missing",
    "note_sale",
    "note_visit",
    "pause_service",
    "publish_service",
    "rate_batch",
    "refresh_points_batch",
    "refresh_services_batch",
    "remove_search",
    "remove_synonym",
    "save_search",
    "set_packages",
    "tell_found_batch",
]
