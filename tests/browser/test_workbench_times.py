"""The bench of the workbench: a page that is worked at like a person would, and the promise of 16 ms a stroke."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from app.cli import main
from app.commands.bench import workbench_text
from app.commands.workbench_times import WaitingTime, WorkbenchReport, size_of, time_workbench
from app.services.bench import Spread
from app.ui.engine import Engine
from models.errors import WeightsError
from models.loading import LoadedModel
from tests.app.fakes import FakeModel, loader, nowhere

Result = TypeVar("Result")
REPEATS = 2
ONCE_AN_IMAGE_OR_STROKE = {"opening", "save", "next", "fill_holes", "grow", "wand", "stroke_24_pause"}


def timed(megapixels: float, repeats: int) -> WorkbenchReport:
    engine = Engine(nowhere(), load=loader(FakeModel()))
    return beside_the_tests_browser(lambda: time_workbench(engine, megapixels, repeats=repeats))


def beside_the_tests_browser(work: Callable[[], Result]) -> Result:
    """In a thread of its own: Playwright drives one browser a thread, and this one has the other tests' browser."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(work).result()


@pytest.mark.browser
@pytest.mark.slow
def test_strokes_at_four_megapixels_take_less_than_16_ms_of_script() -> None:
    report = timed(4, REPEATS)

    times = {time.name: time for time in report.times}
    assert report.size_wh == (2449, 1633)
    assert {name: times[name].count for name in ONCE_AN_IMAGE_OR_STROKE} == dict.fromkeys(
        ONCE_AN_IMAGE_OR_STROKE, REPEATS
    )
    assert times["threshold"].count == REPEATS + 1
    assert times["undo"].count > REPEATS
    assert all(0 <= time.seconds.lowest <= time.seconds.median <= time.seconds.highest < 60 for time in report.times)
    assert all(time.seconds.median > 0 for time in report.times)
    for brush_px in (24, 120):
        event, frame = times[f"stroke_{brush_px}_event"], times[f"stroke_{brush_px}_frame"]
        assert event.count >= 40 * REPEATS
        assert frame.count >= 10 * REPEATS
        assert event.seconds.median + frame.seconds.median < 0.016


@pytest.mark.browser
@pytest.mark.slow
def test_the_command_prints_a_list_and_without_a_model_there_is_no_wand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str) -> LoadedModel:
        raise WeightsError("There are no weights here.")

    monkeypatch.setattr("app.ui.engine.Engine", lambda where, device: Engine(where, device, load=refuse))

    arguments = ["bench", "workbench", "--megapixels", "0.05", "--repeats", "1", "--json"]
    exit_code = beside_the_tests_browser(lambda: main(arguments))

    (report,) = json.loads(capsys.readouterr().out)
    names = {time["name"] for time in report["times"]}
    assert exit_code == 0
    assert (report["size_wh"], report["engine"]) == ([274, 182], "There are no weights here.")
    assert names >= {"opening", "next", "save", "stroke_24_event", "stroke_120_event"}
    assert names.isdisjoint({"wand", "threshold"})


def test_the_table_holds_median_worst_and_how_many() -> None:
    seconds = Spread(median=0.0014, lowest=0.001, highest=0.25)
    time = WaitingTime(name="wand", title="wand", count=9, seconds=seconds)
    report = WorkbenchReport(
        size_wh=(300, 200), device_pixel_ratio=1.25, engine="a fake", browser="Chromium 1", times=(time,)
    )

    first, head, row = workbench_text(report).splitlines()

    assert first == "300 x 200 px, device pixel ratio 1.25, Chromium 1; proposals: a fake"
    assert head.split() == ["median", "worst", "times"]
    assert row.split() == ["wand", "1.4", "ms", "250.0", "ms", "9"]


def test_sizes_have_a_cameras_proportions() -> None:
    assert size_of(24) == (6000, 4000)
    assert size_of(0.06) == (300, 200)


@pytest.mark.parametrize("option", [("--megapixels", "4,0"), ("--megapixels", "101"), ("--device-pixel-ratio", "0.1")])
def test_sizes_that_no_picture_or_screen_has_are_refused(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "workbench", *option])

    assert "must be from" in capsys.readouterr().err
