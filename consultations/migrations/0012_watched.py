"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("consultations", "0011_sweeps_by_index"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "consultations_consultation",
            "consultation",
            "user_action",
            kept="builder_id client_id conversation_id invoice_id chain rescheduled_from_id move_count duration price client_fee builder_fee_bps scheduled_at ends_at client_zone builder_zone refund_policy free_hours move_limit move_hours free_ended_at status meeting_provider paid_at completed_at cancelled_at cancelled_by_id cancellation_reason expired_at rescheduled_at no_show_at no_show_party converted_order_id converted_at created_at",
            personal="client_notes builder_notes",
            amount="price",
        ),
        watch(
            "consultations_proposal",
            "proposal",
            "user_action",
            kept="consultation_id kind made_by_id from_calendar starts_at status answer_by answered_at created_at",
            personal="note",
        ),
        watch(
            "consultations_absence",
            "absence",
            "user_action",
            kept="consultation_id party status reported_at answer_by disputed_at decided_at decided_by_id created_at",
            personal="note dispute_note decision_note",
        ),
    ]
