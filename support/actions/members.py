"""Who signs in for a retailer: invited, joined, given another role, removed. A retailer's own managers do it, and the
desk, whose managers invite the first of them.

Whoever changes something holds the retailer's row, so that of two managers who remove each other one stays.
"""

from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import INVITATIONS_LAST, MemberRole, Retailer, RetailerInvitation, RetailerMember, User
from redemption.roles import STAFF_ROLES, Permission, Role
from support import audit
from support.actions.reports import take_over
from support.models import AuditAction
from support.sign_in import end_sessions
from support.told_back import told_back

# Of one retailer, at a time: an invitation mails somebody who did not ask for it.
MOST_OPEN = 50
_BETWEEN_MAILS = timedelta(minutes=1)


class MemberError(Exception):
    """This cannot be done; the text says why, for the person."""


class InvitationOverError(MemberError):
    """The invitation is accepted, withdrawn or too old."""


def is_managed_by(retailer: Retailer, by: User) -> bool:
    """By a manager of the retailer, or by the desk's."""
    if by.may(Permission.MANAGE_RETAILERS):
        return True
    managers = RetailerMember.objects.filter(retailer=retailer, user=by, role=MemberRole.MANAGER)
    return by.is_active and not by.is_staff and managers.exists()


# --- Inviting


def invite(
    *, retailer: Retailer, email: str, role: MemberRole, by: User, now: datetime | None = None
) -> RetailerInvitation:
    """Mails somebody a link that makes him a member. Whether the address is known here, nobody learns by it; only that
    it is a member's of this retailer."""
    from support.jobs import send_invitation_job

    now, email = now or timezone.now(), email.strip().lower()
    with transaction.atomic():
        _hold(retailer, by)
        if retailer.members.filter(user__email__iexact=email).exists():
            raise MemberError(f"{email} is a member already.")
        is_open = retailer.invitations.filter(accepted_at=None, withdrawn_at=None)
        if is_open.filter(email__iexact=email, expires_at__gt=now).exists():
            raise MemberError("This address is invited already: send the invitation again.")
        # Too old: it makes room.
        is_open.filter(email__iexact=email).update(withdrawn_at=now)
        if is_open.filter(expires_at__gt=now).count() >= MOST_OPEN:
            raise MemberError(f"{MOST_OPEN} invitations are open: wait until they are accepted, or withdraw some.")
        invited = RetailerInvitation.objects.create(
            retailer=retailer, email=email, role=role, by=by, at=now, expires_at=now + INVITATIONS_LAST
        )
        _record(AuditAction.MEMBER_INVITED, retailer, by, personal=email, invitation=invited.pk, role=role)
        send_invitation_job.defer(invitation_id=invited.pk)
    return invited


def send_again(invitation: RetailerInvitation, *, by: User, now: datetime | None = None) -> None:
    """Mails the link anew, which then works for another week."""
    from support.jobs import send_invitation_job

    now = now or timezone.now()
    with transaction.atomic():
        _hold(invitation.retailer, by)
        held = _open(invitation)
        if held.expires_at - INVITATIONS_LAST > now - _BETWEEN_MAILS:
            raise MemberError("It was sent a moment ago. Give it a minute to arrive.")
        held.expires_at = now + INVITATIONS_LAST
        held.save(update_fields=["expires_at"])
        _record(AuditAction.MEMBER_INVITED, held.retailer, by, personal=held.email, invitation=held.pk, did="again")
        send_invitation_job.defer(invitation_id=held.pk)


def withdraw(invitation: RetailerInvitation, *, by: User, now: datetime | None = None) -> None:
    """Its link is over."""
    with transaction.atomic():
        _hold(invitation.retailer, by)
        held = _open(invitation)
        held.withdrawn_at = now or timezone.now()
        held.save(update_fields=["withdrawn_at"])
        _record(AuditAction.MEMBER_INVITED, held.retailer, by, personal=held.email, invitation=held.pk, did="withdrawn")


# --- Joining


@sensitive_variables()
def sign_up(invitation: RetailerInvitation, *, name: str, password: str, now: datetime | None = None) -> User:
    """Makes the invited person a sign-in with the invitation's address, and a member. Raises ValidationError for a
    password that is too easy to guess, GuessError for a name that may be a guess too many. The name stands on reports
    and messages: codes are taken out of it."""
    now = now or timezone.now()
    user = User(email=invitation.email, name=name, role=Role.RETAILER)
    validate_password(password, user)
    user.set_password(password)
    texts = told_back({"name": name}, retailer=invitation.retailer, now=now).texts
    user.name = texts["name"][: User._meta.get_field("name").max_length]
    with transaction.atomic():
        held = _invited(invitation, now)
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            raise MemberError("Somebody signs in with this address already. Open the link from the mail again.") from (
                None
            )
        _join(held, user, now)
    return user


