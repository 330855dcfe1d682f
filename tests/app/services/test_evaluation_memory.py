"""Measuring a folder takes as much memory for many pictures as for few."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SEEN_FIRST = 20
CEILING_KIB = 2_500_000_000 // 1024  # what `evaluate` may take, however many pictures there are
# A process of its own: the peak of this one is that of whatever test came before.
MEASURE = """
import resource, sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from app.services.dataset_report import FolderRequest, evaluate_folder
from app.services.reports import Engine
from models.config import InspectionConfig
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS

rng = np.random.default_rng(0)
model = SimpleNamespace(
    layers=(6, 7, 9), branches=("map",), image_size=518, checkpoint_digest="", backbone_source="",
    trained_on="synthetic",
    picture_maps=lambda rgb: PictureMaps(rng.uniform(-1, 1, (1, 3, 37, 37)).astype(np.float32)),
    preset=PRESETS[DEFAULT_PRESET],
)
peaks = []

def track(samples, *, desc, total):
    for sample in samples:
        yield sample
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

tile = int(sys.argv[2]) or None
request = FolderRequest(folder=Path(sys.argv[1]), settings=InspectionConfig(layers=(6, 7, 9), tile=tile))
report = evaluate_folder(request, Engine(model=lambda _: model, backbone=lambda _: None), track)
assert report.rows[0].pixel is not None
print(len(peaks), peaks[int(sys.argv[3]) - 1], peaks[-1])
"""


def folder_of(root: Path, pictures: int, size_wh: tuple[int, int]) -> Path:
    """So many test pictures of one class, half of them anomalous and with a mask; all are links to two files."""
    Image.new("RGB", size_wh, "grey").save(root / "picture.png")
    Image.fromarray(np.eye(size_wh[1], size_wh[0], dtype=np.uint8) * np.uint8(255)).save(root / "mask.png")
    for kind in ("test/good", "test/spot", "ground_truth/spot"):
        (root / "set" / "nut" / kind).mkdir(parents=True)
        for number in range(pictures // 2):
            name, target = (f"{number}.png", "picture") if kind.startswith("test") else (f"{number}_mask.png", "mask")
            (root / "set" / "nut" / kind / name).symlink_to(root / f"{target}.png")
    return root / "set"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
@pytest.mark.parametrize(("pictures", "size_wh", "tile"), [(220, (518, 518), 0), (60, (700, 400), 400)])
def test_the_peak_of_memory_does_not_grow_with_the_pictures(
    pictures: int, size_wh: tuple[int, int], tile: int, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, pictures, size_wh)
    command = [sys.executable, "-c", MEASURE, str(folder), str(tile), str(SEEN_FIRST)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    seen, early_kib, peak_kib = (int(word) for word in answer.stdout.split())

    kept_kib = (pictures - SEEN_FIRST) * 518 * 518 // 1024  # one byte a pixel, such as the masks, kept for the rest
    assert seen == pictures
    assert peak_kib < CEILING_KIB
    assert peak_kib - early_kib < kept_kib / 2  # maps would be four times as much
    print(f"{pictures} pictures: {early_kib / 1024:.0f} MiB after {SEEN_FIRST}, {peak_kib / 1024:.0f} at the end")
