"""What log lines say about requests."""

import logging

from django.http import HttpRequest


class RoutesInsteadOfAddresses(logging.Filter):
    """Django names the address in its lines about refused requests, and somebody's code may stand in it.

    The route that the address matched says as much: “Not Found: admin/redemption/batch/<path:object_id>/change/”.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
            match = request.resolver_match
            route = match.route if match else "an address that leads nowhere"
            addresses = {request.path, request.path_info, request.get_full_path()}
            record.args = tuple(route if argument in addresses else argument for argument in record.args)
        elif record.name == "django.server" and isinstance(record.args, tuple) and record.args:
            # The development server's access log: “GET /path HTTP/1.1”.
            record.args = (str(record.args[0]).split(" ")[0], *record.args[1:])
        return True
