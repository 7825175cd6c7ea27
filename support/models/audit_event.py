"""What staff did and looked at. No logic reads these rows and they point at no live data: they are for investigation.

Events hold ids only. Personal details go to a side table that can be erased; their salted hash stays in the event.
"""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models

from redemption.models.fields import TransactionIdField


class AuditAction(models.TextChoices):
    """Every action, with its sentence: {actor} and {target} are filled in when it is read."""

    SIGNED_IN = "signed_in", "{actor} signed in"
    LOOKED_UP = "looked_up", "{actor} looked something up and found {target}"
    LOOKED_UP_NOTHING = "looked_up_nothing", "{actor} looked something up and found nothing"
    NEAR_MISS_SHOWN = "near_miss_shown", "{actor} mistyped a code and was shown {target}"
    CODE_OPENED = "code_opened", "{actor} opened the page of {target}"
    ACCOUNT_OPENED = "account_opened", "{actor} opened {target}"
    ATTEMPT_OPENED = "attempt_opened", "{actor} opened {target}"
    ACCOUNTS_LISTED = "accounts_listed", "{actor} listed accounts"
    DIAGNOSED = "diagnosed", "{actor} diagnosed {target}"
    TICKET_OPENED = "ticket_opened", "{actor} opened {target}"
    TICKETS_LISTED = "tickets_listed", "{actor} listed tickets"
    TICKET_CREATED = "ticket_created", "{actor} wrote down {target}"
    TICKET_CHANGED = "ticket_changed", "{actor} changed {target}"
    TICKET_ANSWERED = "ticket_answered", "{actor} answered {target}"
    TICKET_NOTED = "ticket_noted", "{actor} wrote a note on {target}"
    ANSWER_UNSENT = "answer_unsent", "{actor} took an answer on {target} back before it was sent"
    TICKETS_CHANGED = "tickets_changed", "{actor} changed several tickets at once"
    TICKET_MERGED = "ticket_merged", "{actor} merged {target} into another ticket"
    TICKET_UNMERGED = "ticket_unmerged", "{actor} undid the merge of {target}"
    RECEIPT_OPENED = "receipt_opened", "{actor} opened a picture of {target}"
    QUARANTINE_OPENED = "quarantine_opened", "{actor} opened the original of {target}"
    DESK_CHANGED = "desk_changed", "{actor} changed {target}, by which the desk works"
    ACCOUNT_CHANGED = "account_changed", "{actor} changed {target}"
    CARD_CHANGED = "card_changed", "{actor} changed {target}"
    CATALOGUE_CHANGED = "catalogue_changed", "{actor} changed {target} in the catalogue"
    STAFF_CHANGED = "staff_changed", "{actor} changed the person {target}"
    ROLE_CHANGED = "role_changed", "{actor} changed the role of {target}"
    SIGN_IN_FAILED = "sign_in_failed", "Somebody tried to sign in as {actor} and failed"
    SIGNED_OUT = "signed_out", "{actor} signed out"
    SIGN_IN_CHANGED = "sign_in_changed", "{actor} changed how he signs in"
    CREDIT_STARTED = "credit_started", "{actor} opened the form to credit {target}"
    CREDIT_GRANTED = "credit_granted", "{actor} granted a credit to {target}"
    CREDIT_REQUESTED = "credit_requested", "{actor} asked for a credit to {target}"
    CREDIT_OPENED = "credit_opened", "{actor} opened {target}"
    REVERSAL_REQUESTED = "reversal_requested", "{actor} asked to reverse {target}"
    CREDIT_REVERSED = "credit_reversed", "{actor} reversed {target}"
    MOVE_REQUESTED = "move_requested", "{actor} asked to move what {target} gave to another account"
    CARD_MOVED = "card_moved", "{actor} moved what {target} gave to another account"
    REQUESTS_LISTED = "requests_listed", "{actor} listed what waits for a second person"
    REQUEST_OPENED = "request_opened", "{actor} opened {target}"
    REQUEST_APPROVED = "request_approved", "{actor} approved {target}"
    REQUEST_REJECTED = "request_rejected", "{actor} rejected {target}"
    REQUEST_WITHDRAWN = "request_withdrawn", "{actor} withdrew {target}"
    POLICY_REQUESTED = "policy_requested", "{actor} asked to change the limits of credits"
    POLICY_CHANGED = "policy_changed", "{actor} changed the limits of credits to {target}"
    REASON_CHANGED = "reason_changed", "{actor} changed the reason for credits {target}"
    CREDITS_STOPPED = "credits_stopped", "{actor} stopped all credits"
    CREDITS_RESUMED = "credits_resumed", "{actor} allowed credits again"
    CREDITS_LISTED = "credits_listed", "{actor} listed credits"
    REPORT_OPENED = "report_opened", "{actor} opened the figures of {target}"
    EXPORT_REQUESTED = "export_requested", "{actor} had {target} made"
    EXPORT_FETCHED = "export_fetched", "{actor} took {target} away"
    AUDIT_READ = "audit_read", "{actor} read the audit trail"
    ROWS_LISTED = "rows_listed", "{actor} listed {target}"
    RECORD_OPENED = "record_opened", "{actor} opened {target}"
    PRINT_FILE_TAKEN = "print_file_taken", "{actor} took the print file of {target} away"
    REPORTS_LISTED = "reports_listed", "{actor} listed reports of compromised cards"
    COMPROMISE_OPENED = "compromise_opened", "{actor} opened {target}"
    CARDS_REPORTED = "cards_reported", "{actor} reported compromised cards with {target}"
    CARDS_CLEARED = "cards_cleared", "{actor} cleared cards of {target}"
    VOID_REQUESTED = "void_requested", "{actor} asked to void cards of {target}"
    CARDS_VOIDED = "cards_voided", "{actor} voided cards of {target}"
    REPLACEMENT_REQUESTED = "replacement_requested", "{actor} asked to replace cards of {target}"
    CARD_REPLACED = "card_replaced", "{actor} replaced {target}"
    CARDS_CLOSED = "cards_closed", "{actor} closed cards of {target} without a credit"
    INFORMATION_REQUESTED = "information_requested", "{actor} asked the retailer about {target}"
    VICTIM_RELIEVED = "victim_relieved", "{actor} lifted from {target} what a compromised card had brought on"
    SIGNS_LISTED = "signs_listed", "{actor} listed the signs of compromised cards"
    SIGN_JUDGED = "sign_judged", "{actor} judged {target}"
    MEMBER_INVITED = "member_invited", "{actor} invited somebody to {target}"
    MEMBER_JOINED = "member_joined", "{actor} became a member of {target}"
    MEMBER_CHANGED = "member_changed", "{actor} changed a member of {target}"
    MEMBER_REMOVED = "member_removed", "{actor} removed a member of {target}"
    KEY_MADE = "key_made", "{actor} made a key for the systems of {target}"
    KEY_ROTATED = "key_rotated", "{actor} rotated a key of {target}"
    KEY_REVOKED = "key_revoked", "{actor} revoked a key of {target}"
    SIGN_IN_LOCKED = "sign_in_locked", "{actor} failed to sign in too often and is locked out for a while"
    ACCOUNT_STARTED = "account_started", "{actor} started {target}"
    CODE_VALIDATED = "code_validated", "{actor} was asked by a platform what {target} would give"
    CODE_STATUS_ASKED = "code_status_asked", "{actor} was asked by a platform how {target} stands"
    OUTAGE_DECLARED = "outage_declared", "{actor} switched redeeming off for {target}"
    OUTAGE_ENDED = "outage_ended", "{actor} ended an outage of {target}"
    WEBHOOK_MADE = "webhook_made", "{actor} made a webhook of {target}"
    WEBHOOK_CHANGED = "webhook_changed", "{actor} changed a webhook of {target}"
    WEBHOOK_SENT_AGAIN = "webhook_sent_again", "{actor} had webhooks of {target} sent again"
    INVOICE_SETTLED = "invoice_settled", "{actor} was told by a platform what became of {target}"


