"""Imports point one way: models <- app.store <- app.services <- app.ui, app.cli <- app.py."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for package in ("models", "app") for path in (ROOT / package).rglob("*.py"))
ALL_SOURCES = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py"), *ROOT.glob("*.py")])

# (who, may not import what)
FORBIDDEN = [
    ("models", "app"),
    ("models", "gradio"),
    ("app.store", "torch"),
    ("app.store", "gradio"),
    ("app.store", "app.services"),
    ("app.store", "app.ui"),
    ("app.services", "gradio"),
    ("app.services", "app.ui"),
    ("app.services", "app.cli"),
    ("app.services", "app.commands"),
    ("app.ui", "torch"),
    ("app.ui", "app.cli"),
    ("app.ui", "app.commands"),
    ("app.cli", "gradio"),
    ("app.commands", "gradio"),
]


# gradio reads its telemetry switch while it is imported, so it has to be set before.
ACTS_ON_PURPOSE = {"app.ui.launch"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every import at any depth, those for type checkers included: (line, dotted name)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            assert node.module is not None
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def is_inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize(("importer", "imported"), FORBIDDEN)
def test_imports_point_one_way(importer: str, imported: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in SOURCES
        if is_inside(module_name(path), importer)
        for line, name in imports_of(path)
        if is_inside(name, imported)
    ]

    assert found == []


def test_only_the_page_imports_gradio() -> None:
    importers = {
        module_name(path)
        for path in [*SOURCES, ROOT / "app.py"]
        if path.exists() and any(is_inside(name, "gradio") for _, name in imports_of(path))
    }

    assert {name for name in importers if not is_inside(name, "app.ui")} == set()


COMMAND_MODULES = [command.module for command in COMMANDS.values()]


@pytest.mark.parametrize(
    "modules",
    [["app.cli", "app.config", *COMMAND_MODULES], ["app.services.inspector"], ["models.registry", "models.weights"]],
    ids=["command line", "services", "models"],
)
def test_torch_and_gradio_stay_out_of_light_imports(modules: list[str]) -> None:
    program = f"import sys, {', '.join(modules)}; print(*sorted({{'torch', 'gradio', 'timm'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (result.stderr, result.stdout.split()) == ("", [])


def test_the_package_app_goes_before_the_file_app_py() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import app; print(app.__file__)"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert Path(result.stdout.strip()) == ROOT / "app" / "__init__.py"


@pytest.mark.parametrize("path", ALL_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300


@pytest.mark.parametrize("path", [p for p in SOURCES if module_name(p) not in ACTS_ON_PURPOSE], ids=module_name)
def test_importing_a_module_does_nothing_but_define(path: Path) -> None:
    """Statements that act are a bare call, a loop or a `with` at the top of a module; a main guard is none."""
    acting = [
        node.lineno
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.For | ast.While | ast.With)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    ]

    assert acting == []
