"""Accounts that a platform knew before their owner signed in here: whoever shows that the address is his gets them."""

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from redemption.models import Account, User
from support import audit
from support.models import AuditAction


def link_accounts(user: User) -> int:
    """Links accounts that are nobody's and have the user's verified address, and marks the address as verified on his
    own. Done again, or twice at once, it changes nothing more. Returns how many accounts it changed.

    Not for staff: nobody here decides about his own account."""
    if user.is_staff or not _is_verified(user):
        return 0
    wanting = _wanting(user)
    if not wanting.exists():
        return 0
    with transaction.atomic():
        # Locked, and asked for again under the lock: somebody may have linked or changed one since.
        accounts = list(_wanting(user).order_by("pk").select_for_update(of=("self",)))
        for account in accounts:
            did = "verified" if account.user_id else "linked"
            account.user, account.email_verified = user, True
            account.save(update_fields=["user", "email_verified"])
            audit.record(AuditAction.ACCOUNT_CHANGED, by=user, target=f"account:{account.pk}", did=did)
    return len(accounts)


def _wanting(user: User) -> QuerySet[Account]:
    mine = Account.objects.alias(lower_email=Lower("email")).filter(lower_email=user.email.lower())
    return mine.filter(Q(user=None) | Q(user=user, email_verified=False))


def _is_verified(user: User) -> bool:
    return bool(EmailAddress.objects.filter(user_id=user.pk, email=user.email.lower(), verified=True).exists())
