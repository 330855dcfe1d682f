"""One product of the held-out world in many pictures: the same surface or part, each time another piece of it.

For measuring what is learnt from a few labelled pictures of a product.  What is taught comes from the left half of a
large scene and what is tested from the right, so that no grain is seen in both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import ndimage

from models.data.synthetic.canvas import FloatMap, Scene
from models.data.synthetic.compose import add_anomaly
from models.data.synthetic.families import HELD_OUT_ANOMALIES, HELD_OUT_NORMALS, ON_PART
from models.data.synthetic.noise import fractal_noise
from models.data.synthetic.variation import to_picture
from models.data.synthetic.world import SyntheticSample

_SCENE_SIDES: Final = 2.5  # of a picture, so that each half leaves room to move
_TRIES: Final = 20  # until an anomaly can be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A normal family, one of its members, and the one anomaly family that its pictures may show."""

    normal_family: str  # of HELD_OUT_NORMALS
    anomaly_family: str  # of HELD_OUT_ANOMALIES
    seed: int  # which member

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.normal_family}, {self.anomaly_family}"

    def scene(self, size_px: int) -> Scene:
        """The large scene that pictures of a size are cut from."""
        builder = HELD_OUT_NORMALS[self.normal_family]
        return builder(np.random.default_rng([self.seed, 1]), round(_SCENE_SIDES * size_px))

    def picture(self, scene: Scene, index: int, size_px: int, *, taught: bool, anomalous: bool) -> SyntheticSample:
        """Make one picture; the same arguments always give the same one.

        Args:
            scene: of `scene` at this size.
            index: which picture, 0 or more.
            size_px: its side.
            taught: from the half that is taught, else from the one that is tested.
            anomalous: whether it shows the anomaly.
        Raises:
            ValueError: the anomaly cannot be seen on this product.
        """
        for attempt in range(_TRIES):
            rng = np.random.default_rng([self.seed, 2 if taught else 3, index, attempt])
            piece = _piece(rng, scene, size_px, left=taught)
            if not anomalous:
                mask = np.zeros((size_px, size_px), dtype=np.bool_)
                return self._finished(rng, piece.image, mask, None)
            builder = HELD_OUT_ANOMALIES[self.anomaly_family]
            added = add_anomaly(rng, builder, piece, on_part=self.anomaly_family in ON_PART)
            if added is not None:
                return self._finished(rng, added.image, added.mask, self.anomaly_family)
        raise ValueError(f"{self.anomaly_family} cannot be seen on {self.normal_family} of seed {self.seed}")

    def _finished(
        self, rng: np.random.Generator, image: FloatMap, mask: np.ndarray, anomaly_family: str | None
    ) -> SyntheticSample:
        """Photograph it on the same bench: light, sharpness and noise vary a little."""
        image = (image - 0.5) * np.float32(rng.uniform(0.92, 1.08)) + np.float32(0.5 + rng.uniform(-0.04, 0.04))
        sigma = rng.uniform(0.2, 0.8)
        image = ndimage.gaussian_filter(image, (sigma, sigma, 0))
        image = image + np.float32(rng.uniform(0, 0.02)) * rng.standard_normal(image.shape, dtype=np.float32)
        return SyntheticSample(np.asarray(to_picture(image)), mask, self.normal_family, anomaly_family)


def _piece(rng: np.random.Generator, scene: Scene, size_px: int, *, left: bool) -> Scene:
    """Cut a piece out of a half of a scene, with soft mottling of its own."""
    side = scene.image.shape[0]
    half = side // 2
    top = int(rng.integers(0, side - size_px + 1))
    start = (0 if left else half) + int(rng.integers(0, half - size_px + 1))
    window = (slice(top, top + size_px), slice(start, start + size_px))
    field = fractal_noise(rng, size_px, rng.uniform(1, 8), octaves=2, persistence=0.6)
    mottled = scene.image[window] * (1 + np.float32(rng.uniform(0, 0.08)) * np.clip(field, -2.5, 2.5))[..., None]
    return replace(
        scene,
        image=np.clip(mottled, 0, 1).astype(np.float32),
        foreground=scene.foreground[window],
        backdrop=None if scene.backdrop is None else scene.backdrop[window],
        parts=None if scene.parts is None else scene.parts[window],
    )
