"""The buttons by which a list's own page has it made as a file."""

from typing import Any

from django import template
from django.template.context import Context

from support.exports.catalogue import LISTS

register = template.Library()


@register.inclusion_tag("support/_export.html", takes_context=True)
def export_buttons(context: Context, what: str, query: str = "") -> dict[str, Any]:
    """`query`: the list's filters, as its address has them. Nothing for those who may not export it."""
    return {"is_open": LISTS[what].is_open_to(context["request"].user), "what": what, "query": query}
