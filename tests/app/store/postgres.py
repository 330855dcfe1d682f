"""A PostgreSQL server of the tests' own: found or installed, started in a folder of its own, gone at the end.

It listens on a Unix socket only, so that no port is taken.  It refuses to run as root: then another user runs it.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg

_PACKAGED: Final = Path("/usr/lib/postgresql")  # Debian keeps the server's programs here, out of PATH
_OWNER: Final = "oddity"


class NoServerError(Exception):
    """There is no PostgreSQL on this machine, or it does not start; the message says why."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server."""

    folder: Path  # of its socket
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_database(self) -> str:
        """Make an empty database; returns its URL for SQLAlchemy."""
        name = f"workspace_{next(self._numbers)}"
        with psycopg.connect(host=str(self.folder), user=_OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://{_OWNER}@/{name}?host={self.folder}"


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server, and stop it at the end.

    Raises:
        NoServerError: with the reason.
    """
    programs = _find_programs() or _install()
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="oddity-pg-"))  # short: a socket's path has at most 107 bytes
    data = folder / "data"
    try:
        if user is not None:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
        initdb = [
            str(programs / "initdb"),
            "-D",
            str(data),
            "-U",
            _OWNER,
            "--auth=trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]
        _run(initdb, user, folder)
        pg_ctl = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"  # nobody pulls the plug here
        )
        _run([*pg_ctl, "start", "-l", str(folder / "log"), "-o", options], user, folder)
        try:
            yield PostgresServer(folder)
        finally:
            _run([*pg_ctl, "stop", "-m", "immediate"], user, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_programs() -> Path | None:
    """The folder of initdb and pg_ctl; the newest version where there are several."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(_PACKAGED.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def _install() -> Path:
    if shutil.which("apt-get") is None:
        raise NoServerError("initdb was not found, and without apt-get it cannot be installed")
    if os.geteuid() != 0:
        raise NoServerError("initdb was not found, and only root can install it (apt-get install postgresql)")
    # Run level 1 keeps the package from starting a server of its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "postgresql"]
    for command in (install, ["apt-get", "-qq", "update"], install):
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        except subprocess.TimeoutExpired as error:
            raise NoServerError(f"`{' '.join(command)}` did not end within 10 minutes") from error
        if (programs := _find_programs()) is not None:
            return programs
    raise NoServerError(f"`{' '.join(install)}` failed: {_last_line(done.stderr)}")


def _unprivileged_user() -> str | None:
    """Who runs the server: None = the user of this process."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in names), None)
    if user is None:
        raise NoServerError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
    return user


def _run(command: Sequence[str], user: str | None, folder: Path) -> None:
    """Run a program to its end, output to a file: a server that it leaves behind would keep a pipe open."""
    output, log = folder / "output", folder / "log"
    group = None if user is None else pwd.getpwnam(user).pw_gid
    with output.open("w") as file:
        done = subprocess.run(
            command,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
    if done.returncode != 0:
        raise NoServerError(
            f"{Path(command[0]).name} failed: {_last_line((log if log.exists() else output).read_text())}"
        )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
