"""Connections to a workspace's database, SQLite or PostgreSQL, with one way to read and one way to write.

What databases complain about becomes a sentence here.  Passwords never become part of one.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.store.errors import StoreError

BUSY_TIMEOUT_S: Final = 30.0
# How a transaction that writes begins; the other ones see one unchanging state on either database.
_WRITING: Final[Mapping[str, Mapping[str, str]]] = {
    "sqlite": {"begin": "BEGIN IMMEDIATE"},
    "postgresql": {"isolation_level": "READ COMMITTED"},  # after the lock, see what its last holder did
}
_LOCK_KEY: Final = 0x0DD17  # of PostgreSQL's advisory lock that writers take; SQLite has one lock a file
_POSTGRESQL: Final = ("postgresql", "postgres", "postgresql+psycopg")
# Part of what SQLite or PostgreSQL says, in lower case -> what it means to a person; {0} is the database.
_SENTENCES: Final[Mapping[str, str]] = {
    "is locked": "{0} is locked by another program and did not come free in time; close that program, then try again.",
    "lock timeout": "{0} is locked by another program and did not come free in time; try again.",
    "readonly": "{0} may not be written by this user; change its permissions, or work on a copy of the workspace.",
    "read-only": "{0} may only be read; connect to the main server, or ask its keeper for the right to write.",
    "is full": "The disk of {0} is full, so nothing was saved; make room, then save again.",
    "no space left": "The disk of {0} is full, so nothing was saved; make room, then save again.",
    "not a database": "{0} is no database of this program; choose another folder, or restore the file from a backup.",
    "malformed": "{0} is damaged; restore it from a backup.",
    "disk i/o error": "{0} cannot be read or written (disk I/O error); check the disk and the room on it.",
    "unable to open": "{0} cannot be opened; check its permissions and those of its folder.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Database:
    """A database that is open.  Threads may share it."""

    reader: Engine
    writer: Engine  # the same connections, whose transactions begin otherwise
    place: str  # how it is called in messages
    read_only: bool
    file: Path | None = None  # of SQLite
    file_identity: tuple[int, int] | None = None  # of `file` when it was opened

    @property
    def address(self) -> str | None:
        """For another process that opens the same database, password included; None for a SQLite file."""
        return None if self.file is not None else self.reader.url.render_as_string(hide_password=False)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, however many queries it makes.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        with _told_as_sentences(self.place), self.reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that shares the database with no other writer: all of it is kept, or nothing.

        Raises:
            StoreError: the database cannot be reached, is locked for too long, or may not be written.
        """
        self.require_writable()
        with _told_as_sentences(self.place), self.writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            self._require_in_place()
            yield connection

    def require_writable(self) -> None:
        """Refuse to change what may only be read, before any file is written.

        Raises:
            StoreError: it may only be read.
        """
        if self.read_only:
            raise StoreError(_SENTENCES["readonly"].format(self.place))

    def _require_in_place(self) -> None:
        """SQLite goes on writing to a file that was moved or deleted, where nobody would find what was saved."""
        if self.file is not None and _identity(self.file) != self.file_identity:
            raise StoreError(
                f"{self.place} was moved, replaced or deleted while it was open, so nothing was saved; put it back, or "
                "start this program again with its new place."
            )

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self.reader.dispose()


def open_sqlite(path: Path, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Open a SQLite file, or make it.

    Args:
        path: the database file.
        read_only: neither the file nor its folder is touched.
        busy_timeout_s: how long to wait for other writers.
    Raises:
        StoreError: it is no SQLite file or cannot be opened.
    """

    def connect() -> DBAPIConnection:
        uri = path.absolute().as_uri() + _mode(path, read_only)
        # isolation_level=None: transactions begin where this module says so, not at the first statement that writes.
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        return cast(DBAPIConnection, connection)  # it is one, but its types say so in other words

    # Read-only connections are not kept: whether others write at the moment is found out at each.
    pool = NullPool(connect) if read_only else QueuePool(connect, pool_size=8, max_overflow=-1)
    engine = create_engine("sqlite://", pool=pool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    database = _database(engine, str(path), read_only)
    with _told_as_sentences(database.place, database):
        if not read_only:
            _use_write_ahead_log(connect, busy_timeout_s)
    return replace(database, file=path, file_identity=_identity(path))


def open_postgresql(database_url: str, *, read_only: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Open a PostgreSQL database that exists.  Nothing is connected yet.

    Args:
        database_url: `postgresql://user:password@host/database`.
        read_only: refuse to write.
        busy_timeout_s: how long to wait for other writers.
    Raises:
        StoreError: this is no such address.
    """
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        raise StoreError("The database address cannot be read; write postgresql://user@host/database.") from None
    if url.drivername not in _POSTGRESQL:
        raise StoreError(
            f"The database address begins with {url.drivername}://; give a postgresql:// one, or none for SQLite in "
            "the workspace's folder."
        )
    milliseconds = int(busy_timeout_s * 1000)
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            isolation_level="REPEATABLE READ",  # a page of the queue is read with several queries
            hide_parameters=True,
            connect_args={"connect_timeout": 10, "options": f"-c lock_timeout={milliseconds}"},
        )
    except ImportError as error:
        raise StoreError(
            "PostgreSQL needs the package psycopg; install it with: pip install 'psycopg[binary]'."
        ) from error
    return _database(engine, _postgresql_place(url), read_only)


def _database(engine: Engine, place: str, read_only: bool) -> Database:
    return Database(engine, engine.execution_options(**_WRITING[engine.dialect.name]), place, read_only)


def _mode(path: Path, read_only: bool) -> str:
    if not read_only:
        return "?mode=rwc"
    # A write-ahead log needs files beside the database.  Where none can be made the database cannot change either.
    return "?mode=ro" if path.with_name(path.name + "-wal").exists() else "?immutable=1"


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file keeps where it is moved; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _use_write_ahead_log(connect: Any, busy_timeout_s: float) -> None:
    """Turn the write-ahead log on; it stays with the file.  SQLite does not always wait for others here."""
    deadline = time.monotonic() + busy_timeout_s
    connection = connect()
    try:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
    finally:
        connection.close()


def _postgresql_place(url: URL) -> str:
    host = url.host or url.query.get("host") or "this machine"
    return f"The PostgreSQL database {url.database!r} on {host}" + (f":{url.port}" if url.port else "")


@contextmanager
def _told_as_sentences(place: str, opening: Database | None = None) -> Iterator[None]:
    """Turn what the database complains about into a `StoreError`; `opening` is closed then."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreError(f"{place} is busy with too many people at once; try again.") from error
    except IntegrityError:
        raise  # a mistake of this program, not of the database
    except (DBAPIError, sqlite3.Error) as error:
        if opening is not None:
            opening.close()
        raise _sentence(place, error) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{place} does not answer as expected ({type(error).__name__}); try again.") from error


def _sentence(place: str, error: DBAPIError | sqlite3.Error) -> Exception:
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    for part, sentence in _SENTENCES.items():
        if part in said.lower():
            return StoreError(sentence.format(place))
    first_line = said.splitlines()[0] if said else type(error).__name__
    if place.startswith("The PostgreSQL"):
        return StoreError(
            f"{place} cannot be used ({first_line}); check that the server runs and the address is right."
        )
    return StoreError(f"{place} cannot be used ({first_line}); check the file, or restore it from a backup.")
