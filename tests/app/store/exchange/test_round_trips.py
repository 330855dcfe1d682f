from __future__ import annotations

from pathlib import Path

import pytest

from app.store.exchange.exporting import export
from app.store.exchange.formats import FORMATS
from app.store.workspace import Workspace
from tests.app.store.exchange.odd_workspace import contents, fill, take_in


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.open(tmp_path_factory.mktemp("odd"))
    fill(workspace)
    return workspace


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_exported_comes_back_bit_for_bit(name: str, odd: Workspace, tmp_path: Path) -> None:
    expected = contents(odd)
    if name == "mvtec":  # which has no place for what is unsure
        expected = {digest: said for digest, said in expected.items() if said[1] != "unsure"}

    report = export(odd, name, tmp_path / "out")
    with Workspace.open(tmp_path / "again") as again:
        refused = take_in(again, FORMATS[name], tmp_path / "out")
        found = contents(again)

    assert refused == []
    assert report.images == len(expected)
    assert found == expected


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_recognises_its_own_export_and_no_other_one(name: str, odd: Workspace, tmp_path: Path) -> None:
    export(odd, name, tmp_path)

    recognised = [each for each, chosen in FORMATS.items() if chosen.recognises(tmp_path)]

    assert recognised == [name]
