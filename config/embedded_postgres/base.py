"""Django's PostgreSQL engine on the embedded server: `ENGINE: "config.embedded_postgres"`."""

import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, ClassVar

from django.db import connections
from django.db.backends.postgresql import base as postgresql
from django.db.backends.postgresql.client import DatabaseClient as PostgresqlClient

from config.embedded_postgres import server


class DatabaseClient(PostgresqlClient):
    """`manage.py dbshell` with the psql that comes along."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        info = server.ensure_running()
        embedded = {**settings_dict, "HOST": info.host, "PORT": info.port, "USER": settings_dict["USER"] or info.user}
        (_, *arguments), environment = super().settings_to_cmd_args_env(embedded, parameters)
        return [str(server.bin_folder() / "psql"), *arguments], environment


class DatabaseWrapper(postgresql.DatabaseWrapper):
    """Starts the server on the first connection, and creates the database NAME when it is missing."""

    client_class = DatabaseClient
    _connection_pools: ClassVar[dict[str, Any]] = {}

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        info = server.ensure_running()
        # An empty hostaddr keeps a PGHOSTADDR of the caller's environment out.
        params.update(host=info.host, hostaddr="", port=info.port, user=self.settings_dict["USER"] or info.user)
        if self.settings_dict["NAME"]:
            _create_once(self.settings_dict["NAME"])
        return params


@lru_cache
def _create_once(name: str) -> None:
    server.create_database(name)


def _close_pools() -> None:
    """A pool's threads may still be connecting, and would report a server that stops."""
    for pool in DatabaseWrapper._connection_pools.values():
        pool.close()


server.before_leaving.append(_close_pools)


_of_the_parent: list[object] = []


def _drop_the_parents_connections() -> None:
    """A forked child opens its own: what it inherits are the parent's sockets, and pools without their threads.

    They are put aside, not closed, because closing would end the parent's sessions.
    """
    for pool in DatabaseWrapper._connection_pools.values():
        pool._closed = True  # else, collected, it would wait for threads that were never forked
        _of_the_parent.append(pool)
    DatabaseWrapper._connection_pools.clear()
    for wrapper in connections.all(initialized_only=True):
        if isinstance(wrapper, DatabaseWrapper):
            _of_the_parent.append(wrapper.connection)
            wrapper.connection = None


os.register_at_fork(after_in_child=_drop_the_parents_connections)
