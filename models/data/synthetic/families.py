"""The tables of families: what is normal, what is anomalous, and what only the held-out set may show."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from models.data.synthetic import (
    anomalies_areas,
    anomalies_lines,
    anomalies_parts,
    composites,
    held_out_anomalies,
    held_out_surfaces,
    mosaics,
    objects,
    patterns,
    photographs,
    shapes,
    textures,
)
from models.data.synthetic.canvas import AnomalyBuilder, NormalBuilder, Scene

Split = Literal["train", "held_out"]
PHOTOGRAPH: Final = "photograph"

TRAIN_NORMALS: Final[Mapping[str, NormalBuilder]] = MappingProxyType(
    {
        "woven_fabric": textures.woven_fabric,
        "knit": textures.knit,
        "brushed_metal": textures.brushed_metal,
        "wood": textures.wood,
        "concrete": textures.concrete,
        "leather": textures.leather,
        "carpet": textures.carpet,
        "sandpaper": textures.sandpaper,
        "perforated_sheet": textures.perforated_sheet,
        "foam": textures.foam,
        "paper": textures.paper,
        "plasma": textures.plasma,
        "strokes": textures.strokes,
        "polycrystal": mosaics.polycrystal,
        "granite": mosaics.granite,
        "marble": mosaics.marble,
        "camouflage": mosaics.camouflage,
        "bricks": mosaics.bricks,
        "tiles": mosaics.tiles,
        "grid": patterns.grid,
        "grating": patterns.grating,
        "printed_stripes": patterns.printed_stripes,
        "dot_array": patterns.dot_array,
        "checker": patterns.checker,
        "chain": patterns.chain,
        "text_marks": patterns.text_marks,
        "circuit_traces": patterns.circuit_traces,
        "panel": patterns.panel,
        "ruled_surface": composites.ruled_surface,
        "joined_surfaces": composites.joined_surfaces,
        "gloss": composites.gloss,
        "tufts": composites.tufts,
        "ribs": composites.ribs,
        "boxes": objects.builder(shapes.rounded_box),
        "discs": objects.builder(shapes.disc, shapes.ring),
        "hardware": objects.builder(shapes.nut, shapes.bolt, shapes.gear),
        "capsules": objects.builder(shapes.capsule),
        "bottles": objects.builder(shapes.bottle),
        "brackets": objects.builder(shapes.bracket),
        "chamfered_squares": objects.builder(shapes.chamfered_square),
        "shipped_photograph": photographs.shipped_train,
    }
)

HELD_OUT_NORMALS: Final[Mapping[str, NormalBuilder]] = MappingProxyType(
    {
        "terrazzo": held_out_surfaces.terrazzo,
        "striated_crystal": held_out_surfaces.striated_crystal,
        "honeycomb": held_out_surfaces.honeycomb,
        "corrugated": held_out_surfaces.corrugated,
        "basket_weave": held_out_surfaces.basket_weave,
        "agate": held_out_surfaces.agate,
        "cork": held_out_surfaces.cork,
        "turned_face": held_out_surfaces.turned_face,
        "buttons": objects.builder(shapes.button),
        "keys": objects.builder(shapes.key),
        "blades": objects.builder(shapes.blade),
        "star_knobs": objects.builder(shapes.star_knob),
        "shipped_surface": photographs.shipped_held_out,
    }
)

NORMALS: Final[Mapping[Split, Mapping[str, NormalBuilder]]] = MappingProxyType(
    {"train": TRAIN_NORMALS, "held_out": HELD_OUT_NORMALS}
)

# How much more often than its equals a family is drawn: natural grain is the hard part.
WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "polycrystal": 4.0,
        "ruled_surface": 5.0,
        "joined_surfaces": 2.0,
        "panel": 2.0,
        "granite": 1.5,
        "camouflage": 2.0,
        "plasma": 1.5,
        "sandpaper": 2.0,
        "chamfered_squares": 2.0,
        "shipped_photograph": 2.0,
        "crack": 3.0,
        "crack_network": 1.5,
        "dark_region": 3.0,
        "scratch": 2.0,
        "blended_texture": 2.0,
        "missing_part": 3.0,
        "misplaced_part": 2.0,
    }
)

# A piece of grain moved within the same grain cannot be told from it.
_GRAIN: Final = frozenset(
    ("plasma", "sandpaper", "granite", "concrete", "carpet", "paper", "leather", "foam", "gloss", "camouflage",
     "marble", "polycrystal", "strokes", "brushed_metal", "terrazzo", "cork")
)  # fmt: skip
_NEEDS_STRUCTURE: Final = frozenset(("shifted_patch", "turned_patch", "interrupted_line", "warp", "ghost_print"))
_NEEDS_PARTS: Final = frozenset(("missing_part",))
_NEEDS_ORDER: Final = frozenset(("misplaced_part",))


# Pieces of other surfaces come from a few cheap and varied training families.
_DONORS: Final = (
    textures.plasma, textures.woven_fabric, textures.concrete, textures.wood, mosaics.polycrystal, mosaics.granite,
    patterns.grating, patterns.checker, patterns.dot_array, textures.brushed_metal, photographs.shipped_train,
)  # fmt: skip


def _donor(rng: np.random.Generator, size_px: int) -> Scene:
    return _DONORS[rng.integers(len(_DONORS))](rng, size_px)


TRAIN_ANOMALIES: Final[Mapping[str, AnomalyBuilder]] = MappingProxyType(
    {
        "scratch": anomalies_lines.scratch,
        "crack": anomalies_lines.crack,
        "crack_network": anomalies_lines.crack_network,
        "fibre": anomalies_lines.fibre,
        "interrupted_line": anomalies_lines.interrupted_line,
        "stain": anomalies_areas.stain,
        "mottled_stain": anomalies_areas.mottled_stain,
        "hole": anomalies_areas.hole,
        "spots": anomalies_areas.spots,
        "dent": anomalies_areas.dent,
        "dark_region": anomalies_areas.dark_region,
        "scuff": anomalies_areas.scuff,
        "local_blur": anomalies_areas.local_blur,
        "colour_shift": anomalies_areas.colour_shift,
        "droplets": anomalies_areas.droplets,
        "burnt_edge": anomalies_areas.burnt_edge,
        "missing_part": anomalies_parts.missing_part,
        "misplaced_part": anomalies_parts.misplaced_part,
        "shifted_patch": anomalies_parts.shifted_patch,
        "turned_patch": anomalies_parts.turned_patch,
        "foreign_texture": partial(anomalies_parts.foreign_texture, _donor),
        "blended_texture": partial(anomalies_parts.blended_texture, _donor),
        "torn_edge": partial(anomalies_parts.torn_edge, _donor),
    }
)

HELD_OUT_ANOMALIES: Final[Mapping[str, AnomalyBuilder]] = MappingProxyType(
    {
        "star_fracture": held_out_anomalies.star_fracture,
        "shard": held_out_anomalies.shard,
        "crease": held_out_anomalies.crease,
        "corrosion": held_out_anomalies.corrosion,
        "tide_mark": held_out_anomalies.tide_mark,
        "warp": held_out_anomalies.warp,
        "ghost_print": held_out_anomalies.ghost_print,
        "thread_loop": held_out_anomalies.thread_loop,
        "melt": held_out_anomalies.melt,
    }
)

ANOMALIES: Final[Mapping[Split, Mapping[str, AnomalyBuilder]]] = MappingProxyType(
    {"train": TRAIN_ANOMALIES, "held_out": HELD_OUT_ANOMALIES}
)

# What happens to the material of a part and so ends at its outline.
ON_PART: Final = frozenset(
    ("scratch", "crack", "crack_network", "dent", "dark_region", "scuff", "hole", "colour_shift", "star_fracture",
     "crease", "corrosion", "melt")
)  # fmt: skip


def fitting_anomalies(split: Split, normal_family: str, scene: Scene) -> dict[str, AnomalyBuilder]:
    """The anomaly families of a split that can be seen on a scene of a normal family."""
    part_count = int(scene.parts.max()) if scene.parts is not None else 0
    left_out: set[str] = set()
    if normal_family in _GRAIN:
        left_out |= _NEEDS_STRUCTURE
    if part_count < 1:
        left_out |= _NEEDS_PARTS
    if part_count < 2 or not scene.is_orderly:
        left_out |= _NEEDS_ORDER
    return {name: builder for name, builder in ANOMALIES[split].items() if name not in left_out}
