import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.data.sources import describe, fetch, list_photographs
from models.errors import DataError


def _picture(path: Path, size_wh: tuple[int, int] = (300, 280), *, seed: int = 0, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(small).resize(size_wh, Image.Resampling.BICUBIC).convert(mode).save(path)
    return path


class FakeDebian:
    """Stands for apt-get and dpkg-deb: the archive holds one picture, an inner zip and a copyright file."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str], folder: Path) -> str:
        self.commands.append(f"{command[0]} {command[1]}")
        if command[1] == "download":
            (folder / f"{command[2]}_1.0_all.deb").write_bytes(b"archive")
        if command[1] == "--field":
            return "1.0-2\n"
        if command[1] == "--extract":
            self._extract(folder / command[3])
        return ""

    def _extract(self, content: Path) -> None:
        wall = _picture(content / "usr/share/game/wall.png", seed=1)
        with zipfile.ZipFile(content / "usr/share/game/more.zip", "w") as archive:
            archive.write(wall, "stone.png")
        facts = content / "usr/share/doc/walls/copyright"
        facts.parent.mkdir(parents=True)
        facts.write_text("License: GPL-2+\n\nLicense: CC0\n\nLicense: CC0\n", encoding="utf-8")


def test_fetching_unpacks_a_package_and_the_archives_inside_it(tmp_path: Path) -> None:
    fetch(tmp_path, packages=("walls",), run=FakeDebian())

    assert (tmp_path / "walls/usr/share/game/wall.png").is_file()
    assert (tmp_path / "walls/usr/share/game/more/stone.png").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["walls"]


def test_fetching_again_downloads_nothing(tmp_path: Path) -> None:
    fetch(tmp_path, packages=("walls",), run=FakeDebian())
    debian, done = FakeDebian(), list[str]()

    fetch(tmp_path, packages=("walls",), run=debian, on_done=done.append)

    assert debian.commands == []
    assert done == ["walls"]


def test_the_facts_name_version_licences_and_the_number_of_pictures(tmp_path: Path) -> None:
    fetch(tmp_path, packages=("walls",), run=FakeDebian())

    (facts,) = describe(tmp_path, packages=("walls",))

    assert facts.version == "1.0-2"
    assert facts.licences == ("CC0", "GPL-2+")  # CC0 is named twice
    assert facts.pictures == 1  # stone.png has the same content as wall.png


def test_describing_a_package_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not hold walls; get it with `python -m app data fetch"):
        describe(tmp_path, packages=("walls",))


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DataError, match="There is no apt-get here; fetch the pictures on Debian"):
        fetch(tmp_path, packages=("walls",))


def test_a_tool_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'E: no such package' >&2\nexit 100\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")

    with pytest.raises(DataError, match=r"`apt-get download walls` failed \(E: no such package\)"):
        fetch(tmp_path / "photographs", packages=("walls",))


def test_a_download_without_an_archive_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="downloaded no archive of walls"):
        fetch(tmp_path, packages=("walls",), run=lambda command, folder: "")


def test_pictures_come_in_the_order_of_their_paths_and_each_content_once(tmp_path: Path) -> None:
    second = _picture(tmp_path / "b/wood.jpg", seed=1)
    first = _picture(tmp_path / "a/stone.png", seed=2)
    _picture(tmp_path / "c/stone_again.png", seed=2)

    assert list_photographs(tmp_path) == [first, second]


@pytest.mark.parametrize(
    "name",
    [
        "gui/wall.png",
        "Icons/wall.png",
        "wall_Normal.png",
        "wall_n.png",
        "wall.gif",
        "maps/x/c.jpg",
        "maps/x/mm-night.png",
        "earth_cracked.jpg",
    ],
)
def test_pictures_of_interfaces_data_damage_and_other_formats_are_left_out(tmp_path: Path, name: str) -> None:
    kept = _picture(tmp_path / "stone.png", seed=1)
    _picture(tmp_path / name, seed=2)

    assert list_photographs(tmp_path) == [kept]


@pytest.mark.parametrize("size_wh", [(255, 400), (400, 255), (1000, 300)])
def test_small_and_very_long_pictures_are_left_out(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    kept = _picture(tmp_path / "stone.png", (256, 256), seed=1)
    _picture(tmp_path / "wall.png", size_wh, seed=2)

    assert list_photographs(tmp_path) == [kept]


def test_plain_see_through_and_damaged_pictures_are_left_out(tmp_path: Path) -> None:
    kept = _picture(tmp_path / "stone.png", seed=1)
    Image.new("RGB", (300, 300), (9, 9, 9)).save(tmp_path / "plain.png")
    Image.new("RGB", (300, 300), (128, 128, 255)).save(tmp_path / "blueish.png")
    leaf = Image.open(_picture(tmp_path / "leaf.png", seed=3, mode="RGBA"))
    leaf.putalpha(100)
    leaf.save(tmp_path / "leaf.png")
    (tmp_path / "broken.png").write_bytes(b"not a picture")

    assert list_photographs(tmp_path) == [kept]


def test_a_folder_without_usable_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no usable picture; get some with"):
        list_photographs(tmp_path)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder; get the pictures with"):
        list_photographs(tmp_path / "nowhere")
