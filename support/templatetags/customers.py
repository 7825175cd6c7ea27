"""Amounts on customers' pages."""

from django import template

from redemption.money import format_minor

register = template.Library()


@register.filter
def minor(amount: int, currency: str) -> str:
    return format_minor(amount, currency)
