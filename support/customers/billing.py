"""Who bills an account, until when it is paid, and what comes next: in sentences for whom it concerns."""

from dataclasses import dataclass, field
from datetime import date

from redemption.models import Account, BillingProvider, Invoice, Plan, PlanPrice, Wallet
from redemption.money import format_minor

_MOST_INVOICES = 6
# Where a subscription that somebody else bills is ended.
WHERE_TO_END = {
    BillingProvider.APPLE: "Apple bills your subscription. To end it, open your name in the settings of your Apple "
    "device and choose Subscriptions.",
    BillingProvider.GOOGLE: "Google bills your subscription. To end it, open Google Play, then your picture, then "
    "Payments and subscriptions.",
    BillingProvider.CARRIER: "Your mobile carrier bills your subscription. To end it, ask the carrier, or look among "
    "the options of your contract.",
    BillingProvider.BUNDLE: "Your subscription is part of another company’s package. To end it, change the package "
    "there.",
}


@dataclass(frozen=True, slots=True)
class Billing:
    """`who` is one sentence or two, `price` a month's, `covers` how far the credit reaches."""

    plan: str
    price: str
    who: str
    balances: list[str]
    covers: str
    premium_until: date | None
    # When the next month is paid; none where premium time or nobody's bill comes first.
    renews_on: date | None
    invoices: list[Invoice] = field(default_factory=list)


def billing(account: Account, today: date) -> Billing:
    """Three queries."""
    provider = BillingProvider(account.billing_provider)
    wallets = list(Wallet.objects.filter(account=account).order_by("currency"))
    price = PlanPrice.objects.filter(program=account.program_id, plan=account.plan, currency=account.currency).first()
    balance = next((wallet.balance for wallet in wallets if wallet.currency == account.currency), 0)
    until = account.premium_until if account.premium_until and account.premium_until > today else None
    renews_on = account.renews_on if provider == BillingProvider.DIRECT else None
    if renews_on and until and until > renews_on:
        # The month that premium time covers is not billed.
        renews_on = until
    return Billing(
        plan=Plan(account.plan).label,
        price=format_minor(price.price, price.currency) if price else "",
        who=_who(account, provider),
        balances=[format_minor(wallet.balance, wallet.currency) for wallet in wallets if wallet.balance],
        covers=price.covers(balance) if price else "",
        premium_until=until,
        renews_on=renews_on,
        invoices=list(Invoice.objects.filter(account=account).order_by("-pk")[:_MOST_INVOICES]),
    )


def _who(account: Account, provider: BillingProvider) -> str:
    if provider.is_third_party:
        return WHERE_TO_END[provider]
    if provider == BillingProvider.NONE:
        return "Nothing is billed."
    if account.has_payment_method:
        return "We bill your plan: your credit is used first, and the payment method on file is asked for the rest."
    return (
        "We bill your plan from your credit. There is no payment method on file: when the credit does not reach for a "
        "month, your plan becomes Free and the credit stays."
    )
