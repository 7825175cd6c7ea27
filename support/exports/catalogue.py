"""Every list that can be taken away, by its name."""

from redemption.models import User
from support.exports.credits import APPROVALS, CREDITS
from support.exports.figures import FAILURES, LIABILITY, SIGNALS
from support.exports.lists import List
from support.exports.trail import AUDIT

LISTS = {found.name: found for found in (CREDITS, APPROVALS, LIABILITY, FAILURES, SIGNALS, AUDIT)}


def open_to(user: User) -> list[List]:
    return [found for found in LISTS.values() if found.is_open_to(user)]
