"""Actions that are asked for together."""

from support.models import AuditAction as _A

LOOKS = "looks"
GROUPS: dict[str, tuple[str, frozenset[_A]]] = {
    LOOKS: (
        "Everything looked at",
        frozenset(
            {
                _A.LOOKED_UP,
                _A.LOOKED_UP_NOTHING,
                _A.NEAR_MISS_SHOWN,
                _A.CODE_OPENED,
                _A.ACCOUNT_OPENED,
                _A.ATTEMPT_OPENED,
                _A.ACCOUNTS_LISTED,
                _A.DIAGNOSED,
                _A.TICKET_OPENED,
                _A.TICKETS_LISTED,
                _A.RECEIPT_OPENED,
                _A.QUARANTINE_OPENED,
                _A.CREDIT_STARTED,
                _A.CREDIT_OPENED,
                _A.CREDITS_LISTED,
                _A.REQUESTS_LISTED,
                _A.REQUEST_OPENED,
                _A.REPORT_OPENED,
                _A.AUDIT_READ,
                _A.ROWS_LISTED,
                _A.RECORD_OPENED,
                _A.REPORTS_LISTED,
                _A.COMPROMISE_OPENED,
                _A.SIGNS_LISTED,
            }
        ),
    ),
    "tickets": (
        "Everything done to tickets",
        frozenset(
            {
                _A.TICKET_CREATED,
                _A.TICKET_CHANGED,
                _A.TICKET_ANSWERED,
                _A.TICKET_NOTED,
                _A.ANSWER_UNSENT,
                _A.TICKETS_CHANGED,
                _A.TICKET_MERGED,
                _A.TICKET_UNMERGED,
            }
        ),
    ),
    "credits": (
        "Credits, limits and second persons",
        frozenset(
            {
                _A.CREDIT_GRANTED,
                _A.CREDIT_REQUESTED,
                _A.REVERSAL_REQUESTED,
                _A.CREDIT_REVERSED,
                _A.MOVE_REQUESTED,
                _A.CARD_MOVED,
                _A.REQUEST_APPROVED,
                _A.REQUEST_REJECTED,
                _A.REQUEST_WITHDRAWN,
                _A.POLICY_REQUESTED,
                _A.POLICY_CHANGED,
                _A.REASON_CHANGED,
                _A.CREDITS_STOPPED,
                _A.CREDITS_RESUMED,
            }
        ),
    ),
    "compromised": (
        "Reports of compromised cards",
        frozenset(
            {
                _A.CARDS_REPORTED,
                _A.CARDS_CLEARED,
                _A.VOID_REQUESTED,
                _A.CARDS_VOIDED,
                _A.REPLACEMENT_REQUESTED,
                _A.CARD_REPLACED,
                _A.CARDS_CLOSED,
                _A.INFORMATION_REQUESTED,
                _A.VICTIM_RELIEVED,
                _A.SIGN_JUDGED,
            }
        ),
    ),
    "retailers": (
        "Retailers’ people and keys",
        frozenset(
            {
                _A.MEMBER_INVITED,
                _A.MEMBER_JOINED,
                _A.MEMBER_CHANGED,
                _A.MEMBER_REMOVED,
                _A.KEY_MADE,
                _A.KEY_ROTATED,
                _A.KEY_REVOKED,
            }
        ),
    ),
    "platforms": (
        "Platforms, their webhooks, and outages",
        frozenset(
            {
                _A.CODE_VALIDATED,
                _A.CODE_STATUS_ASKED,
                _A.INVOICE_SETTLED,
                _A.OUTAGE_DECLARED,
                _A.OUTAGE_ENDED,
                _A.WEBHOOK_MADE,
                _A.WEBHOOK_CHANGED,
                _A.WEBHOOK_SENT_AGAIN,
            }
        ),
    ),
    "changes": (
        "Changes of accounts, cards, the catalogue and the desk",
        frozenset({_A.ACCOUNT_CHANGED, _A.CARD_CHANGED, _A.CATALOGUE_CHANGED, _A.DESK_CHANGED}),
    ),
    "people": (
        "People, roles and signing in",
        frozenset(
            {
                _A.STAFF_CHANGED,
                _A.ROLE_CHANGED,
                _A.SIGNED_IN,
                _A.SIGNED_OUT,
                _A.SIGN_IN_FAILED,
                _A.SIGN_IN_CHANGED,
                _A.SIGN_IN_LOCKED,
                _A.ACCOUNT_STARTED,
            }
        ),
    ),
    "taken": (
        "Everything taken away as a file",
        frozenset({_A.EXPORT_REQUESTED, _A.EXPORT_FETCHED, _A.PRINT_FILE_TAKEN}),
    ),
}


def name_of(action: _A) -> str:
    """“account_opened” → “Account opened”: for choosing, where the sentence has nobody to tell of yet."""
    return str(action.value).replace("_", " ").capitalize()
