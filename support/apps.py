from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate, pre_migrate

from .checks import viewer


class SupportConfig(AppConfig):
    name = "support"
    default = True

    def ready(self) -> None:
        from auditlog import handlers
        from port444.accounts import looks
        from port444.notifications import kinds as told

        from . import forms, kinds, macros, queries
        from .actions import alerts, credits, disputes, joining, refunds, restrict
        from .actions import macros as sequences
        from .models import PlanKind
        from .roles import make_groups
        from .viewer import tables

        pre_migrate.connect(tables.make_way, sender=self)
        post_migrate.connect(tables.grant, sender=self)
        kinds.register(PlanKind.DISPUTE, disputes.KIND)
        post_migrate.connect(make_groups, sender=self)
        register(viewer, Tags.security)
        looks.register(queries.looks_at)
        handlers.on_incident(alerts.on_incident)
        told.register(told.Kind("incident.alert", told.Group.ACCOUNT, urgent=True))
        told.register(told.Kind("incident.handed_over", told.Group.ACCOUNT))
        told.register(told.Kind("incident.second_person", told.Group.ACCOUNT))
        told.register(told.Kind("incident.digest", told.Group.ACCOUNT))
        told.register(told.Kind("account.warned", told.Group.ACCOUNT))
        told.register(told.Kind("plan.requested", told.Group.ACCOUNT))
        told.register(told.Kind("plan.decided", told.Group.ACCOUNT))

        kinds.register(PlanKind.CREDIT, credits.ISSUE)
        forms.register(PlanKind.CREDIT, forms.CreditForm)
        kinds.register(PlanKind.CREDIT_VOID, credits.VOID)
        forms.register(PlanKind.CREDIT_VOID, forms.VoidForm)
        kinds.register(PlanKind.SUSPEND, restrict.SUSPEND)
        forms.register(PlanKind.SUSPEND, forms.SuspendForm)
        kinds.register(PlanKind.REINSTATE, restrict.REINSTATE)
        forms.register(PlanKind.REINSTATE, forms.ReinstateForm)
        kinds.register(PlanKind.HOLD, restrict.HOLD)
        forms.register(PlanKind.HOLD, forms.HoldForm)
        kinds.register(PlanKind.MERGE, joining.MERGE)
        forms.register(PlanKind.MERGE, forms.MergeForm)
        kinds.register(PlanKind.SPLIT, joining.SPLIT)
        forms.register(PlanKind.SPLIT, forms.SplitForm)
        kinds.register(PlanKind.UNDO, joining.UNDO)
        forms.register(PlanKind.UNDO, forms.UndoForm)

        kinds.register(PlanKind.REFUND, refunds.REFUND)
        forms.register(PlanKind.REFUND, forms.RefundForm)
        kinds.register(macros.REMIND, sequences.REMIND)
        told.register(told.Kind("order.late", told.Group.ORDERS))
        kinds.register(PlanKind.MACRO, sequences.MACRO)
        forms.register(PlanKind.MACRO, forms.MacroForm)


class SupportAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "support.site.SupportAdminSite"
