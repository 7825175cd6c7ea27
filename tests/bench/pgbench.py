"""The limit's side: pgbench with a fixed script, on the same server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from django.db import connection

from config.embedded_postgres.binaries import bin_folder

SCRIPTS = Path(__file__).parent / "limits"


def run(script: str, *, clients: int, seconds: int, **variables: int) -> float:
    """Transactions a second of limits/`script`."""
    settings = connection.get_connection_params()
    binary = shutil.which("pgbench") or str(bin_folder() / "pgbench")
    environment = {
        **os.environ,
        "PGHOST": settings.get("host", ""),
        "PGPORT": str(settings.get("port") or 5432),
        "PGUSER": settings.get("user", ""),
        "PGPASSWORD": settings.get("password", ""),
        "PGDATABASE": connection.settings_dict["NAME"],
    }
    command = [binary, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds)]
    for name, value in variables.items():
        command += ["-D", f"{name}={value}"]
    done = subprocess.run(
        [*command, "-f", str(SCRIPTS / script)], env=environment, capture_output=True, text=True, check=False
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"pgbench: {done.stderr or done.stdout}")
    return float(found.group(1))
