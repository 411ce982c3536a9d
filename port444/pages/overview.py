"""All settings of a person at a glance: each with what is set now, and the way to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from port444.accounts.looks import looks
from port444.accounts.models import ApiToken, Session, Theme, User
from port444.accounts.queries import has_second_factor
from port444.exports.models import Closing
from port444.kit.language import dated
from port444.kit.templatetags.ui import city, mask_address
from port444.notifications import queries as notifications
from port444.payments.models import BankAccount, PayoutAddress
from port444.webhooks.models import WebhookEndpoint

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Setting:
    """One line; `warns` marks what should be looked at."""

    title: StrOrPromise
    now: StrOrPromise
    url: str
    icon: str
    warns: bool = False


def overview(user: User, moment: datetime) -> list[tuple[str, Sequence[Setting]]]:
    """The groups in their order, with a fixed number of questions."""
    return [
        (_("You"), _you(user)),
        (_("What reaches you"), _reaching(user)),
        (_("Signing in"), _signing_in(user, moment)),
        *([(_("Being paid"), _paid(user))] if user.is_builder else []),
        (_("For programs"), _programs(user, moment)),
        (_("Your data"), _data(user, moment)),
    ]


def _you(user: User) -> list[Setting]:
    profile = reverse("accounts:settings")
    lines = [
        Setting(_("Name and phone"), user.name if not user.phone else f"{user.name}, {user.phone}", profile, "user"),
        Setting(_("Time zone"), city(user.time_zone), profile, "clock"),
        Setting(_("Colours"), Theme(user.theme).label, profile, "palette"),
    ]
    if user.is_builder:
        lines.append(Setting(_("Builder profile"), _("How clients see you"), reverse("builders:edit"), "briefcase"))
        lines.append(Setting(_("Portfolio"), _("What you have made"), reverse("builders:portfolio"), "image"))
    return lines


def _reaching(user: User) -> list[Setting]:
    page, choices, hours = reverse("notifications:settings"), notifications.choices(user), notifications.quiet_hours(user)
    kinds = len(choices)
    ways = _("Mail for %(mail)s of %(all)s kinds, SMS for %(sms)s") % {
        "mail": sum(choice.email for choice in choices),
        "sms": sum(choice.sms for choice in choices),
        "all": kinds,
    }
    quiet = _("Off")
    if hours.enabled:
        span = {"from": f"{hours.starts:%H:%M}", "to": f"{hours.ends:%H:%M}", "city": city(user.time_zone)}
        quiet = _("%(from)s to %(to)s in %(city)s") % span
    return [Setting(_("Notifications"), ways, page, "bell"), Setting(_("Quiet hours"), quiet, f"{page}#quiet-h", "moon")]


def _signing_in(user: User, moment: datetime) -> list[Setting]:
    signed_in, second = Session.objects.filter(user=user, expire_date__gt=moment).count(), has_second_factor(user)
    browsers = ngettext("%(count)s browser signed in", "%(count)s browsers signed in", signed_in) % {"count": signed_in}
    return [
        Setting(_("E-mail"), user.email, reverse("account_email"), "mail"),
        Setting(_("Password"), _("Change it when somebody may know it"), reverse("account_change_password"), "key-round"),
        Setting(
            _("Second factor"), _("On") if second else _("Off: a password alone lets in"), reverse("mfa_index"), "shield-check", warns=not second
        ),
        Setting(_("Devices"), browsers, reverse("accounts:devices"), "laptop"),
    ]


def _paid(user: User) -> list[Setting]:
    wallet = PayoutAddress.objects.filter(user=user).values_list("address", flat=True).first()
    bank = BankAccount.objects.filter(user=user).values_list("masked", flat=True).first()
    return [
        Setting(_("Wallet"), mask_address(wallet) if wallet else _("None yet"), reverse("payments:address"), "wallet"),
        Setting(_("Bank account"), bank or _("None yet"), reverse("payments:bank"), "banknote"),
    ]


def _programs(user: User, moment: datetime) -> list[Setting]:
    usable, heard = ApiToken.objects.filter(user=user).usable(moment).count(), WebhookEndpoint.objects.visible_to(user).count()
    tokens = ngettext("%(count)s token in use", "%(count)s tokens in use", usable) % {"count": usable}
    hooks = ngettext("%(count)s address", "%(count)s addresses", heard) % {"count": heard}
    return [
        Setting(_("Tokens"), tokens, reverse("accounts:tokens"), "plug"),
        Setting(_("Webhooks"), hooks, reverse("webhooks:list"), "send"),
    ]


def _data(user: User, moment: datetime) -> list[Setting]:
    page, zone = reverse("exports:own"), ZoneInfo(user.time_zone)
    last = next(iter(looks(user, moment)), None)
    closes_at = Closing.objects.standing().filter(user=user).values_list("closes_at", flat=True).first()
    seen = _("Last on %(day)s") % {"day": dated(last.began.astimezone(zone), "j M Y")} if last else _("Never")
    closing = _("Closes on %(day)s") % {"day": dated(closes_at.astimezone(zone), "j M Y")} if closes_at else _("Your account stays open")
    return [
        Setting(_("Support looked at your account"), seen, f"{reverse('accounts:devices')}#looks", "eye"),
        Setting(_("A copy of everything"), _("All that we hold of you, as one file"), page, "download"),
        Setting(_("Close your account"), closing, f"{page}#close-h", "log-out", warns=closes_at is not None),
    ]
