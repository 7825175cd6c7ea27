"""What addresses of lists ask for: filters and keys, as they were typed."""

# Of a row, in PostgreSQL.
LARGEST_ID = 2**63 - 1


class UnknownFilterError(ValueError):
    """The address asks for what there is not."""


def is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= LARGEST_ID
