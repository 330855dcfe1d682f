"""Heads are written whole, come back as they were, and anything else is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models import head_files
from models.errors import WeightsError


def test_a_head_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    digest = head_files.save_head(tmp_path / "head.safetensors", {"token": array}, {"layers": [3, 6]})
    head = head_files.read_head(tmp_path / "head.safetensors")
    np.testing.assert_array_equal(head.tensors["token"], array)
    assert (head.config["layers"], head.digest) == ([3, 6], digest)
    assert digest == head_files.file_digest(tmp_path / "head.safetensors")


def test_replacing_a_file_leaves_no_partial_file_and_keeps_the_old_one_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "head.safetensors"
    head_files.replace_file(path, b"old")

    def full_disk(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(WeightsError, match="No space left on device"):
        head_files.replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}{}{}{}"])
def test_a_damaged_head_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged or no safetensors file"):
        head_files.read_head(path)


def test_a_safetensors_file_of_something_else_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(2, np.float32)}, path)
    with pytest.raises(WeightsError, match="no checkpoint of this program"):
        head_files.read_head(path)
