"""A database is brought up to date step by step, all or nothing, and a newer one is left alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.reflection import Inspector

from app.store import folder, migrations
from app.store.database import Database, open_postgresql, open_sqlite
from app.store.errors import StoreError
from app.store.migrations import MIGRATIONS, Migration, migrate, read_state
from app.store.schema import METADATA
from app.store.workspace import Workspace
from tests.app.store.making import add, files_below

BIRDS = Migration("birds", ("CREATE TABLE birds (name TEXT)", "INSERT INTO birds VALUES ('tit')"))
BROKEN = Migration("broken", ("CREATE TABLE fish (name TEXT)", "INSERT INTO fishes VALUES ('eel')"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_sqlite(tmp_path / "some.db")
    yield opened
    opened.close()


def tables(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(inspect(connection).get_table_names())


def test_an_empty_database_gets_every_step_and_says_so(database: Database) -> None:
    with database.writing() as connection:
        state = migrate(connection, database.place)

    with database.reading() as connection:
        assert read_state(connection, database.place) == state
    assert state.schema_version == len(MIGRATIONS) == 2
    assert len(state.identity) == 32
    assert tables(database) == set(METADATA.tables)


def test_the_tables_are_what_the_queries_take_them_for(database: Database) -> None:
    with database.writing() as connection:
        migrate(connection, database.place)

    with database.reading() as connection:
        found = inspect(connection)
        for name, table in METADATA.tables.items():
            columns = {column["name"]: column for column in found.get_columns(name)}
            assert list(columns) == [column.name for column in table.columns]
            for column in table.columns:
                assert columns[column.name]["nullable"] == column.nullable or column.primary_key
            assert foreign_keys(found, name) == {(key.parent.name, key.target_fullname) for key in table.foreign_keys}
            assert {index["name"] for index in found.get_indexes(name)} == {index.name for index in table.indexes}
        assert unique(connection, "images") == {("digest",)}
        assert unique(connection, "revisions") == {("image_id", "number"), ("image_id", "save_id")}


def foreign_keys(found: Inspector, table: str) -> set[tuple[str, str]]:
    return {
        (key["constrained_columns"][0], f"{key['referred_table']}.{key['referred_columns'][0]}")
        for key in found.get_foreign_keys(table)
    }


def unique(connection: Connection, table: str) -> set[tuple[str, ...]]:
    indexes = connection.exec_driver_sql(f"PRAGMA index_list({table})").mappings().all()
    return {
        tuple(row["name"] for row in connection.exec_driver_sql(f"PRAGMA index_info({index['name']})").mappings())
        for index in indexes
        if index["unique"]
    }


def test_an_older_database_gets_the_missing_steps_once_and_keeps_its_identity(database: Database) -> None:
    with database.writing() as connection:
        old = migrate(connection, database.place)

    for _ in range(2):
        with database.writing() as connection:
            new = migrate(connection, database.place, (*MIGRATIONS, BIRDS))

    assert (new.schema_version, new.identity) == (3, old.identity)
    with database.reading() as connection:
        assert connection.execute(text("SELECT name FROM birds")).scalars().all() == ["tit"]


def test_a_step_that_fails_leaves_the_database_as_it_was(database: Database) -> None:
    with database.writing() as connection:
        old = migrate(connection, database.place)

    with pytest.raises(StoreError, match="no such table: fishes"), database.writing() as connection:
        migrate(connection, database.place, (*MIGRATIONS, BIRDS, BROKEN))

    assert tables(database) == set(METADATA.tables)
    with database.reading() as connection:
        assert read_state(connection, database.place) == old


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace, workspace.database.writing() as connection:
        connection.execute(text("UPDATE workspace SET schema_version = 7"))

    with pytest.raises(
        StoreError,
        match=r"written by a newer version of this program \(format 7, this one knows 2\); update the program",
    ):
        Workspace.open(tmp_path)


def test_a_newer_folder_is_refused(tmp_path: Path) -> None:
    Workspace.open(tmp_path).close()
    (tmp_path / "workspace.json").write_text(json.dumps({"format": 2, "identity": "x"}))

    with pytest.raises(StoreError, match=r"workspace.json was written by a newer version"):
        Workspace.open(tmp_path)


def test_an_older_workspace_is_brought_up_to_date_on_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.open(tmp_path) as workspace:
        digest = add(workspace)
    monkeypatch.setattr(folder, "MIGRATIONS", (*MIGRATIONS, BIRDS))
    monkeypatch.setattr(migrations.migrate, "__defaults__", ((*MIGRATIONS, BIRDS),))
    monkeypatch.setattr(migrations.refuse_newer, "__defaults__", (3,))

    with Workspace.open(tmp_path) as workspace:
        assert workspace.image(digest).digest == digest
        assert "birds" in tables(workspace.database)


def test_a_database_of_another_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "oddity.db") as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()

    with pytest.raises(StoreError, match=r"oddity.db holds the tables of another program \(recipes\)"):
        Workspace.open(tmp_path)
    assert files_below(tmp_path) == {"oddity.db"}
    with sqlite3.connect(tmp_path / "oddity.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    connection.close()


def test_many_who_open_a_new_folder_at_once_get_one_workspace(tmp_path: Path) -> None:
    def open_and_add(number: int) -> None:
        with Workspace.open(tmp_path / "work") as workspace:
            add(workspace, number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_add, range(8)))

    with Workspace.open(tmp_path / "work", create=False) as workspace:
        assert len(list(workspace.images())) == 8


def test_a_workspace_of_the_first_format_opens_and_keeps_what_it_holds(
    tmp_path: Path, database_url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(folder, "MIGRATIONS", MIGRATIONS[:1])
        older.setattr(migrations.migrate, "__defaults__", (MIGRATIONS[:1],))
        Workspace.open(tmp_path, database_url).close()
    image = (
        "INSERT INTO images VALUES (1, :digest, 'a.png', 4, 6, 9, '2026-01-01T00:00:00.000000+00:00', 'ann', '', '')"
    )
    standing = "INSERT INTO standings VALUES (1, 'new', 0, NULL, NULL, NULL, NULL, 1)"
    old = open_sqlite(tmp_path / "oddity.db") if database_url is None else open_postgresql(database_url)
    with old.writing() as connection:
        connection.execute(text(image), {"digest": "a" * 64})
        connection.execute(text(standing))
    assert "benefits" not in tables(old)
    old.close()

    with Workspace.open(tmp_path, database_url) as workspace:
        assert tables(workspace.database) == set(METADATA.tables)
        assert [item.image.name for item in workspace.queue(sort="benefit").items] == ["a.png"]
        assert workspace.item("a" * 64).benefit is None
