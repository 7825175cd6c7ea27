"""What retailers see of the desk's tables: their reports, and what was written to and fro about them. A ticket that
names a retailer is a customer's as a rule: only a report's own is the retailer's to read, and no internal note is."""

from redemption.portal_wall import OWN, Window

_REPORTS = "SELECT id FROM support_compromisereport"
_TICKETS = "SELECT ticket_id FROM support_compromisereport"

WINDOWS = {
    "support_compromisereport": Window(
        ("id", "reference", "retailer_id", "ticket_id", "channel", "kind", "reporter_name", "store", "till", "sold_at",
         "discovered_at", "receipt_number", "customer_present", "police_reference", "note", "status", "done", "total",
         "message", "created_at", "updated_at", "frozen_at", "undecided", "answered_at"),
        f"retailer_id = ANY ({OWN})",
    ),
    "support_reportedcard": Window(
        ("id", "report_id", "line", "serial", "problem", "answer", "redeemed_at", "outcome", "decided_at"),
        f"report_id IN ({_REPORTS})",
    ),
    "support_ticket": Window(("id", "reference", "status"), f"id IN ({_TICKETS})"),
    "support_message": Window(
        ("id", "ticket_id", "kind", "author_name", "body", "at", "undo_until"),
        # Nor an answer that can still be taken back.
        f"ticket_id IN ({_TICKETS}) AND kind <> 'note' AND (undo_until IS NULL OR undo_until <= now())",
    ),
    "support_attachment": Window(
        ("id", "ticket_id", "message_id", "kind", "name", "size", "at", "refusal", "scan"),
        "message_id IN (SELECT id FROM support_message)",
    ),
    "support_attachmentpage": Window(
        ("id", "attachment_id", "number", "file", "width", "height"),
        "attachment_id IN (SELECT id FROM support_attachment)",
    ),
}  # fmt: skip
