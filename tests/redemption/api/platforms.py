"""A platform, for tests of its interface: it sends as a key of its program."""

from django.utils import timezone

from redemption.models import PLATFORM_SCOPES, Invoice, InvoiceStatus
from redemption.roles import Role
from tests import factories
from tests.machines import Machine, make_key, told

__all__ = ["ADDRESS", "Platform", "due", "key", "told"]

ADDRESS = "/api/v1"


def key(of=None, scopes=PLATFORM_SCOPES, **fields):
    """(the row, the token as text)."""
    return make_key(Role.ADMINISTRATOR, scopes, program=of or factories.program(), **fields)


def due(account, **fields):
    """A month that the payment method on file is asked for."""
    return Invoice.objects.create(
        **{
            "account": account,
            "starts_on": "2026-06-01",
            "ends_on": "2026-07-01",
            "plan": "individual",
            "currency": account.currency,
            "price": 1099,
            "from_credit": 0,
            "due": 1099,
            "status": InvoiceStatus.DUE,
            "at": timezone.now(),
            **fields,
        }
    )


class Platform(Machine):
    address = ADDRESS

    def __init__(self, of=None, scopes=PLATFORM_SCOPES, token=None):
        self.key, token = (None, token) if token is not None else key(of, scopes)
        super().__init__(token)

    def try_(self, path, account, card, **fields):
        """Validate or redeem; `card` may be a text."""
        name, text = fields.pop("name", None), getattr(card, "text", card)
        return self.post(path, {"account": account.reference, "code": text, **fields}, name=name)
