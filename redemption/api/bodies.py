"""Request bodies: JSON as its standard says, and none of what parsers forgive."""

import json
from typing import Any, NoReturn, cast

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from ninja.parser import Parser
from ninja.types import DictStrAny

from redemption.api.errors import ApiError, ErrorCode

_LARGEST = 2**63 - 1
# Ours have three levels; whoever looks into a body may call himself for each.
_DEEPEST = 50


class StrictParser(Parser):
    """400 for what is no JSON in UTF-8, for a name twice in one object, for NUL and lone
    surrogates, and for numbers that no column holds. What was read stays on the request as `body_read`."""

    @sensitive_variables()
    def parse_body(self, request: HttpRequest) -> DictStrAny:
        read = read_json(request.body)
        request.body_read = read  # type: ignore[attr-defined]
        return cast(DictStrAny, read)


@sensitive_variables()
def read_json(body: bytes) -> Any:
    try:
        text = body.decode()
        read = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_fraction,
            parse_constant=_no_number,
        )
        # Lone surrogates come as escapes.
        json.dumps(read, ensure_ascii=False).encode()
    except UnicodeError:
        raise ApiError(ErrorCode.MALFORMED, "The body is no text in UTF-8.") from None
    except RecursionError:
        raise ApiError(ErrorCode.MALFORMED, "The body is nested too deeply.") from None
    except ValueError:
        raise ApiError(ErrorCode.MALFORMED, "The body is no JSON.") from None
    if _is_deeper(read, _DEEPEST):
        raise ApiError(ErrorCode.MALFORMED, "The body is nested too deeply.")
    if "\\u0000" in text and _holds_nul(read):
        raise ApiError(ErrorCode.MALFORMED, "The body holds a NUL character.")
    return read


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            part
            for one in layer
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ApiError(ErrorCode.MALFORMED, "A name stands twice in one object.")
    return read


def _integer(text: str) -> int:
    # Before it is made: a number of a million digits takes its time.
    if len(text) > 20 or abs(number := int(text)) > _LARGEST:
        raise ApiError(ErrorCode.MALFORMED, "A number in the body is too large.")
    return number


def _fraction(text: str) -> float:
    number = float(text) if len(text) <= 400 else float("inf")
    if number in (float("inf"), float("-inf")):
        raise ApiError(ErrorCode.MALFORMED, "A number in the body is too large.")
    return number


def _no_number(text: str) -> NoReturn:
    raise ApiError(ErrorCode.MALFORMED, "The body is no JSON: it has no NaN and no Infinity.")


def _holds_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_holds_nul, value))
        case dict():
            return any(_holds_nul(part) for pair in value.items() for part in pair)
    return False
