from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.store.exchange import brush_rle
from app.store.exchange.label_studio import LabelStudioFormat
from models.errors import DataError
from tests.app.store.exchange.odd_workspace import blank, marked, picture, read_all

# What Label Studio's own converter (label-studio-sdk 2.1) writes for 3 x 5 pixels with these four painted.
PAINTED = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [1, 0, 0, 0, 0]], dtype=bool)
PAINTED_RLE = [0, 0, 0, 60, 57, 27, 254, 23, 0, 183, 255, 24, 4, 127, 247, 192, 0]


def unpack_slowly(data: list[int]) -> list[int]:
    """The stream read bit by bit, as its description says."""
    bits = "".join(f"{byte:08b}" for byte in data)
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    total, width = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        is_run, which = take(1), take(2)
        count = take(sizes[which]) + 1
        values += [take(width)] * count if is_run else [take(width) for _ in range(count)]
    return values


def task(result: list[dict[str, object]], image: str = "/data/local-files/?d=images/a%20b.png") -> dict[str, object]:
    return {"id": 1, "data": {"image": image}, "annotations": [{"result": result}]}


def brush(value: dict[str, object], kind: str = "brushlabels", size_hw: tuple[int, int] = (3, 5)) -> dict[str, object]:
    height, width = size_hw
    return {"type": kind, "original_height": height, "original_width": width, "image_rotation": 0, "value": value}


def write(folder: Path, *tasks: dict[str, object]) -> None:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/a b.png").write_bytes(picture((3, 5), 1))
    (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")


def test_the_encoder_writes_the_bytes_that_label_studio_writes() -> None:
    ys, xs = np.nonzero(PAINTED)

    assert brush_rle.encode(ys, xs, (3, 5)) == PAINTED_RLE


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_an_independent_decoder_reads_what_the_encoder_writes(share: float) -> None:
    # 200 x 180 x 4 values are more than the longest run of 65,536 can hold.
    mask = np.random.default_rng(1).random((200, 180)) < share
    mask[100] = True

    ys, xs = np.nonzero(mask)

    encoded = brush_rle.encode(ys, xs, (200, 180))

    assert np.array_equal(np.array(unpack_slowly(encoded)), np.repeat(mask.ravel() * 255, 4))


def test_packets_that_list_their_values_are_read_too() -> None:
    # 1 x 2 pixels: 8 values in one packet that lists them, counted with 3 bits; the second pixel's alpha is 9.
    bits = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16)) + "0" + "00" + "111"
    bits += "".join(f"{value:08b}" for value in (0, 1, 2, 0, 5, 6, 7, 9))
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))

    areas = brush_rle.decode(data, (1, 2))

    assert [(area.left, area.top, area.mask.tolist()) for area in areas] == [(1, 0, [[True]])]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(PAINTED_RLE[:9]), "ends too early"),
        (b"", "ends too early"),
        (bytes([0, 0, 0, 56, *PAINTED_RLE[4:]]), "not of 5 x 3 pixels"),
        (bytes(PAINTED_RLE[:7]) + b"\xff" * 40, "more pixels than its image"),
    ],
)
def test_a_damaged_stream_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        brush_rle.decode(data, (3, 5))


def test_brushes_polygons_rectangles_and_ellipses_are_united(tmp_path: Path) -> None:
    square = [[0, 0], [20, 0], [20, 100 / 3], [0, 100 / 3]]
    write(
        tmp_path,
        task([
            brush({"format": "rle", "rle": PAINTED_RLE, "brushlabels": ["dent"]}),
            brush({"points": square, "polygonlabels": ["spot"]}, "polygonlabels"),
            brush({"x": 80, "y": 200 / 3, "width": 20, "height": 100 / 3, "rotation": 0}, "rectanglelabels"),
            brush({"x": 90, "y": 100 / 6, "radiusX": 10, "radiusY": 100 / 6}, "ellipselabels"),
            brush({"choices": ["anomalous"]}, "choices"),
        ]),
    )  # fmt: skip

    found, refused = read_all(LabelStudioFormat(), tmp_path)

    assert refused == []
    each = found["a b.png"]
    assert each.label == "anomalous"
    assert np.array_equal(marked(each), PAINTED | blank((3, 5), (0, 0, 1, 1), (4, 2, 5, 3), (4, 0, 5, 1)))
    assert {named.name for named in each.classes} == {"dent", "spot"}


def test_the_newest_finished_annotation_counts(tmp_path: Path) -> None:
    said = task([])
    said["annotations"] = [
        {"updated_at": "2026-02-01", "result": [brush({"choices": ["unsure"]}, "choices")]},
        {"updated_at": "2026-01-01", "result": [brush({"choices": ["normal"]}, "choices")]},
        {"updated_at": "2026-03-01", "was_cancelled": True, "result": []},
    ]
    write(tmp_path, said)

    found, _ = read_all(LabelStudioFormat(), tmp_path)

    assert found["a b.png"].label == "unsure"


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("/data/local-files/?d=../a b.png", "leads out of the folder"),
        ("/data/upload/1/none.png", "is not in the folder"),
    ],
)
def test_an_image_elsewhere_is_refused(image: str, reason: str, tmp_path: Path) -> None:
    write(tmp_path, task([], image))

    found, refused = read_all(LabelStudioFormat(), tmp_path)

    assert found == {}
    assert [reason in refusal.why for refusal in refused] == [True]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (brush({"format": "rle", "rle": [1, 300], "brushlabels": []}), "no list of bytes"),
        (brush({"format": "png", "rle": []}), "not 'rle'"),
        (brush({"points": [[1, 2, 3]]}, "polygonlabels"), "no pair"),
        (brush({"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 30}, "rectanglelabels"), "turned rectangle"),
    ],
)
def test_a_damaged_result_is_refused_and_the_picture_taken(
    result: dict[str, object], reason: str, tmp_path: Path
) -> None:
    write(tmp_path, task([result]))

    found, refused = read_all(LabelStudioFormat(), tmp_path)

    assert found["a b.png"].label is None
    assert [reason in refusal.why for refusal in refused] == [True]


def test_a_task_whose_image_is_no_address_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path, task([], "http://[abc"), task([], "images/a b.png"))

    found, refused = read_all(LabelStudioFormat(), tmp_path)

    assert list(found) == ["a b.png"]
    assert ["'http://[abc' is no address" in refusal.why for refusal in refused] == [True]
