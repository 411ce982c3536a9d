"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("payments", "0011_chain_anchor"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "payments_credit",
            "credit",
            "financial",
            kept="user_id user_type label amount remaining source source_id source_invoice_id applicable_to builder_id category_id expires_at issued_by_id notes withdrawn_at created_at",
            amount="amount",
        ),
        watch(
            "payments_credituse",
            "credituse",
            "financial",
            kept="credit_id invoice_id amount returned returned_at created_at",
            amount="amount",
        ),
        watch(
            "payments_escrowoperation",
            "escrowoperation",
            "financial",
            kept="number kind purpose subject_id target_id client_id builder_id amount prepaid gift fee_bps args status backend reason created_at applied_at confirmed_at chain_id contract key address tx_hash",
            amount="amount",
        ),
        watch(
            "payments_invoice",
            "invoice",
            "financial",
            kept="kind number purpose subject_id deal_id payer_id payee_id corrects_id status currency subtotal fee credit prepaid total opened_at expires_at paid_at voided_at",
            personal="payer_name payee_name",
            amount="total",
        ),
        watch(
            "payments_invoiceline",
            "invoiceline",
            "financial",
            kept="invoice_id position description amount is_fee",
            amount="amount",
        ),
        watch(
            "payments_payment",
            "payment",
            "financial",
            kept="invoice_id provider status amount refunded external_id created_at expires_at succeeded_at failed_at failure settled_at",
            hidden="pay_url",
            amount="amount",
        ),
        watch(
            "payments_refund",
            "refund",
            "financial",
            kept="payment_id credit_note_id amount escrowed reason status external_id requested_at completed_at failed_at error",
            amount="amount",
        ),
        watch(
            "payments_payoutaddress",
            "payoutaddress",
            "financial",
            kept="address changed_at",
        ),
        watch(
            "payments_bankaccount",
            "bankaccount",
            "financial",
            kept="changed_at",
            personal="masked",
            hidden="details",
        ),
        watch(
            "payments_payoutbatch",
            "payoutbatch",
            "financial",
            kept="reference status lines total made_by_id made_at exported_at closed_at",
            amount="total",
        ),
        watch(
            "payments_withdrawal",
            "withdrawal",
            "financial",
            kept="user_id method amount fee address status batch_id external_id requested_at due_at sending_at completed_at failed_at cancelled_at error",
            personal="bank_masked",
            hidden="bank",
            amount="amount",
        ),
        watch(
            "payments_payouthold",
            "payouthold",
            "financial",
            kept="user_id withdrawal_id reason incident_id made_by_id made_at until ended_at ended_by_id end_reason",
        ),
    ]
