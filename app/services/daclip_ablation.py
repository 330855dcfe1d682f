"""Train and measure the rows of DA-CLIP's ablations.  Rows may share a head; what is done is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from app.services.ablation import AblationResult, OnStep, file_name
from app.services.daclip_pictures import OnCached, cache_pictures, step_count
from app.services.daclip_training import DAClipRun, train_daclip
from app.services.reports import Report
from app.services.training import Conduct
from models.config import InspectionConfig
from models.errors import WeightsError
from models.head_files import read_head

if TYPE_CHECKING:
    from models.backbones.towers import Towers
    from models.training.feature_cache import CachedPictures

Measure = Callable[[Path, InspectionConfig], Report]  # a head's file and the settings to its report

_BASE: Final = "base"  # the head of every row that trains as the paper does
_DEPTH_STEP: Final = 2
_TOP_PATCHES: Final = (1, *range(10, 91, 10))
_ALPHAS: Final = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True, slots=True)
class DAClipRow:
    """One variant: what differs from the base run."""

    name: str
    method: Mapping[str, Any] = field(default_factory=dict)  # fields of DAClipConfig
    settings: Mapping[str, Any] = field(default_factory=dict)  # fields of InspectionConfig
    is_papers: bool = False  # `method` states the paper's own choice

    @property
    def head_name(self) -> str:
        """The name of the head's file without its ending; one for all rows that train alike."""
        return file_name(self.name) if self.method and not self.is_papers else _BASE


DACLIP_ABLATIONS: Final[Mapping[str, tuple[DAClipRow, ...]]] = MappingProxyType(
    {
        "daclip-branches": (  # Table 3
            DAClipRow("joint", {"decoupled": False}),
            DAClipRow("decoupled", {"decoupled": True}, is_papers=True),
        ),
        "daclip-residual": (  # Table 4
            DAClipRow("without residual", {"residual": False}),
            DAClipRow("with residual", {"residual": True}, is_papers=True),
        ),
        "daclip-dar": (
            DAClipRow("without DAR", {"dar": False}),
            DAClipRow("with DAR", {"dar": True}, is_papers=True),
        ),
        "daclip-depth": (),  # Figure 3a; depends on the text tower, see `rows_of`
        "daclip-topk": tuple(DAClipRow(f"k = {k}", settings={"top_patches": k}) for k in _TOP_PATCHES),  # Figure 3b
        "daclip-alpha": tuple(DAClipRow(f"alpha = {alpha}", settings={"alpha": alpha}) for alpha in _ALPHAS),  # Fig. 4
    }
)


def rows_of(name: str, text_depth: int) -> tuple[DAClipRow, ...]:
    """The rows of an ablation.

    Args:
        name: key of DACLIP_ABLATIONS.
        text_depth: layers of the text tower; "daclip-depth" has adapters in its first 2, 4, 6 and so on.
    """
    if name != "daclip-depth":
        return DACLIP_ABLATIONS[name]
    counts = range(_DEPTH_STEP, text_depth, _DEPTH_STEP)
    fewer = [DAClipRow(f"first {count}", {"adapter_layers": tuple(range(1, count + 1))}) for count in counts]
    return (*fewer, DAClipRow(f"all {text_depth}", {"adapter_layers": None}, is_papers=True))


def ablate_daclip(
    base: DAClipRun,
    rows: tuple[DAClipRow, ...],
    load_towers: Callable[[], Towers],
    out: Path,
    measure: Measure,
    on_step: OnStep = lambda *_: None,
    *,
    settings: InspectionConfig | None = None,
    on_cached: OnCached = lambda *_: None,
    conduct: Conduct | None = None,
) -> Iterator[AblationResult]:
    """Train and measure each row.  A row whose head lies in `out` already is measured only; a stopped one goes on.

    Args:
        base: the run that every row changes.
        rows: from `rows_of`; several ablations of one base may share `out` and with it the base's head.
        load_towers: gives the frozen pair; called once, and only where a head has to be trained.
        out: folder of the heads; made if it is not there.
        measure: how a head is measured.
        on_step: told of every training step.
        settings: what every row's settings change; None is the preset's.
        on_cached: told of every picture whose features are there.
        conduct: how each row is trained; None is on the processor.
    Yields:
        A result after each row.
    Raises:
        WeightsError: the towers are missing, or a head or a state in `out` is of another run.
        DataError: the data set or the cache cannot be used.
    """

    @cache
    def towers() -> Towers:
        return load_towers().to((conduct or Conduct()).device)

    @cache
    def pictures() -> CachedPictures:  # every row sees the same: no row changes the visual side
        return cache_pictures(base, towers(), on_cached)

    out.mkdir(parents=True, exist_ok=True)
    for row in rows:
        run = replace(base, method=replace(base.method, **row.method))
        head = out / f"{row.head_name}.safetensors"
        if head.is_file():
            _check(head, run)
        else:
            for report in train_daclip(run, towers(), head, conduct, pictures=pictures()):
                on_step(row.name, report.step, step_count(run))
        yield AblationResult(row.name, head, measure(head, replace(settings or InspectionConfig(), **row.settings)))


def heads_missing(rows: tuple[DAClipRow, ...], out: Path) -> int:
    """How many heads have to be trained; for showing progress."""
    return sum(not (out / f"{name}.safetensors").is_file() for name in {row.head_name for row in rows})


def _check(head: Path, run: DAClipRun) -> None:
    """Refuse a head that was trained otherwise than this row's."""
    if read_head(head).config.get("training") != run.description():
        raise WeightsError(f"{head} was trained with other settings; use those, or choose another --out folder.")
