"""Writing, changing and offering a service and its packages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NotRequired, TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import F, Min
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.actions import check_fields, write_changes
from port444.builders.models import Builder
from port444.catalog.models import CHOOSING, Category, Package, QuestionKind, Service, ServiceStatus, Tier
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, word_constraint
from port444.kit.money import positive

MOST_SERVICES = 50
MOST_QUESTIONS = 8
MOST_OPTIONS = 12
STALE = _("This service was changed elsewhere since you opened it.")

NOT_EMPTY = Invalid(_("A service that is not a draft keeps at least one package on offer."), code="no_package")
word_constraint("service_published_is_complete", NOT_EMPTY)
word_constraint("catalog_service_slug_key", Conflict(_("Somebody took that address at the same moment. Please try again."), code="slug_taken"))
word_constraint("package_tier_once", Conflict(STALE, code="stale"))
word_constraint("service_floor_positive", Invalid(_("The lowest price for offers must be more than zero."), code="amount_zero"))
word_constraint("package_price_positive", Invalid(_("The price of a package must be more than zero."), code="amount_zero"))
word_constraint("package_days_in_range", Invalid(_("A package is delivered within 1 to 90 days."), code="days_range"))
word_constraint("package_revisions_in_range", Invalid(_("A package has at most 20 revisions."), code="revisions_range"))


class Question(TypedDict):
    """What the client is asked after paying; `options` belong to a choice, `help` stands under the question."""

    label: str
    kind: str
    required: bool
    options: list[str]
    help: NotRequired[str]


class ServiceText(TypedDict, total=False):
    """The words of a service."""

    category_id: UUID
    title: str
    summary: str
    description: str
    tags: list[str]
    questions: list[Question]
    offer_floor: Decimal | None


class PackageText(TypedDict):
    """One package; on offer unless it says otherwise."""

    tier: str
    name: str
    price: Decimal
    delivery_days: int
    revisions: int
    deliverables: list[str]
    is_offered: NotRequired[bool]


def _own(service_id: UUID, actor: User) -> Service:
    service = Service.objects.lock(service_id)
    if service.builder.user_id != actor.pk:
        raise NotAllowed(_("Only the builder of this service can change it."))
    return service


@transaction.atomic
def create_service(builder_id: UUID, *, actor: User, packages: Sequence[PackageText] = (), **text: Unpack[ServiceText]) -> Service:
    """Write a draft. A draft may lack anything but its title and category."""
    moment = now()
    builder = Builder.objects.lock(builder_id)
    if builder.user_id != actor.pk:
        raise NotAllowed(_("Only the builder can add a service to this profile."))
    if builder.services.count() >= MOST_SERVICES:
        raise Invalid(
            gettext("A builder has at most %(most)s services. Change one that you have.") % {"most": MOST_SERVICES}, code="too_many_services"
        )
    service = Service(builder=builder, slug=_free_slug(text.get("title", "")), created_at=moment)
    values = _checked(text)
    for name, value in values.items():
        setattr(service, name, value)
    _require_category(text)
    check_fields(service, {"title": "", **{name: value for name, value in values.items() if name != "category_id"}})
    service.save()
    _write_packages(service, packages)
    _count_packages(service)
    record(Event.SERVICE_CHANGED, actor=actor, target=service, after={**values, "packages": _told(service)})
    return service


@transaction.atomic
def change_service(
    service_id: UUID,
    *,
    actor: User,
    version: int | None = None,
    packages: Sequence[PackageText] | None = None,
    **text: Unpack[ServiceText],
) -> Service:
    """Change the given words and, when given, all packages. `version` is the one the person was looking at; a newer one raises Conflict."""
    service = _own(service_id, actor)
    if version is not None and version != service.version:
        raise Conflict(STALE, code="stale")
    if "category_id" in text:
        _require_category(text)
    values = _checked(text)
    if service.published_at is None and "title" in text and text["title"] != service.title:
        values["slug"] = _free_slug(text["title"])
    before, after = write_changes(service, values)
    old = _told(service)
    if packages is not None:
        _write_packages(service, packages)
    _count_packages(service)
    new = _told(service)
    if new != old:
        before["packages"], after["packages"] = old, new
    if not after:
        return service
    if service.status != ServiceStatus.DRAFT and (lacks := missing(service)):
        raise Invalid(" ".join(lacks), code="incomplete")
    service.version += 1
    service.market_due_at = service.changed_at = now()
    service.save(update_fields=["version", "market_due_at", "changed_at"])
    record(Event.SERVICE_CHANGED, actor=actor, target=service, before=before, after=after)
    return service


def set_packages(service_id: UUID, *, actor: User, packages: Sequence[PackageText]) -> Service:
    """Make `packages` the ones on offer; a tier that is not among them is taken off."""
    return change_service(service_id, actor=actor, packages=packages)


def missing(service: Service) -> list[str]:
    """What the service lacks for being published, in words; empty when it is complete."""
    lacks: list[str] = []
    if not service.summary:
        lacks.append(gettext("Write a summary of one line."))
    if not service.description:
        lacks.append(gettext("Write a description."))
    if service.from_price is None:
        lacks.append(gettext("Offer at least one package with a price and a delivery time."))
    return lacks


@transaction.atomic
def publish_service(service_id: UUID, *, actor: User) -> Service:
    """Put a draft or paused service into search. Raises Invalid with what is missing."""
    moment = now()
    service = _own(service_id, actor)
    if service.can_move_to(ServiceStatus.PUBLISHED) and (lacks := missing(service)):
        raise Invalid(" ".join(lacks), code="incomplete")
    before = {"status": service.status}
    service.move_to(ServiceStatus.PUBLISHED, published_at=service.published_at or moment, paused_at=None, market_due_at=moment)
    record(Event.SERVICE_PUBLISHED, actor=actor, target=service, before=before, after={"status": service.status})
    return service


@transaction.atomic
def pause_service(service_id: UUID, *, actor: User) -> Service:
    """Take a published service out of search; orders that run are not touched."""
    moment: datetime = now()
    service = _own(service_id, actor)
    before = {"status": service.status}
    service.move_to(ServiceStatus.PAUSED, paused_at=moment, market_due_at=moment)
    record(Event.SERVICE_PAUSED, actor=actor, target=service, before=before, after={"status": service.status})
    return service


@transaction.atomic
def hide_hints(service_id: UUID, *, actor: User, hidden: bool) -> Service:
    """Stop showing the builder how the prices of this service compare, or show it again."""
    service = _own(service_id, actor)
    before, after = write_changes(service, {"hints_hidden": hidden})
    if after:
        record(Event.SERVICE_CHANGED, actor=actor, target=service, before=before, after=after)
    return service


def count_order(service_id: UUID) -> None:
    """Add one paid order; call it in the transaction that notes the payment."""
    Service.objects.filter(pk=service_id).update(order_count=F("order_count") + 1)


def count_review(service_id: UUID, stars: int) -> None:
    """Add one review's stars; call it in the transaction that notes it as counted."""
    Service.objects.filter(pk=service_id).update(rating_sum=F("rating_sum") + stars, rating_count=F("rating_count") + 1)


