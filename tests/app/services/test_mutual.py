"""Pictures of a folder that judge each other, on a fake backbone; memory does not grow with their number."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.services.mutual import (
    MutualOptions,
    MutualResult,
    TokenFile,
    inspect_each_other,
    robust_limits,
)
from models.config import InspectionConfig
from models.errors import DataError
from tests.app.reference_fakes import FakeDescriber, as_describer, grey_picture

SHARP = InspectionConfig(blur_sigma=0.0)


def save(folder: Path, level: int, name: str, spot: int | None = None) -> Path:
    path = folder / name
    Image.fromarray(grey_picture(level, spot=spot).rgb).save(path)
    return path


def batch(folder: Path) -> list[Path]:
    normal = [save(folder, 200 + index, f"{index}.png") for index in range(7)]
    return [*normal, save(folder, 203, "spotted.png", spot=20)]


def results(paths: list[Path], options: MutualOptions | None = None) -> list[MutualResult]:
    return list(inspect_each_other(paths, as_describer(FakeDescriber()), SHARP, options))


def test_the_picture_unlike_the_others_is_anomalous_where_it_differs(tmp_path: Path) -> None:
    found = results(batch(tmp_path))

    *normal, spotted = [result.inspection for result in found]
    assert spotted is not None
    assert spotted.verdict == "anomalous"
    assert spotted.pred_mask[:24, :24].all()
    assert not spotted.pred_mask[40:, 40:].any()
    assert all(one is not None and one.image_score < spotted.image_score for one in normal)
    assert spotted.threshold == 1.0
    assert spotted.preset == "nearest-patch"
    assert spotted.note.startswith("mutual scoring: compared with 7 of the 7 other pictures")


def test_results_come_in_the_order_of_the_paths_with_what_could_not_be_read(tmp_path: Path) -> None:
    paths = batch(tmp_path)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")

    found = results([paths[0], broken, *paths[1:]])

    assert [result.path for result in found] == [paths[0], broken, *paths[1:]]
    assert found[1].inspection is None
    assert "broken.png" in found[1].error
    assert found[2].inspection is not None
    assert found[2].inspection.picture.name == "1.png"


def test_two_pictures_are_too_few(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    with pytest.raises(
        DataError, match=r"needs at least 3 pictures of the same object, got 2 that can be .*broken\.png"
    ):
        results([*batch(tmp_path)[:2], broken])


def test_each_picture_is_described_once(tmp_path: Path) -> None:
    fake = FakeDescriber()
    (tmp_path / "file").touch()
    tokens = TokenFile(tmp_path / "file" / "tokens.bin", as_describer(fake))
    with pytest.raises(DataError, match="cannot hold the tokens .*; they need 0.0 MB a picture: set TMPDIR"):
        tokens.add(grey_picture(200).rgb)
    assert fake.calls == 1
    assert len(tokens) == 0


def test_tokens_come_back_from_disk_at_unit_length(tmp_path: Path) -> None:
    fake = FakeDescriber()
    tokens = TokenFile(tmp_path / "tokens.bin", as_describer(fake))
    for level in (10, 120):
        tokens.add(grey_picture(level).rgb)

    second = tokens.read(1)

    assert second.shape == (2, 16, 2)
    angle = math.pi / 2 * (1 - 120 / 255)
    assert second[0, 0].tolist() == pytest.approx([math.cos(angle), math.sin(angle)], abs=1e-3)
    assert float((second.norm(dim=-1) - 1).abs().max()) < 1e-6


def test_limits_rest_on_the_middle_of_the_batch() -> None:
    suspicious, anomalous = robust_limits([1.0, 2.0, 3.0, 4.0, 100.0])

    # Median 3, distances 2 1 0 1 97, their median 1.
    assert anomalous == pytest.approx(3 + 2.0537 * 1.4826)
    assert suspicious == pytest.approx(3 + 1.2816 * 1.4826)


def test_equal_pictures_are_not_told_apart() -> None:
    assert robust_limits([2.0, 2.0, 2.0])[1] == pytest.approx(2.0 + 2.0537 * 0.1)


def test_fewer_others_are_told(tmp_path: Path) -> None:
    inspection = results(batch(tmp_path), MutualOptions(compare_with=2))[0].inspection
    assert inspection is not None
    assert "compared with 2 of the 7 other pictures" in inspection.note


def test_memory_does_not_hold_the_tokens_of_all_pictures(tmp_path: Path) -> None:
    paths = [save(tmp_path, 150 + index % 60, f"{index}.png") for index in range(60)]
    fake = FakeDescriber()
    results(paths[:4])

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in inspect_each_other(paths[:count], as_describer(fake), SHARP, MutualOptions(compare_with=3)):
            pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(60) < peak(10) + 50 * 20_000


def test_the_scale_is_one_for_all(tmp_path: Path) -> None:
    found = [result.inspection for result in results(batch(tmp_path))]
    scales = {one.layer_scale for one in found if one is not None}
    assert len(scales) == 1
    assert all(one is not None and np.isfinite(one.image_score) for one in found)
