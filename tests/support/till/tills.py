"""A retailer's system, for tests of the till's interface."""

from redemption.models import TILL_SCOPES
from redemption.roles import Role
from tests import factories
from tests.machines import Machine, make_key, told

__all__ = ["ADDRESS", "Till", "key", "told"]

ADDRESS = "/api/till/v1"


def key(of=None, scopes=TILL_SCOPES, **fields):
    """(the row, the token as text)."""
    return make_key(Role.RETAILER, scopes, retailer=of or factories.retailer(), **fields)


class Till(Machine):
    address = ADDRESS

    def __init__(self, of=None, scopes=TILL_SCOPES, token=None):
        self.key, token = (None, token) if token is not None else key(of, scopes)
        super().__init__(token)
