"""What somebody keeps in sight: services and builders. It is their own; nobody else sees it, nor how many there are."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from port444.builders.models import Builder
from port444.catalog.models import Service
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.money import amount_field


class Favourite(models.Model):
    """A service or a builder that somebody saved. `price` is from where the service cost then."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourites", db_index=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", null=True, db_index=False)
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="+", null=True, db_index=False)
    price = amount_field(null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(service__isnull=False, builder__isnull=True) | Q(service__isnull=True, builder__isnull=False, price__isnull=True),
                name="favourite_of_one_thing",
            ),
            models.UniqueConstraint(fields=["user", "service"], name="favourite_service_once"),
            models.UniqueConstraint(fields=["user", "builder"], name="favourite_builder_once"),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], condition=Q(service__isnull=False), name="favourite_services"),
            models.Index(fields=["user", "-id"], condition=Q(builder__isnull=False), name="favourite_builders"),
        ]

    def __str__(self) -> str:
        return str(self.service or self.builder)
