"""Drafts, printers and suppliers' lists, for tests about batches."""

import pyrage

from redemption.models import Batch
from redemption.print_files import path_of
from redemption.roles import Role
from tests import factories


def printer():
    """A printer's age identity, and the public key that it gave us."""
    identity = pyrage.x25519.Identity.generate()
    return identity, str(identity.to_public())


def draft(*, quantity=3, printer_key=None, product=None, **fields):
    """A draft batch of a program whose printer has a key."""
    product = product or factories.product(
        factories.program(printer_key=printer()[1] if printer_key is None else printer_key)
    )
    return Batch.objects.create(
        product=product,
        quantity=quantity,
        code_format=product.program.current_format(),
        **{"retailer": fields.pop("retailer", None) or factories.retailer(), "created_by": manager(), **fields},
    )


def manager():
    return factories.user(Role.MANAGER)


def printed(print_file, identity):
    """The print file's lines, decrypted: (serial number, code as printed)."""
    lines = pyrage.decrypt(path_of(print_file).read_bytes(), [identity]).decode().splitlines()
    return [(int(serial), code) for serial, code in (line.split(",") for line in lines)]


def pins(count, *, start=0):
    """`count` different codes of a supplier's, eleven digits each."""
    return [str(10_000_000_019 + 7_919_191 * number) for number in range(start, start + count)]
