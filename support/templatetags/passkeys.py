"""What a browser is asked for a passkey, in an attribute: no page has a script within it."""

import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def as_json(options: Any) -> str:
    return json.dumps(options)
