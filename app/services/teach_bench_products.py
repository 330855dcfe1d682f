"""Teach on synthetic products with true masks: what corrections bring on the same product, and what is forgotten."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from app.services.reports import Track, untracked
from app.services.teach_bench import Classroom, Exam, Labelled, Outcome, Results
from app.services.teaching_examples import Example, mask_file, synthetic
from models.data.synthetic.products import Product

if TYPE_CHECKING:
    from models.data.synthetic import SyntheticSample
    from models.data.synthetic.canvas import Scene

# Of the families that the shipped head is poorest at; no setting was chosen on these members.
PRODUCTS: Final = (
    Product(normal_family="honeycomb", anomaly_family="warp", seed=101),
    Product(normal_family="turned_face", anomaly_family="warp", seed=102),
    Product(normal_family="corrugated", anomaly_family="ghost_print", seed=103),
    Product(normal_family="basket_weave", anomaly_family="ghost_print", seed=104),
    Product(normal_family="buttons", anomaly_family="melt", seed=105),
    Product(normal_family="terrazzo", anomaly_family="melt", seed=106),
)
TESTED: Final = 30  # pictures of a product, half of them anomalous
SYNTHETIC: Final = 100  # held-out pictures of all families, half of them anomalous: what is forgotten
_PRODUCT, _SYNTHETIC = "product", "synthetic"
_MADE_SEED: Final = 1  # of the draw of teaching


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRow:
    """One version, on its product and on the synthetic world."""

    product: str
    count: int  # corrections
    image_auroc: float
    pixel_ap: float
    synthetic_image_auroc: float
    synthetic_pixel_ap: float
    better: bool  # whether teaching itself called it better; False for the parent


def measure_products(
    products: Sequence[Product],
    classroom: Classroom,
    results: Results,
    *,
    counts: Sequence[int],
    track: Track = untracked,
    tested: int = TESTED,
    others: int = SYNTHETIC,
) -> list[ProductRow]:
    """The curves of some products; labels come by turns, normal first, with the true masks.

    Raises:
        DataError: what teaching raises.
    """
    world = _synthetic(classroom, others)
    rows = []
    course = [(product, count) for product in products for count in sorted(set(counts) | {0})]
    for product, count in track(course, desc="products", total=len(course)):
        outcome = results.get_or_measure(
            partial(_outcome, product, count, classroom, world, tested),
            product=[product.name, product.seed],
            count=count,
            tested=[tested, others],
        )
        rows.append(_row(product, count, outcome))
    return rows


def _outcome(product: Product, count: int, classroom: Classroom, world: Exam, tested: int) -> Outcome:
    side = classroom.model.image_size
    examples = tuple(_example(product, index, side) for index in range(tested))
    asked = {_PRODUCT: Exam(examples), _SYNTHETIC: world}
    if not count:
        return classroom.untaught(asked)
    labels = []
    for index in range(count):
        made = _made(product, index, side, taught=True)
        data = io.BytesIO()
        Image.fromarray(made.image).save(data, format="PNG")
        image = classroom.add(data.getvalue(), f"{product.name} {index}.png")
        labels.append(Labelled(image, made.mask if made.mask.any() else None))
    return classroom.teach(labels, _MADE_SEED, asked)


def _example(product: Product, index: int, side: int) -> Example:
    made = _made(product, index, side, taught=False)
    return Example(
        digest=hashlib.sha256(made.image.tobytes()).hexdigest(),
        rgb=lambda: made.image,
        is_anomalous=bool(made.mask.any()),
        bits=np.packbits(made.mask),
        side=side,
    )


def _made(product: Product, index: int, side: int, *, taught: bool) -> SyntheticSample:
    return product.picture(_scene(product, side), index, side, taught=taught, anomalous=index % 2 == 1)


@lru_cache(maxsize=1)
def _scene(product: Product, side: int) -> Scene:
    return product.scene(side)


def _synthetic(classroom: Classroom, count: int) -> Exam:
    side = classroom.model.image_size
    masks = mask_file(classroom.workspace.jobs.features_folder, side)
    found = tuple(synthetic("held_out", seed, side, masks, anomalous=seed % 2 == 1) for seed in range(count))
    masks.close()
    return Exam(found)


def _row(product: Product, count: int, outcome: Outcome) -> ProductRow:
    own, others = outcome.measures[_PRODUCT], outcome.measures[_SYNTHETIC]
    return ProductRow(
        product=product.name,
        count=count,
        image_auroc=own.image_auroc or 0.0,
        pixel_ap=own.pixel_ap or 0.0,
        synthetic_image_auroc=others.image_auroc or 0.0,
        synthetic_pixel_ap=others.pixel_ap or 0.0,
        better=outcome.sentence.startswith("It got better"),
    )