def _free_slug(title: str) -> str:
    base = slugify(title)[:96].strip("-") or "service"
    return base if not Service.objects.filter(slug=base).exists() else f"{base}-{secrets.token_hex(4)}"


def _require_category(text: ServiceText) -> None:
    if "category_id" not in text or not Category.objects.filter(pk=text["category_id"]).exists():
        raise Invalid(_("Choose a category."), code="category")


def _checked(text: ServiceText) -> dict[str, Any]:
    values: dict[str, Any] = dict(text)
    if text.get("offer_floor") is not None:
        values["offer_floor"] = positive(values["offer_floor"])
    if "questions" in text:
        values["questions"] = [_checked_question(question) for question in text["questions"]]
        if len(values["questions"]) > MOST_QUESTIONS:
            raise Invalid(gettext("Ask at most %(most)s questions.") % {"most": MOST_QUESTIONS}, code="too_many_questions")
    return values


def _checked_question(question: Question) -> Question:
    label, kind = question["label"].strip(), question["kind"]
    options = [option.strip() for option in question["options"] if option.strip()] if kind in CHOOSING else []
    words = question.get("help", "").strip()
    if not 0 < len(label) <= 200:
        raise Invalid(_("A question has 1 to 200 characters."), code="question_label")
    if kind not in QuestionKind.values:
        raise Invalid(_("Choose what kind of answer you want."), code="question_kind")
    if len(words) > 200 or "\x00" in words:
        raise Invalid(_("The help to a question has at most 200 characters."), code="question_help")
    if kind in CHOOSING and not 2 <= len(set(options)) == len(options) <= MOST_OPTIONS:
        raise Invalid(gettext("“%(label)s” needs 2 to %(most)s different options.") % {"label": label, "most": MOST_OPTIONS}, code="question_options")
    if any(len(option) > 100 for option in options):
        raise Invalid(_("An option has at most 100 characters."), code="question_options")
    return {"label": label, "kind": kind, "required": bool(question["required"]), "options": options, "help": words}


def _write_packages(service: Service, packages: Sequence[PackageText]) -> None:
    wanted: dict[str, PackageText] = {package["tier"]: package for package in packages}
    if len(wanted) != len(packages) or set(wanted) - set(Tier.values):
        raise Invalid(_("A service has at most one package of each size."), code="tier")
    existing = {package.tier: package for package in service.packages.all()}
    for tier, text in wanted.items():
        values: Mapping[str, Any] = {"is_offered": True, **text, "price": positive(text["price"])}
        if tier in existing:
            write_changes(existing[tier], values)
        else:
            package = Package(service=service, **values)
            check_fields(package, values)
            package.save()
    # Orders point at their package, so a package is taken off and never deleted.
    service.packages.exclude(tier__in=wanted).filter(is_offered=True).update(is_offered=False)


def _count_packages(service: Service) -> None:
    """Keep the least price and time beside the service, where search sorts and filters."""
    least = service.packages.filter(is_offered=True).aggregate(price=Min("price"), days=Min("delivery_days"))
    if service.status != ServiceStatus.DRAFT and least["price"] is None:
        raise Invalid(NOT_EMPTY.message, code=NOT_EMPTY.code)
    service.from_price, service.least_days = least["price"], least["days"]
    service.save(update_fields=["from_price", "least_days"])


def _told(service: Service) -> dict[str, Any]:
    """The packages as the audit log keeps them."""
    return {
        p.tier: {
            "name": p.name,
            "price": str(p.price),
            "delivery_days": p.delivery_days,
            "revisions": p.revisions,
            "deliverables": p.deliverables,
            "is_offered": p.is_offered,
        }
        for p in service.packages.all()
    }
