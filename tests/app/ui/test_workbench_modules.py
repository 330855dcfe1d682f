"""The workbench's modules that need no page, tested with node; and what they must agree on with Python."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import playwright
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from app.store.masks import pack, unpack

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "tests" / "workbench"
SIZES_HW = [(1, 1), (1, 9), (7, 1), (2, 2), (3, 5), (31, 47), (301, 203)]


def node() -> str:
    """Playwright's own node, so that these tests run wherever the browser tests do; else the one that is installed."""
    bundled = Path(playwright.__file__).parent / "driver" / "node"
    found = str(bundled) if bundled.is_file() else shutil.which("node")
    assert found, "There is no node; install playwright again or put node on the PATH."
    return found


def answer(question: dict[str, Any]) -> dict[str, Any]:
    run = subprocess.run(
        [node(), str(TESTS / "answer.mjs")],
        input=json.dumps(question),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    answered: dict[str, Any] = json.loads(run.stdout)
    return answered


def masks() -> list[NDArray[np.bool_]]:
    random = np.random.default_rng(3)
    return [random.random(size) < share for size in SIZES_HW for share in (0.0, 0.3, 1.0)]


def text_of(mask: NDArray[np.bool_]) -> str:
    return "".join(str(int(pixel)) for pixel in mask.flat)


@pytest.mark.parametrize("path", sorted(TESTS.glob("*.test.mjs")), ids=lambda path: path.name)
def test_a_module_of_the_workbench_passes_its_tests(path: Path) -> None:
    run = subprocess.run(
        [node(), "--test", str(path)], cwd=ROOT, check=False, capture_output=True, text=True, timeout=300
    )

    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"


def test_the_page_reads_masks_that_python_packed() -> None:
    packed = [
        {"w": mask.shape[1], "h": mask.shape[0], "data": base64.b64encode(pack(mask)).decode()} for mask in masks()
    ]

    answered = answer({"masks": packed})

    assert answered["pixels"] == [text_of(mask) for mask in masks()]


def test_python_reads_masks_that_the_page_packed() -> None:
    drawn = [{"w": mask.shape[1], "h": mask.shape[0], "pixels": text_of(mask)} for mask in masks()]

    answered = answer({"drawn": drawn})

    assert len(answered["packed"]) == len(masks())
    for packed, mask in zip(answered["packed"], masks(), strict=True):
        assert (packed["h"], packed["w"]) == mask.shape
        np.testing.assert_array_equal(unpack(base64.b64decode(packed["data"]), mask.shape), mask)


def enlarged_by_torch_and_page(
    small_hw: tuple[int, int], full_hw: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    small = torch.rand(small_hw, generator=torch.Generator().manual_seed(5))
    by_torch = F.interpolate(small[None, None], size=full_hw, mode="bilinear", align_corners=False)[0, 0].numpy()
    data = base64.b64encode(small.numpy().astype("<f4").tobytes()).decode()
    question = {"data": data, "mh": small_hw[0], "mw": small_hw[1], "h": full_hw[0], "w": full_hw[1]}
    (answered,) = answer({"maps": [question]})["maps"]
    return by_torch, np.frombuffer(base64.b64decode(answered), dtype="<f4").reshape(full_hw)


@pytest.mark.parametrize(("small_hw", "full_hw"), [((37, 37), (300, 401)), ((64, 48), (31, 17)), ((2, 3), (500, 333))])
def test_the_page_enlarges_maps_as_torch_does(small_hw: tuple[int, int], full_hw: tuple[int, int]) -> None:
    by_torch, by_page = enlarged_by_torch_and_page(small_hw, full_hw)

    # The place of a pixel in a map of up to 64 is rounded by up to 4e-6, on some processors at another step.
    np.testing.assert_allclose(by_page, by_torch, rtol=0, atol=1e-5)


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in {"AVX2", "AVX512"},
    reason="torch rounds differently on this processor",
)
def test_the_page_and_torch_propose_the_same_pixels_at_every_threshold() -> None:
    by_torch, by_page = enlarged_by_torch_and_page((518, 448), (700, 903))

    np.testing.assert_array_equal(by_page, by_torch)
