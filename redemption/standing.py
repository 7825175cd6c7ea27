"""Cards made one at a time: successors of replaced cards, and digital cards. Each product and retailer has a standing
batch for either purpose, whose serial numbers are taken one by one."""

from dataclasses import dataclass, field
from datetime import datetime

from django.views.decorators.debug import sensitive_variables

from redemption import serials
from redemption.cards import CardError
from redemption.code_format import last_four
from redemption.digests import digester
from redemption.models import Batch, BatchPurpose, BatchStatus, BatchTally, Code, CodeStatus, Product, Retailer, User

SIZE = 10_000


@dataclass(frozen=True, slots=True)
class NewCard:
    """The new card. Its code is in the clear here and nowhere else: show it once, or send it."""

    serial: int
    batch_id: int
    code: str = field(repr=False)


@sensitive_variables()
def make_card(
    *, product: Product, retailer: Retailer, by: User, purpose: BatchPurpose, sold_at: datetime | None = None
) -> NewCard:
    """One new card, active where it counts as sold already. Needs a transaction; posts nothing."""
    batch, serial = _next_place(product, retailer, by, purpose)
    pattern = batch.code_format.pattern
    digests = digester(product.program.digest_name)
    code = pattern.generate(1)[0].decode()
    Code.objects.create(
        serial=serial,
        digest=digests.current(code),
        batch=batch,
        key_version=digests.version,
        status=CodeStatus.ACTIVE if sold_at else CodeStatus.INACTIVE,
        last_four=last_four(code),
        activated_at=sold_at,
    )
    return NewCard(serial, batch.pk, pattern.display(code))


def _next_place(product: Product, retailer: Retailer, by: User, purpose: BatchPurpose) -> tuple[Batch, int]:
    """The standing batch, locked, and its next serial number; a new batch where the last one is full."""
    standing = (
        Batch.objects.select_for_update(no_key=True)
        .filter(product=product, retailer=retailer, purpose=purpose, status=BatchStatus.ACTIVE)
        .order_by("pk")
        .last()
    )
    if standing:
        first, after = standing.serials.lower, standing.serials.upper
        last = Code.objects.filter(pk__gte=first, pk__lt=after).order_by("-pk").first()
        if last is None or last.pk + 1 < after:
            return standing, last.pk + 1 if last else first
    return _open_batch(product, retailer, by, purpose)


def _open_batch(product: Product, retailer: Retailer, by: User, purpose: BatchPurpose) -> tuple[Batch, int]:
    own = [code_format for code_format in product.program.formats.order_by("-version") if code_format.can_generate]
    if not own:
        raise CardError("This program's codes come from a supplier: we cannot make one.")
    first, after = serials.next_free(SIZE)
    batch = Batch.objects.create(
        product=product,
        retailer=retailer,
        code_format=own[0],
        status=BatchStatus.ACTIVE,
        quantity=SIZE,
        serials=(first, after),
        value=product.value if purpose == BatchPurpose.DIGITAL_CARDS else 0,
        currency=product.currency,
        purpose=purpose,
        created_by=by,
    )
    BatchTally.objects.create(batch=batch)
    return batch, first