class AuditEvent(models.Model):
    at = models.DateTimeField()
    actor_id = models.BigIntegerField()
    actor_role = models.CharField(max_length=20)
    action = models.CharField(max_length=30, choices=AuditAction)
    # Such as “code:1000000123”; empty where the action has none.
    target = models.CharField(max_length=60, blank=True)
    # Ids and enum values only. “also” lists targets that stood beside: a list's rows, a look-up's findings.
    details = models.JSONField(default=dict)
    personal_hash = models.BinaryField(max_length=32, null=True)
    xact = TransactionIdField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(action__in=AuditAction.values), name="audit_action_is_known"),
        ]
        indexes = [
            # The trail's pages go on from (at, id); each filter alone has an index in that order.
            # “Who looked at this account?”
            models.Index(fields=["target", "-at", "-id"], name="audit_target"),
            # Where it stood in a list or among findings.
            GinIndex(OpClass("details", "jsonb_path_ops"), name="audit_details"),
            models.Index(fields=["actor_id", "-at", "-id"], name="audit_actor"),
            models.Index(fields=["action", "-at", "-id"], name="audit_action"),
            # A rare action of somebody who does much else.
            models.Index(fields=["actor_id", "action", "-at", "-id"], name="audit_actor_action"),
            # A stretch of time, and the managers' figures of one.
            models.Index(fields=["-at", "-id"], name="audit_time"),
            # The seals: what was written since.
            models.Index(fields=["xact"], name="audit_xact"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}".strip()


class AuditPersonal(models.Model):
    """The erasable part of an event. BLAKE2b over salt and text is the event's `personal_hash`."""

    event_id = models.BigIntegerField(primary_key=True)
    salt = models.BinaryField(max_length=16)
    text = models.TextField()

    class Meta:
        ordering = ["event_id"]

    def __str__(self) -> str:
        return str(self.event_id)
