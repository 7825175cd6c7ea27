"""The domain's records, one file per noun."""

from redemption.models.account import Account, BillingProvider, Plan, Restriction
from redemption.models.api_key import PLATFORM_SCOPES, TILL_SCOPES, ApiKey, ApiRequest, ApiScope
from redemption.models.approval import Approval, ApprovalAction, ApprovalRequest, Decision, RequestStatus
from redemption.models.attempt import Attempt, AttemptOutcome, Channel, Redemption
from redemption.models.batch import FIRST_SERIAL, LAST_SERIAL, Batch, BatchPurpose, BatchStatus
from redemption.models.batch_job import BatchJob, BatchTally, TallyMark
from redemption.models.card_event import CardEvent, CardEventKind
from redemption.models.challenge import Challenge
from redemption.models.code import Code, CodeStatus, Replacement
from redemption.models.day_tally import AttemptDay, LedgerDay
from redemption.models.guard import IdempotencyKey, Throttle, ThrottleScope
from redemption.models.invoice import Invoice, InvoiceStatus
from redemption.models.job import Job, JobStatus
from redemption.models.outage import Outage, OutageCause
from redemption.models.plan_price import PlanPrice
from redemption.models.premium import PremiumGrant
from redemption.models.print_file import OutboxCard, PrintFile, PrintFileDownload
from redemption.models.product import Benefit, Product, ProductKind
from redemption.models.program import CodeFormat, Program
from redemption.models.retailer import (
    INVITATIONS_LAST,
    MemberRole,
    Retailer,
    RetailerInvitation,
    RetailerKind,
    RetailerMember,
)
from redemption.models.sealed_mail import SealedMail
from redemption.models.transfer import Book, Transfer, TransferKind, Wallet
from redemption.models.user import User
from redemption.models.webhook import (
    WEBHOOK_KINDS,
    DeliveryStatus,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookKind,
    WebhookMark,
)

__all__ = [
    "FIRST_SERIAL",
    "INVITATIONS_LAST",
    "LAST_SERIAL",
    "PLATFORM_SCOPES",
    "TILL_SCOPES",
    "WEBHOOK_KINDS",
    "Account",
    "ApiKey",
    "ApiRequest",
    "ApiScope",
    "Approval",
    "ApprovalAction",
    "ApprovalRequest",
    "Attempt",
    "AttemptDay",
    "AttemptOutcome",
    "Batch",
    "BatchJob",
    "BatchPurpose",
    "BatchStatus",
    "BatchTally",
    "Benefit",
    "BillingProvider",
    "Book",
    "CardEvent",
    "CardEventKind",
    "Challenge",
    "Channel",
    "Code",
    "CodeFormat",
    "CodeStatus",
    "Decision",
    "DeliveryStatus",
    "IdempotencyKey",
    "Invoice",
    "InvoiceStatus",
    "Job",
    "JobStatus",
    "LedgerDay",
    "MemberRole",
    "Outage",
    "OutageCause",
    "OutboxCard",
    "Plan",
    "PlanPrice",
    "PremiumGrant",
    "PrintFile",
    "PrintFileDownload",
    "Product",
    "ProductKind",
    "Program",
    "Redemption",
    "Replacement",
    "RequestStatus",
    "Restriction",
    "Retailer",
    "RetailerInvitation",
    "RetailerKind",
    "RetailerMember",
    "SealedMail",
    "TallyMark",
    "Throttle",
    "ThrottleScope",
    "Transfer",
    "TransferKind",
    "User",
    "Wallet",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
    "WebhookKind",
    "WebhookMark",
]
