"""How the database is opened: what is acknowledged is on the disk, and one transaction sees one state."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.store.database import Database, open_postgresql, open_sqlite
from app.store.errors import StoreError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_sqlite(tmp_path / "a #1?.db")
    with opened.writing() as connection:
        connection.execute(text("CREATE TABLE birds (name TEXT UNIQUE)"))
    yield opened
    opened.close()


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(text("SELECT name FROM birds")).scalars())


def add_bird(database: Database, name: str) -> None:
    with database.writing() as connection:
        connection.execute(text("INSERT INTO birds VALUES (:name)"), {"name": name})


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_every_connection_is_as_safe_as_sqlite_can_be(database: Database, pragma: str, value: object) -> None:
    for use in (database.reading, database.writing):
        with use() as connection:
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_the_file_has_the_name_that_was_given(database: Database, tmp_path: Path) -> None:
    assert (tmp_path / "a #1?.db").is_file()
    assert database.place == str(tmp_path / "a #1?.db")


def test_an_exception_undoes_the_whole_transaction(database: Database) -> None:
    add_bird(database, "tit")

    with pytest.raises(IntegrityError, match="UNIQUE"), database.writing() as connection:
        connection.execute(text("INSERT INTO birds VALUES (:name)"), [{"name": "wren"}, {"name": "tit"}])

    assert names(database) == ["tit"]


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    with database.reading() as connection:
        count = text("SELECT count(*) FROM birds")
        before = connection.execute(count).scalar()
        add_bird(database, "tit")
        after = connection.execute(count).scalar()

    assert (before, after) == (0, 0)
    assert names(database) == ["tit"]


def test_a_writer_waits_for_the_one_before_and_sees_what_it_did(database: Database) -> None:
    seen: list[int] = []

    def count_and_add() -> None:
        with database.writing() as connection:
            seen.append(int(connection.execute(text("SELECT count(*) FROM birds")).scalar_one()))
            connection.execute(text("INSERT INTO birds VALUES (:name)"), {"name": str(len(seen))})

    with database.writing() as connection:
        waiting = threading.Thread(target=count_and_add)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        connection.execute(text("INSERT INTO birds VALUES ('tit')"))
    waiting.join()

    assert seen == [1]


def test_a_mistake_of_the_program_is_no_sentence_for_people(database: Database) -> None:
    add_bird(database, "tit")

    with pytest.raises(IntegrityError, match="UNIQUE constraint failed"):
        add_bird(database, "tit")


def test_what_the_database_says_otherwise_is_part_of_the_sentence(database: Database) -> None:
    sentence = r"a #1\?.db cannot be used \(no such table: fish\); check the file"
    with pytest.raises(StoreError, match=sentence), database.reading() as connection:
        connection.execute(text("SELECT * FROM fish"))


def test_another_process_is_given_the_whole_address_and_people_one_without_the_password(tmp_path: Path) -> None:
    database = open_postgresql("postgresql://ann:secret@host/pictures")
    assert database.address == "postgresql+psycopg://ann:secret@host/pictures"
    assert "secret" not in database.place
    assert open_postgresql(database.address).address == database.address
    sqlite = open_sqlite(tmp_path / "oddity.db")
    assert sqlite.address is None
    sqlite.close()
