"""Train and measure the rows of an ablation: one head a row, all else the same.  Rows that are done are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from app.services.reports import Report, ReportRow
from app.services.training import Conduct, TrainingRun, train
from models.registry import get_preset
from models.weights import WeightsLocation

Measure = Callable[[Path], Report]  # a head's file to its report
OnStep = Callable[[str, int, int], object]  # told the row's name, the step and how many there are

_ANCHORS: Final = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One variant: what differs from the base run."""

    name: str
    run: Mapping[str, Any] = field(default_factory=dict)  # fields of TrainingRun
    losses: tuple[str, ...] | None = None  # those that are minimised; None: all


@dataclass(frozen=True, slots=True, eq=False)
class AblationResult:
    """One variant's head and how it did."""

    name: str
    head: Path
    report: Report

    @property
    def row(self) -> ReportRow:
        """The row that stands for the whole set: the mean of the classes, or the only one."""
        ours = [row for row in self.report.rows if not row.method.startswith("published")]
        return next((row for row in ours if row.group in ("mean", "all")), ours[0])


ABLATIONS: Final[Mapping[str, tuple[AblationRow, ...]]] = MappingProxyType(
    {
        "saf": tuple(
            AblationRow(name, {"saf": name}) for name in ("linear", "mlp", "mlp_residual", "adapter", "leaky_relu")
        ),
        "modules": (
            AblationRow("neither", {"sca": False, "saf": "none"}),
            AblationRow("SCA", {"saf": "none"}),
            AblationRow("SAF", {"sca": False}),
            AblationRow("SCA and SAF"),
        ),
        "losses": (
            AblationRow("classification", losses=("classification",)),
            AblationRow("with focal", losses=("classification", "focal")),
            AblationRow("with dice", losses=("classification", "dice")),
            AblationRow("with focal and dice", losses=("classification", "focal", "dice")),
            AblationRow("all"),
        ),
        "anchors": tuple(AblationRow(f"m = {count}", {"anchors": count}) for count in _ANCHORS),
        "layers": (),  # depends on the preset, see `rows_of`
    }
)
# The paper's numbers of these tables; its Tables 9 to 11 hold the rest, in an order that we could not check.
TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {"tables8": "saf", "tables9": "modules", "tables10": "losses", "tables11": "anchors"}
)


def rows_of(name: str, preset: str) -> tuple[AblationRow, ...]:
    """The rows of an ablation.

    Args:
        name: key of ABLATIONS or TABLES.
        preset: whose layers "layers" leaves out one after the other.
    """
    known = TABLES.get(name, name)
    if known != "layers":
        return ABLATIONS[known]
    layers = get_preset(preset).layers
    single = [AblationRow(f"layer {layer}", {"layers": (layer,)}) for layer in layers]
    without = [
        AblationRow(f"without {layer}", {"layers": tuple(other for other in layers if other != layer)})
        for layer in layers
    ]
    return (*single, *(without if len(layers) > 2 else ()), AblationRow("all"))


def ablate(
    base: TrainingRun,
    rows: tuple[AblationRow, ...],
    where: WeightsLocation,
    out: Path,
    measure: Measure,
    on_step: OnStep = lambda *_: None,
    conduct: Conduct | None = None,
) -> Iterator[AblationResult]:
    """Train and measure each row.  A row whose head lies in `out` already is measured only; a stopped one goes on.

    Args:
        base: the run that every row changes.
        rows: from `rows_of`.
        where: where the backbone's weights may come from.
        out: folder of the heads; made if it is not there.
        measure: how a head is measured.
        on_step: told of every training step.
        conduct: how each row is trained; None is on the processor and unwatched.
    Yields:
        A result after each row.
    Raises:
        WeightsError: the backbone is missing, or a state in `out` is of another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    for row in rows:
        run = replace(base, **row.run)
        if row.losses is not None:
            run = replace(run, optimisation=replace(run.optimisation, losses=row.losses))
        head = out / f"{file_name(row.name)}.safetensors"
        if not head.is_file():
            total = sum(stage.steps for stage in run.stages)
            for report in train(run, where, head, conduct):
                on_step(row.name, report.step, total)
        yield AblationResult(row.name, head, measure(head))


def file_name(row: str) -> str:
    """A row's name as part of a path."""
    return row.lower().replace(" = ", "").replace(" ", "-")


def as_report(results: tuple[AblationResult, ...]) -> Report:
    """All rows as one report, each row's name in the place of the group; where rows differ, it names no setting."""
    alphas = {result.report.alpha for result in results}
    counts = {result.report.top_patches for result in results}
    return replace(
        results[0].report,
        alpha=alphas.pop() if len(alphas) == 1 else None,
        top_patches=counts.pop() if len(counts) == 1 else None,
        checkpoint="",
        rows=tuple(replace(result.row, group=result.name) for result in results),
        seconds=sum(result.report.seconds for result in results),
        warnings=(),
    )
