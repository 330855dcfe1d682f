"""Measure what teaching brings: a simulated person labels more and more pictures, and each time a version is taught.

Every version comes from `app.services.finetuning.teach`, in a workspace of its own whose labels are set anew each time;
the parent is always the head that is measured at 0.  Features stay in that workspace, results in a file beside it, so
that a killed run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.services.before_after import Judged, Measures, measure, reader_of_preset
from app.services.taught_pictures import PixelDigests, TaughtPicture
from app.services.teaching_course import Features
from app.services.teaching_examples import Example, SyntheticCounts, correction
from models.reading import PictureMaps
from models.registry import get_backbone_spec

if TYPE_CHECKING:
    from app.store.workspace import Workspace
    from models.loading import LoadedModel
    from models.weights import WeightsLocation

AUTHOR: Final = "simulated person"
RESULTS_FILE: Final = "results.jsonl"
MeasureIt = Callable[[], "Outcome"]

_BATCH: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A picture as the simulated person labels it."""

    image: str  # digest in the workspace
    mask: NDArray[np.bool_] | None  # at the picture's size; None: confirmed as normal


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """Pictures that are never taught, with the truth about them."""

    examples: tuple[Example, ...]

    def measured(self, maps: Sequence[PictureMaps], model: LoadedModel) -> Measures:
        """What maps of these pictures, in their order, are worth when read as the preset reads them."""
        judged = [
            Judged(one, example.is_anomalous, example.mask()) for one, example in zip(maps, self.examples, strict=True)
        ]
        return measure(judged, reader_of_preset(model), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one version is worth."""

    measures: dict[str, Measures]  # by name of what was tested
    sentence: str  # what teaching itself said about it; "" for the parent
    stopped_at: int


class Classroom:
    """A workspace in which one preset is taught again and again from the same head."""

    def __init__(
        self,
        workspace: Workspace,
        model: LoadedModel,
        where: WeightsLocation,
        device: str,
        counts: SyntheticCounts | None = None,
    ) -> None:
        """Take the workspace over; what is labelled in it does not stay.

        Args:
            workspace: of the bench alone.
            model: the head that every version is taught from, as `where` gives it.
            where: where weights come from.
            device: one of `app.config.DEVICES`.
            counts: of synthetic pictures in teaching; None = the usual.
        """
        from models.training.learners import learner_of

        self.workspace = workspace
        self.model = model
        self._where = where
        self._device = device
        self._counts = counts
        folder = workspace.jobs.features_folder
        spec = get_backbone_spec(model.preset.backbone)
        self._features = Features(learner_of(model.method, model.image_size), folder, spec)
        self._pixels = PixelDigests(workspace, folder)

    def add(self, data: bytes, name: str) -> str:
        """Take a picture in; its digest."""
        return self.workspace.add_image(data, name, author=AUTHOR).image.digest

    def tested(self, image: str, *, anomalous: bool) -> Example:
        """A picture of the workspace to test with; of an anomalous one the label alone is known."""
        picture = TaughtPicture(image, 0, image, anomalous, None, self._pixels(image))
        return correction(self.workspace, picture, self.model.image_size)

    def teach(self, labels: Sequence[Labelled], seed: int, tested: Mapping[str, Exam]) -> Outcome:
        """Label exactly these pictures, teach, and measure the version, which is then thrown away."""
        from app.services.finetuning import teach
        from app.store.job_records import TeachRequest
        from models.loading import load_preset

        self._label(labels)
        request = TeachRequest(preset=self.model.preset.name, author=AUTHOR, seed=seed)
        work = self.workspace.jobs.folder / "bench"
        with self.workspace.jobs.training():
            version = teach(self.workspace, request, self._where, self._device, work_folder=work, counts=self._counts)
        assert version is not None, "nobody cancels"
        path = self.workspace.versions.path(version.id)
        taught = load_preset(version.preset, replace(self._where, head_path=path), device=self.model.device)
        measures = {name: one.measured(self._maps(taught, one), taught) for name, one in tested.items()}
        self.workspace.versions.delete(version.id)
        stopped_at = int(version.metrics.get("stopped_at", 0))
        return Outcome(measures=measures, sentence=str(version.metrics.get("sentence", "")), stopped_at=stopped_at)

    def untaught(self, tested: Mapping[str, Exam]) -> Outcome:
        """Measure the head that versions are taught from."""
        measures = {name: one.measured(self._maps(self.model, one), self.model) for name, one in tested.items()}
        return Outcome(measures=measures, sentence="", stopped_at=0)

    def close(self) -> None:
        """Let the features go; the workspace stays open."""
        self._features.close()

    def _label(self, labels: Sequence[Labelled]) -> None:
        from app.store.records import NewRevision

        wanted = {one.image: one for one in labels}
        for image, revision in list(self.workspace.annotated()):
            if image.digest not in wanted:
                self.workspace.delete(image.digest, author=AUTHOR, based_on=revision.number)
        for one in labels:
            newest = self.workspace.newest(one.image)
            new = NewRevision(
                label="normal" if one.mask is None else "anomalous",
                mask=one.mask,
                author=AUTHOR,
                based_on=0 if newest is None else newest.number,
            )
            self.workspace.save(one.image, new)

    def _maps(self, model: LoadedModel, tested: Exam) -> list[PictureMaps]:
        """What a head says, from cached features: its frozen part is that of the head it was taught from."""
        from models.training.learners import learner_of

        learner = learner_of(model.method, model.image_size)
        found: list[PictureMaps] = []
        for first in range(0, len(tested.examples), _BATCH):
            maps = learner.maps(self._features.read(tested.examples[first : first + _BATCH]))
            scores = [None] * len(maps.branch_maps) if maps.global_scores is None else maps.global_scores.tolist()
            found += [
                PictureMaps(one.cpu().numpy(), score) for one, score in zip(maps.branch_maps, scores, strict=True)
            ]
        return found


class Results:
    """Outcomes on disk by what decides them."""

    def __init__(self, path: Path, **decides: object) -> None:
        """Open the file.

        Args:
            path: of JSON lines; made with the first outcome.
            decides: what all outcomes of this run have in common.
        """
        self._path = path
        self._decides = decides
        self._known: dict[str, Outcome] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # a line that was cut off is measured again
                    self._read(json.loads(line))

    def get_or_measure(self, measure_it: MeasureIt, **decides: object) -> Outcome:
        """An outcome, measured now unless it is known."""
        key = hashlib.sha256(json.dumps({**self._decides, **decides}, sort_keys=True, default=str).encode()).hexdigest()
        if key not in self._known:
            self._known[key] = measure_it()
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, **asdict(self._known[key])}) + "\n")
        return self._known[key]

    def _read(self, values: dict[str, object]) -> None:
        measures = values["measures"]
        assert isinstance(measures, dict)
        self._known[str(values["key"])] = Outcome(
            measures={str(name): Measures(**one) for name, one in measures.items()},
            sentence=str(values["sentence"]),
            stopped_at=int(str(values["stopped_at"])),
        )


def in_turn(normal: Sequence[Labelled], anomalous: Sequence[Labelled]) -> list[Labelled]:
    """Normal and anomalous pictures by turns, so that every even beginning has as many of one as of the other."""
    return [one for pair in zip(normal, anomalous, strict=True) for one in pair]
