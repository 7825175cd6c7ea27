"""Who may do what: every role and every permission is named here, and nowhere else."""

from django.db import models


class Role(models.TextChoices):
    CUSTOMER = "customer", "Customer"
    RETAILER = "retailer", "Retailer's member"
    SOCIAL_MEDIA = "social_media", "Social media agent"
    AGENT = "agent", "Support agent"
    SENIOR_AGENT = "senior_agent", "Senior agent"
    MANAGER = "manager", "Manager"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"
    # Signs in nowhere: the actor of nightly jobs and tills, because an event without an actor is an error.
    SYSTEM = "system", "System"


class Permission(models.TextChoices):
    LOOK_UP = "look_up", "Look up codes, serial numbers and references"
    SEE_PERSONAL_DATA = "see_personal_data", "See who a customer is"
    DIAGNOSE = "diagnose", "Diagnose a code for an account"
    VIEW_CATALOGUE = "view_catalogue", "See programs, products, retailers and batches"
    MANAGE_PROGRAMS = "manage_programs", "Change programs, code formats and products"
    MANAGE_RETAILERS = "manage_retailers", "Change retailers"
    MANAGE_BATCHES = "manage_batches", "Create, issue, activate and close batches"
    FETCH_PRINT_FILES = "fetch_print_files", "Fetch a batch's print file"
    FREEZE = "freeze", "Freeze and thaw codes and batches"
    REQUEST = "request", "Ask for what needs a second person"
    APPROVE = "approve", "Decide what another person asked for"
    VIEW_ACCOUNTS = "view_accounts", "See customers' accounts"
    MANAGE_ACCOUNTS = "manage_accounts", "Change customers' accounts"
    MANAGE_STAFF = "manage_staff", "Change people and their roles"
    VIEW_AUDIT = "view_audit", "Read the audit trail"
    VIEW_TICKETS = "view_tickets", "Read tickets"
    ANSWER_TICKETS = "answer_tickets", "Answer tickets and change them"
    ASSIGN_OTHERS = "assign_others", "Assign tickets to other people"
    OPEN_QUARANTINE = "open_quarantine", "Open the original of a file that a customer sent"
    MANAGE_DESK = "manage_desk", "Change known errors, macros, opening hours and targets"
    GRANT_CREDITS = "grant_credits", "Grant credits within one’s limits, and ask for others above them"
    MANAGE_CREDITS = "manage_credits", "Change limits and reasons of credits, and stop all of them"
    VIEW_REPORTS = "view_reports", "See the managers’ figures"
    EXPORT = "export", "Take figures and lists away as files"
    VIEW_COMPROMISED = "view_compromised", "See reports of compromised cards"
    SWITCH_REDEEMING = "switch_redeeming", "Switch redeeming off and on"
    MANAGE_INTERFACES = "manage_interfaces", "Change platforms’ keys and webhooks"


_P = Permission
_AGENT = {
    _P.LOOK_UP,
    _P.SEE_PERSONAL_DATA,
    _P.DIAGNOSE,
    _P.VIEW_CATALOGUE,
    _P.VIEW_ACCOUNTS,
    _P.FREEZE,
    _P.REQUEST,
    _P.VIEW_TICKETS,
    _P.ANSWER_TICKETS,
    _P.GRANT_CREDITS,
    _P.VIEW_COMPROMISED,
}
_MANAGER = _AGENT | {
    _P.MANAGE_PROGRAMS,
    _P.MANAGE_RETAILERS,
    _P.MANAGE_BATCHES,
    _P.MANAGE_ACCOUNTS,
    _P.FETCH_PRINT_FILES,
    _P.APPROVE,
    _P.VIEW_AUDIT,
    _P.ASSIGN_OTHERS,
    _P.OPEN_QUARANTINE,
    _P.MANAGE_DESK,
    _P.MANAGE_CREDITS,
    _P.VIEW_REPORTS,
    _P.EXPORT,
    _P.SWITCH_REDEEMING,
}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.CUSTOMER: frozenset(),
    Role.RETAILER: frozenset(),
    Role.SOCIAL_MEDIA: frozenset({_P.LOOK_UP, _P.VIEW_TICKETS, _P.ANSWER_TICKETS}),
    Role.AGENT: frozenset(_AGENT),
    Role.SENIOR_AGENT: frozenset(_AGENT | {_P.APPROVE, _P.ASSIGN_OTHERS}),
    Role.MANAGER: frozenset(_MANAGER),
    Role.AUDITOR: frozenset(
        {
            _P.LOOK_UP,
            _P.SEE_PERSONAL_DATA,
            _P.VIEW_CATALOGUE,
            _P.VIEW_ACCOUNTS,
            _P.VIEW_AUDIT,
            _P.VIEW_TICKETS,
            _P.VIEW_REPORTS,
            _P.EXPORT,
            _P.VIEW_COMPROMISED,
        }
    ),
    Role.ADMINISTRATOR: frozenset(_MANAGER | {_P.MANAGE_STAFF, _P.MANAGE_INTERFACES}),
    Role.SYSTEM: frozenset(),
}

STAFF_ROLES = frozenset(role for role, permissions in PERMISSIONS.items() if permissions)
