"""Which solar cells count, read from a small imitation of the package's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DataError
from models.evaluation import elpv
from models.evaluation.elpv import ElpvCell, find_elpv, limited, read_cells

LABELS = """\
images/cell0001.png  1.0                 mono
images/cell0002.png  0.3333333333333333  mono
images/cell0003.png  0.0                 mono
images/cell0004.png  0.6666666666666666  poly
images/cell0005.png  0.0                 poly
"""


def folder_with(tmp_path: Path, labels: str) -> Path:
    (tmp_path / "labels.csv").write_text(labels)
    return tmp_path


def test_only_cells_that_are_surely_normal_or_surely_defective_are_read(tmp_path: Path) -> None:
    cells = read_cells(folder_with(tmp_path, LABELS))

    assert cells == [
        ElpvCell(path=tmp_path / "images/cell0001.png", anomalous=True, cell_type="mono"),
        ElpvCell(path=tmp_path / "images/cell0003.png", anomalous=False, cell_type="mono"),
        ElpvCell(path=tmp_path / "images/cell0005.png", anomalous=False, cell_type="poly"),
    ]


def test_only_the_wanted_cell_type_is_read(tmp_path: Path) -> None:
    cells = read_cells(folder_with(tmp_path, LABELS), ("poly",))

    assert [cell.path.name for cell in cells] == ["cell0005.png"]


def test_an_unknown_cell_type_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no solar cells of type 'thin'; choose from: mono, poly"):
        read_cells(folder_with(tmp_path, LABELS), ("mono", "thin"))


def test_a_line_of_another_form_is_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not PATH PROBABILITY TYPE .'images/cell0001\.png mono'"):
        read_cells(folder_with(tmp_path, "images/cell0001.png mono\n"))


def test_a_folder_without_labels_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read; run `pip install elpv-dataset` again"):
        read_cells(tmp_path)


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elpv, "find_spec", lambda name: None)

    with pytest.raises(DataError, match=r"not installed; run `pip install elpv-dataset`"):
        find_elpv()


def test_a_limit_keeps_cells_of_each_type_and_label_evenly_spread() -> None:
    cells = [
        ElpvCell(path=Path(f"{index}"), anomalous=index >= 8, cell_type="mono" if index != 9 else "poly")
        for index in range(10)
    ]

    kept = [cell.path.name for cell in limited(cells, 2)]

    assert kept == ["0", "4", "8", "9"]  # 2 of 8 normal, the only defective mono cell, the only defective poly cell


def test_no_limit_keeps_every_cell(tmp_path: Path) -> None:
    cells = read_cells(folder_with(tmp_path, LABELS))

    assert limited(cells, None) == cells
