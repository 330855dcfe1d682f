"""The real teaching with few synthetic pictures beside the corrections, so that a test does not wait for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.services import finetuning
from app.services.finetuning import TeachProgress
from app.services.teaching_examples import SyntheticCounts
from app.store.jobs import TeachRequest
from app.store.versions import Version
from app.store.workspace import Workspace
from models.weights import WeightsLocation

FEW_SYNTHETIC: Final = "tests.browser.few_synthetic:teach"


def teach(
    workspace: Workspace,
    request: TeachRequest,
    where: WeightsLocation,
    device: str,
    *,
    work_folder: Path,
    report: Callable[[TeachProgress], None],
    is_cancelled: Callable[[], bool],
) -> Version | None:
    """`app.services.finetuning.teach`."""
    return finetuning.teach(
        workspace,
        request,
        where,
        device,
        work_folder=work_folder,
        report=report,
        is_cancelled=is_cancelled,
        counts=SyntheticCounts(replay=4, normals=4, anomalous=2),
    )
