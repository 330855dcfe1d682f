"""`python -m app screenshot`: show real solar cells to the app in Chromium, and keep a picture of each tab.

Needs what the tests need: playwright and a Chromium; elpv-dataset unless a picture is given.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from app.commands.options import add_engine_options, config_from
from app.commands.page import browsed, served
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from app.store.records import Label
    from app.store.workspace import Workspace
    from app.ui.engine import Engine

_CELL: Final = "cell0040.png"
# Added before it, the newest first in the queue; what somebody said of them already.
_OTHER_CELLS: Final[Mapping[str, Label | None]] = MappingProxyType(
    {
        "cell0011.png": "normal",
        "cell0001.png": None,
        "cell0002.png": "unsure",
        "cell0043.png": None,
    }
)
# A stroke over a dark part of the cell that the proposal leaves out, in shares of its width and height.
_STROKE: Final = ((0.17, 0.69), (0.24, 0.73), (0.31, 0.74), (0.40, 0.69))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, default=Path("docs/inspect.png"), help="Inspect (default: %(default)s)")
    parser.add_argument(
        "--correct-out", type=Path, default=Path("docs/correct.png"), help="Correct (default: %(default)s)"
    )
    parser.add_argument("--picture", type=Path, help="what to show (default: cracked cells of elpv-dataset)")
    parser.add_argument("--theme", choices=("light", "dark"), default="light", help="default: %(default)s")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head to use instead of the shipped one")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Take the pictures.

    Raises:
        ExpectedError: there is no Chromium, no playwright or no picture, or the page showed no result.
    """
    pictures = (args.picture,) if args.picture else _default_pictures()
    if not pictures[-1].is_file():
        raise ExpectedError(f"There is no picture at {pictures[-1]}; give another with --picture.")

    from app.store.workspace import Workspace
    from app.ui.engine import Engine

    config = config_from(args)
    engine = Engine(config.location(head_path=args.checkpoint), config.device)
    with TemporaryDirectory(prefix="oddity-") as folder, Workspace.open(Path(folder)) as workspace:
        _fill(workspace, engine, pictures)
        with served(engine, workspace) as url, browsed(f"{url}?__theme={args.theme}") as page:
            page.wait_for_selector("#masthead .engine.ready")
            _inspect(page, pictures[-1])
            _keep(page, args.out)
            _correct(page)
            _keep(page, args.correct_out)
    print(f"The pictures of the page are at {args.out} and {args.correct_out}.")
    return 0


def _default_pictures() -> tuple[Path, ...]:
    from app.ui.examples import elpv_folder

    folder = elpv_folder()
    if folder is None:
        raise ExpectedError("elpv-dataset is not installed; install requirements-examples.txt, or use --picture.")
    return tuple(folder / name for name in (*_OTHER_CELLS, _CELL))


def _fill(workspace: Workspace, engine: Engine, pictures: Sequence[Path]) -> None:
    """Put the pictures into the workspace with proposals, and with what somebody decided about some of them."""
    from app.services.annotating import Annotator, Correction

    annotator = Annotator(workspace, engine.inspector)
    for path in pictures:
        digest = workspace.add_image(path.read_bytes(), path.name, author="Ada").image.digest
        proposal, _ = annotator.propose(digest, DEFAULT_PRESET)
        label = _OTHER_CELLS.get(path.name)
        if label is not None:
            mask = workspace.mask(proposal.mask_digest)
            if label == "normal":
                mask[:] = False
            annotator.save(digest, Correction(label, mask, "Ben", proposal_id=proposal.id))


def _keep(page: Page, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=out)


def _inspect(page: Page, picture: Path) -> None:
    """Upload the picture and wait until everything on the first screen is drawn."""
    page.set_input_files("#picture input[type=file]", picture)
    page.wait_for_selector("#verdict .verdict:not(.empty)")
    page.wait_for_function(
        "[...document.querySelectorAll('#compare img')].filter(i => i.complete && i.naturalWidth).length >= 2"
    )
    page.wait_for_timeout(600)  # the slider's own fade-in, which has no event


def _correct(page: Page) -> None:
    """Open the newest image, correct it with a stroke, save, and open its history."""
    page.get_by_role("tab", name="Correct").click()
    page.wait_for_selector("#workbench .image-name:not(:empty)")
    page.get_by_placeholder("Your name").fill("Ada")
    page.keyboard.press("Escape")  # the keys are the editor's again
    left, top, width, height = page.evaluate(
        "(r => [r.x, r.y, r.width, r.height])(document.querySelector('#workbench .world').getBoundingClientRect())"
    )
    points = [(left + x * width, top + y * height) for x, y in _STROKE]
    page.keyboard.press("Control+s")
    page.wait_for_function("document.querySelector('#workbench .status').textContent.includes('revision 1')")
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    page.keyboard.press("Control+s")
    page.wait_for_function("document.querySelector('#workbench .status').textContent.includes('revision 2')")
    page.locator("#workbench details.history summary").click()
    page.wait_for_selector("#workbench .revisions li")
    page.locator("#workbench .revisions").scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)  # toasts and thumbnails
