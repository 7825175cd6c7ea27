"""`{% if asked|opened_by:request.user %}`: whether the reader may open a request that a page names."""

from django import template

from redemption.models import ApprovalRequest, User
from support.waiting import opens

register = template.Library()


@register.filter
def opened_by(asked: ApprovalRequest, reader: User) -> bool:
    return opens(asked, reader)
