"""A file of records gives back what was put in, and never what was only begun."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import DataError
from models.training.record_file import RecordFile


def repeated(byte: int) -> Callable[[], bytes]:
    """Makes a record."""
    return lambda: bytes([byte]) * 16


def filled(path: Path, count: int = 3) -> RecordFile:
    """Record i is 16 times the byte i + 1 under the digest of its number."""
    records = RecordFile(path, 16)
    for index in range(count):
        records.get_or_make(f"digest {index}", repeated(index + 1))
    return records


def test_records_come_back_by_digest_after_the_file_is_opened_anew(tmp_path: Path) -> None:
    filled(tmp_path / "a.bin").close()

    again = RecordFile(tmp_path / "a.bin", 16)

    assert [again.find(f"digest {index}") for index in range(4)] == [0, 1, 2, None]
    assert again.read(1).tobytes() == bytes([2]) * 16
    assert len(again) == 3


def test_a_record_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    records = filled(tmp_path / "a.bin")

    def refuse() -> bytes:
        raise AssertionError("made twice")

    assert records.get_or_make("digest 1", refuse) == 1


@pytest.mark.parametrize("cut_off", [1, 15, 16])
def test_a_record_that_was_cut_off_is_forgotten_and_made_again(tmp_path: Path, cut_off: int) -> None:
    filled(tmp_path / "a.bin").close()
    with (tmp_path / "a.bin").open("r+b") as file:
        file.truncate(48 - cut_off)

    again = RecordFile(tmp_path / "a.bin", 16)

    assert [again.find(f"digest {index}") for index in range(3)] == [0, 1, None]
    assert again.get_or_make("digest 2", repeated(9)) == 2
    assert again.read(2).tobytes() == bytes([9]) * 16


def test_entries_past_the_end_do_not_come_to_life_when_the_file_grows(tmp_path: Path) -> None:
    filled(tmp_path / "a.bin", 5).close()
    with (tmp_path / "a.bin").open("r+b") as file:
        file.truncate(20)

    again = RecordFile(tmp_path / "a.bin", 16)
    for name in ("x", "y", "z"):
        again.get_or_make(name, repeated(ord(name)))

    assert [again.find(f"digest {index}") for index in range(5)] == [0, None, None, None, None]
    assert [again.read(place).tobytes()[:1] for place in range(4)] == [b"\1", b"x", b"y", b"z"]


def test_half_a_record_on_disk_without_an_entry_is_written_over(tmp_path: Path) -> None:
    filled(tmp_path / "a.bin").close()
    with (tmp_path / "a.bin").open("ab") as file:  # as a kill between data and index leaves it
        file.write(b"\xff" * 7)

    again = RecordFile(tmp_path / "a.bin", 16)

    assert again.get_or_make("new", repeated(7)) == 3
    assert (tmp_path / "a.bin").read_bytes()[48:] == bytes([7]) * 16


def test_a_kill_while_a_record_is_written_leaves_the_others_and_no_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = filled(tmp_path / "a.bin")

    def killed(handle: int) -> None:
        raise KeyboardInterrupt("killed")

    with monkeypatch.context() as patch:
        patch.setattr("models.training.record_file.os.fsync", killed)
        with pytest.raises(KeyboardInterrupt, match="killed"):
            records.get_or_make("new", repeated(7))

    assert records.find("new") is None
    assert records.get_or_make("other", repeated(8)) == 3
    assert records.read(3).tobytes() == bytes([8]) * 16


def _die_while_writing(path: Path) -> None:
    def die(handle: int) -> None:
        os._exit(9)

    os.fsync = die  # type: ignore[assignment]
    RecordFile(path, 16).get_or_make("new", repeated(7))


def test_a_process_that_dies_while_it_writes_leaves_no_entry_and_no_lock(tmp_path: Path) -> None:
    filled(tmp_path / "a.bin").close()

    dying = multiprocessing.get_context("fork").Process(target=_die_while_writing, args=(tmp_path / "a.bin",))
    dying.start()
    dying.join()

    again = RecordFile(tmp_path / "a.bin", 16)
    assert dying.exitcode == 9
    assert (again.find("new"), len(again)) == (None, 3)
    assert again.get_or_make("other", repeated(8)) == 3
    assert (tmp_path / "a.bin").read_bytes()[48:] == bytes([8]) * 16


def _add_own(path: Path, letter: str) -> None:
    records = RecordFile(path, 1000)
    for index in range(20):
        records.get_or_make(f"{letter}{index}", lambda: letter.encode() * 1000)


def test_two_processes_that_add_at_once_keep_each_others_records(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_add_own, args=(tmp_path / "a.bin", letter)) for letter in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    records = RecordFile(tmp_path / "a.bin", 1000)

    places = {name: records.find(name) for name in (f"{letter}{index}" for letter in "ab" for index in range(20))}
    assert sorted(place for place in places.values() if place is not None) == list(range(40))
    assert all(records.read(place or 0).tobytes() == name[0].encode() * 1000 for name, place in places.items())


def test_a_record_of_another_size_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a record of a.bin has 16 bytes, got 3"):
        RecordFile(tmp_path / "a.bin", 16).get_or_make("new", lambda: b"abc")


def test_a_damaged_index_and_a_folder_that_is_not_there_end_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.index").write_bytes(b"no database" * 100)
    for path in (tmp_path / "a.bin", tmp_path / "missing" / "a.bin"):
        with pytest.raises(DataError, match="cannot be used .*delete it to begin anew"):
            RecordFile(path, 16)


def test_a_file_that_was_cut_off_while_it_is_open_ends_in_a_sentence(tmp_path: Path) -> None:
    records = filled(tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(b"")

    with pytest.raises(DataError, match="delete it to begin anew"):
        records.read(2)


def test_an_index_that_is_damaged_while_it_is_open_ends_in_a_sentence(tmp_path: Path) -> None:
    records = filled(tmp_path / "a.bin")
    (tmp_path / "a.index").write_bytes(b"no database" * 1000)

    with pytest.raises(DataError, match="cannot be used .*delete it to begin anew"):
        records.get_or_make("digest 1", repeated(2))