def check_may_accept(invitation: RetailerInvitation, *, user: User) -> None:
    """Raises MemberError for staff, for another address, and for a sign-in that is switched off."""
    if user.role in STAFF_ROLES:
        raise MemberError(
            "You work at this desk, and staff are no members of retailers. Be invited by another address."
        )
    if user.email.lower() != invitation.email.lower():
        raise MemberError("It was sent to another address than the one that you are signed in with: sign out first.")
    if not user.is_active:
        raise MemberError("Your sign-in is switched off. Write to the desk's support.")


def accept(invitation: RetailerInvitation, *, user: User, now: datetime | None = None) -> None:
    """Makes who has signed in with the invitation's address a member. Who is one already takes the invitation's role
    where it is the higher one."""
    check_may_accept(invitation, user=user)
    with transaction.atomic():
        held = _invited(invitation, now or timezone.now())
        if user.role != Role.RETAILER:
            # A customer; his accounts stay his.
            audit.record(
                AuditAction.ROLE_CHANGED, by=user, target=f"user:{user.pk}", old=user.role, new=Role.RETAILER.value
            )
            user.role = Role.RETAILER
            user.save(update_fields=["role"])
        _join(held, user, now or timezone.now())


def _join(held: RetailerInvitation, user: User, now: datetime) -> None:
    member, is_new = RetailerMember.objects.get_or_create(
        retailer=held.retailer, user=user, defaults={"role": held.role}
    )
    if not is_new and held.role == MemberRole.MANAGER:
        member.role = MemberRole.MANAGER
        member.save(update_fields=["role"])
    held.accepted_at = now
    held.save(update_fields=["accepted_at"])
    _record(AuditAction.MEMBER_JOINED, held.retailer, user, invitation=held.pk, role=member.role)


# --- Changing and removing


def change_role(member: RetailerMember, *, role: MemberRole, by: User) -> None:
    with transaction.atomic():
        _hold(member.retailer, by)
        held = _member(member)
        if held.role == role:
            return
        if role != MemberRole.MANAGER:
            _keep_a_manager(held, by)
        old, held.role = held.role, role
        held.save(update_fields=["role"])
        _record(AuditAction.MEMBER_CHANGED, held.retailer, by, also=[f"user:{held.user_id}"], old=old, new=role)


def remove(member: RetailerMember, *, by: User) -> None:
    """At once: his next click finds nothing. Who belongs to no other retailer is signed out everywhere."""
    with transaction.atomic():
        _hold(member.retailer, by)
        held = _member(member)
        _keep_a_manager(held, by)
        user = held.user
        _record(AuditAction.MEMBER_REMOVED, held.retailer, by, also=[f"user:{user.pk}"], role=held.role)
        held.delete()
        take_over(reporter=user, retailer=held.retailer, by=by, now=timezone.now())
        if not user.memberships.exists():
            end_sessions(user)


def _keep_a_manager(held: RetailerMember, by: User) -> None:
    """The desk may take the last one: it can invite another, and must be able to end what went wrong."""
    if held.role != MemberRole.MANAGER or by.may(Permission.MANAGE_RETAILERS):
        return
    others = held.retailer.members.filter(role=MemberRole.MANAGER, user__is_active=True).exclude(pk=held.pk)
    if not others.exists():
        raise MemberError("This is the last manager: make somebody else a manager first.")


# --- What all of it needs


def _hold(retailer: Retailer, by: User) -> None:
    """To the end of the transaction; and asks only then who may, so that nobody acts who was removed meanwhile."""
    Retailer.objects.select_for_update(no_key=True).get(pk=retailer.pk)
    if not is_managed_by(retailer, by):
        raise MemberError("You are no manager of this retailer any more.")


def _member(member: RetailerMember) -> RetailerMember:
    found = RetailerMember.objects.select_related("retailer", "user").filter(pk=member.pk).first()
    if found is None:
        raise MemberError("Somebody else has removed this member already.")
    return found


def _open(invitation: RetailerInvitation) -> RetailerInvitation:
    held = RetailerInvitation.objects.select_related("retailer").get(pk=invitation.pk)
    if held.accepted_at or held.withdrawn_at:
        raise MemberError("This invitation is over: it was accepted or withdrawn meanwhile.")
    return held


def _invited(invitation: RetailerInvitation, now: datetime) -> RetailerInvitation:
    """Held like everything else, and still good: of two clicks at once, the second finds it accepted."""
    Retailer.objects.select_for_update(no_key=True).get(pk=invitation.retailer_id)
    held = RetailerInvitation.objects.select_related("retailer").get(pk=invitation.pk)
    if held.accepted_at or held.withdrawn_at or held.expires_at <= now:
        raise InvitationOverError("This invitation is over.")
    return held


def _record(
    action: AuditAction,
    retailer: Retailer,
    by: User,
    *,
    also: list[str] | None = None,
    personal: str = "",
    **details: object,
) -> None:
    audit.record(action, by=by, target=f"retailer:{retailer.pk}", also=also or [], personal=personal, **details)
