"""`python -m app ablate`: train and measure the rows of the paper's ablations, on synthetic pictures or your data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands import train as train_command
from app.commands import train_daclip
from app.commands.options import config_from, positive
from app.config import resolve_device
from models.errors import DataError
from models.registry import DEFAULT_PRESET, get_preset

if TYPE_CHECKING:
    from app.services.ablation import AblationResult
    from app.services.reports import Report
    from models.config import InspectionConfig

_NAMES: Final = ("saf", "modules", "losses", "layers", "anchors", "tables8", "tables9", "tables10", "tables11")
_DACLIP_NAMES: Final = (
    *("daclip-branches", "daclip-residual", "daclip-dar"),
    *("daclip-depth", "daclip-topk", "daclip-alpha"),
)
_DACLIP_PRESET: Final = "daclip-compact"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the ablation, the measurement, and all options of `train`."""
    names = (*_NAMES, *_DACLIP_NAMES)
    parser.add_argument("ablation", choices=names, metavar="ABLATION", help=", ".join(names))
    parser.add_argument("--test", type=Path, metavar="DIR", help="data set to measure on (default: held-out synthetic)")
    parser.add_argument("--test-layout", default="auto", help="how it is laid out (default: found out)")
    parser.add_argument("--count", type=positive, default=200, help="synthetic pictures (default: %(default)s)")
    parser.add_argument(
        "--preset", help=f"whose backbone and layers (default: {DEFAULT_PRESET}; of daclip-*: {_DACLIP_PRESET})"
    )
    train_command.add_run_options(parser)


def run(args: argparse.Namespace) -> int:
    """Train what is missing, measure everything, print the table and write it beside the heads.

    Raises:
        DataError: an option means nothing, or the data cannot be used.
        WeightsError: the backbone is missing.
    """
    from tqdm import tqdm

    from app.commands.report_table import as_table
    from app.services.ablation import ablate, as_report, rows_of
    from models.training.ranks import in_torchrun

    if in_torchrun():
        raise DataError("ablate works in one process; start it without torchrun.")
    if args.out.suffix:
        raise DataError(f"--out {args.out} is to be a folder here: every row leaves a head in it.")
    args.preset = _preset_of(args)
    if args.ablation in _DACLIP_NAMES:
        return _run_daclip(args)
    base = train_command.run_from(args)
    where = config_from(args).location(backbone_path=args.backbone_weights)
    rows = rows_of(args.ablation, args.preset)
    results = []
    with tqdm(total=len(rows) * sum(stage.steps for stage in base.stages), unit="step", file=sys.stderr) as bar:

        def on_step(name: str, step: int, total: int) -> None:
            bar.set_description(name)
            bar.update(1)

        conduct = train_command.conduct_from(args)
        for result in ablate(base, rows, where, args.out, lambda head: _measure(args, head), on_step, conduct):
            results.append(result)
            _write(args, results)
    print(as_table(as_report(tuple(results))))
    return 0


def _preset_of(args: argparse.Namespace) -> str:
    """The asked preset, or the ablation's own.

    Raises:
        DataError: the asked one is of another method than the ablation.
    """
    of_daclip = args.ablation in _DACLIP_NAMES
    name: str = args.preset or (_DACLIP_PRESET if of_daclip else DEFAULT_PRESET)
    method, preset = train_daclip.METHOD if of_daclip else train_command.METHOD, get_preset(name)
    if preset.method != method:
        raise DataError(
            f"{args.ablation} is an ablation of {method}, and {preset.title} is none; choose a preset of {method}."
        )
    return name


def _run_daclip(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from app.commands.report_table import as_table
    from app.services.ablation import as_report
    from app.services.daclip_ablation import ablate_daclip, heads_missing, rows_of
    from app.services.daclip_pictures import step_count
    from models.text_loading import load_towers

    args.cache = args.cache or args.out / "features"
    base = train_daclip.run_from(args)
    towers = load_towers(get_preset(args.preset), config_from(args).location(backbone_path=args.backbone_weights))[0]
    rows, results = rows_of(args.ablation, towers.text.depth), []
    steps = heads_missing(rows, args.out) * step_count(base)
    with train_daclip.showing_cache() as on_cached, tqdm(total=steps, unit="step", file=sys.stderr) as bar:

        def on_step(name: str, step: int, total: int) -> None:
            bar.set_description(name)
            bar.update(1)

        def measure(head: Path, settings: InspectionConfig) -> Report:
            return _measure(args, head, settings)

        conduct = train_daclip.conduct_from(args)
        for result in ablate_daclip(
            base, rows, lambda: towers, args.out, measure, on_step, on_cached=on_cached, conduct=conduct
        ):
            results.append(result)
            _write(args, results)
    print(as_table(as_report(tuple(results))))
    return 0


def _write(args: argparse.Namespace, results: list[AblationResult]) -> None:
    """Put the rows so far beside the heads."""
    from app.commands.report_table import as_csv, as_markdown
    from app.services.ablation import as_report

    report = as_report(tuple(results))
    (args.out / f"{args.ablation}.md").write_text(as_markdown(report), encoding="utf-8")
    (args.out / f"{args.ablation}.csv").write_text(as_csv(report), encoding="utf-8")


def _measure(args: argparse.Namespace, head: Path, settings: InspectionConfig | None = None) -> Report:
    """Measure a head; layer maps on synthetic pictures are kept beside it, since other settings need no backbone."""
    from app.services.cached_features import keeping_features
    from app.services.dataset_report import FolderRequest, evaluate_folder
    from app.services.reports import local_engine
    from app.services.synthetic_report import MAPS_FILE, SyntheticRequest, evaluate_synthetic
    from models.config import InspectionConfig
    from models.head_files import file_digest

    config = config_from(args)
    engine = local_engine(
        config.location(backbone_path=args.backbone_weights, head_path=head), resolve_device(config.device)
    )
    settings = settings or InspectionConfig()
    if args.ablation in _DACLIP_NAMES:
        engine = keeping_features(engine, args.cache)
    if args.test is not None:
        request = FolderRequest(
            preset=args.preset, folder=args.test, layout=args.test_layout, settings=settings, head_path=head
        )
        return evaluate_folder(request, engine)
    maps = head.with_suffix(".maps") / f"{file_digest(head)[:16]}-{args.count}"
    if (maps / MAPS_FILE).is_file():
        return evaluate_synthetic(SyntheticRequest(from_maps=maps / MAPS_FILE, settings=settings), engine)
    return evaluate_synthetic(
        SyntheticRequest(preset=args.preset, count=args.count, settings=settings, save_maps=maps), engine
    )
