"""Reference pictures: from 1 to 32 normal pictures to a bank of their patches with its own scale, built once.

Thread-safe.  The backbone is loaded when it is first needed and runs once per picture and version; banks are remembered
by the pictures' digests and the options.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from app.services.caches import BoundedCache
from app.services.gpu import lent_gpu
from app.services.patch_tokens import PatchDescriber
from app.services.rendering import shrink
from models.errors import DataError
from models.reading import PictureMaps
from models.reference_checks import PictureFacts, notes_on_picture, notes_on_references

if TYPE_CHECKING:
    from torch import Tensor

    from models.data.pictures import Picture
    from models.methods.nearest_patch import MemoryBank
    from models.reference_scale import ReferenceScale

MOST_REFERENCES: Final = 32
DEFAULT_BANK_LIMIT: Final = 16_384  # patches a layer; eight references of 37 x 37 fit whole
_TOKEN_BYTES: Final = 128 * 2**20
_BANK_BYTES: Final = 384 * 2**20
_KEPT_PX: Final = 1036  # a reference is kept no larger than this: twice what any preset looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceOptions:
    """How a bank is made; hashable, so it can key a cache."""

    rotations: bool = False  # add every reference turned by 90, 180 and 270 degrees
    flips: bool = False  # add the mirror images
    limit: int = DEFAULT_BANK_LIMIT  # patches a layer that are kept, at least 1

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"limit must be 1 or more, got {self.limit}")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class References:
    """What normal looks like, ready to be compared with."""

    key: str  # of pictures, their names, options and backbone; equal for equal references
    names: tuple[str, ...]  # of the K different pictures
    digests: tuple[str, ...]
    facts: tuple[PictureFacts, ...]
    pictures: tuple[Picture, ...]  # at most 1036 px, for zero-shot methods to say what they see in them
    bank: MemoryBank
    rows: Tensor  # (L, M, D), patches of the pictures as they are, the same in every layer
    places: Tensor  # (M,), which patch each row is, counted over all pictures
    scale: ReferenceScale
    image_size: int  # side of the input, pixels
    notes: tuple[str, ...]  # sentences on what is doubtful about them
    build_s: float

    def __len__(self) -> int:
        return len(self.names)

    @property
    def nbytes(self) -> int:
        """What the bank and the pictures hold."""
        pictures = sum(picture.rgb.nbytes for picture in self.pictures)
        rows = 0 if self.rows is self.bank.tokens else self.rows.nbytes
        return self.bank.tokens.nbytes + self.bank.reference_of.nbytes + rows + self.places.nbytes + pictures

    def notes_on(self, picture: Picture) -> tuple[str, ...]:
        """What is doubtful about inspecting a picture with these, in sentences."""
        return notes_on_picture(facts_of(picture), self.facts, self.image_size)


class ReferenceBuilder:
    """Makes References of pictures, and compares pictures with them."""

    def __init__(self, load: Callable[[], PatchDescriber]) -> None:
        """Prepare without loading anything; `load` gives the backbone when it is first needed."""
        self._load = load
        self._describer: PatchDescriber | None = None
        self._load_lock = threading.Lock()
        self._build_lock = threading.Lock()
        self._run_lock = threading.Lock()
        self._tokens: BoundedCache[tuple[str, bool, bool], tuple[Tensor, ...]] = BoundedCache(
            _TOKEN_BYTES, lambda versions: sum(tokens.nbytes for tokens in versions)
        )
        self._built: BoundedCache[str, References] = BoundedCache(_BANK_BYTES, lambda references: references.nbytes)
        self._describe = lent_gpu(self._describe_loaded)

    def describer(self) -> PatchDescriber:
        """The backbone, loaded now if it is not in memory.

        Raises:
            WeightsError: its weights are missing or damaged.
        """
        with self._load_lock:
            if self._describer is None:
                self._describer = self._load()
            return self._describer

    def build(self, pictures: Sequence[Picture], options: ReferenceOptions | None = None) -> References:
        """Make a bank of references, or find the one that was made of the same pictures.

        Args:
            pictures: 1 to 32; copies of one picture count once.
            options: how the bank is made.
        Raises:
            DataError: there are none, or too many.
            WeightsError: the backbone's weights are missing or damaged.
        """
        options = options or ReferenceOptions()
        unique = list({picture.digest: picture for picture in pictures}.values())
        if not unique:
            raise DataError("There are no reference pictures; give 1 to 32 that show what normal looks like.")
        if len(unique) > MOST_REFERENCES:
            raise DataError(
                f"{len(unique)} reference pictures are more than can be used; give at most {MOST_REFERENCES}, such as "
                "those that differ most."
            )
        copies = len(pictures) - len(unique)
        key = _key([(picture.name, picture.digest) for picture in unique], options, copies, self.describer())
        with self._build_lock:
            built = self._built.get(key)
            if built is None:
                built = self._build(key, unique, pictures, options)
                self._built.put(key, built)
            return built

    def find(self, named: Sequence[tuple[str, str]], options: ReferenceOptions) -> References | None:
        """A bank that is in memory, without reading its pictures again.

        Args:
            named: (name, digest) of each picture, all different.
            options: how the bank was made.
        Returns:
            None where it has to be built.
        """
        describer = self._describer
        return None if describer is None else self._built.get(_key(named, options, 0, describer))

    def tokens(self, picture: Picture) -> Tensor:
        """Tokens of a picture as it is, (L, N, D), from memory if they are there."""
        return self._versions(picture, ReferenceOptions())[0]

    def maps(self, picture: Picture, references: References) -> PictureMaps:
        """How far each patch of a picture is from the nearest one of the references: (1, L, gh, gw)."""
        from models.methods.nearest_patch import bank_maps

        distances = bank_maps(self.tokens(picture), references.bank)
        return PictureMaps(distances.unflatten(1, self.describer().grid_hw).unsqueeze(0).numpy())

    def matched_maps(
        self, picture: Picture, references: References, said: Sequence[PictureMaps], without: int | None = None
    ) -> PictureMaps:
        """What a method says about the reference patches that look like those of a picture.

        Args:
            picture: of any size.
            references: whose patches are looked through.
            said: the method's maps of each reference, in their order.
            without: a reference that does not count, from 0; none where there is only that one.
        Returns:
            The same branches and layers as in `said`, on the grid of the references.
        """
        from models.methods.matched import matched_values

        gh, gw = self.describer().grid_hw
        values = patch_values(said, (gh, gw))[references.places]
        kept = references.places // (gh * gw) != (-1 if without is None else without)
        rows = references.rows if bool(kept.all()) else references.rows[:, kept]
        found = matched_values(self.tokens(picture), rows, values[kept])
        branches, layers = said[0].branch_maps.shape[:2]
        return PictureMaps(found.T.reshape(branches, layers, gh, gw).contiguous().numpy())

    def _build(
        self, key: str, unique: Sequence[Picture], given: Sequence[Picture], options: ReferenceOptions
    ) -> References:
        import torch

        from models.methods.nearest_patch import build_bank
        from models.reference_scale import ReferenceScale

        start_s = time.perf_counter()
        describer = self.describer()
        layers, grid_hw = describer.layers, describer.grid_hw
        versions = [self._versions(picture, options) for picture in unique]
        digests = tuple(picture.digest for picture in unique)
        joined = [torch.cat(tokens, dim=1) for tokens in versions]
        grids = [grid_hw] * len(unique)
        bank = build_bank(joined, layers, options.limit, grids_hw=grids, digests=digests)
        normal_maps = [
            maps.unflatten(1, grid_hw)
            for maps in self._normal_maps(unique, [own[0] for own in versions], bank, options)
        ]
        scale = ReferenceScale(normal_maps, layers, describer.image_size)
        compared = len(unique) == len(normal_maps)
        rows, places = _joint_rows([own[0] for own in versions], bank, options.limit)
        facts = tuple(facts_of(picture) for picture in unique)
        copies = [picture for place, picture in enumerate(given) if picture.digest in [p.digest for p in given[:place]]]
        loo_scores = scale.scores(layers, top_k=0.01, blur_sigma=4.0) if compared else ()
        return References(
            key=key,
            names=tuple(picture.name for picture in unique),
            digests=digests,
            facts=facts,
            pictures=tuple(replace(picture, rgb=shrink(picture.rgb, _KEPT_PX)) for picture in unique),
            bank=bank,
            rows=rows,
            places=places,
            scale=scale,
            image_size=describer.image_size,
            notes=notes_on_references([*facts, *map(facts_of, copies)], loo_scores),
            build_s=time.perf_counter() - start_s,
        )

    def _normal_maps(
        self, pictures: Sequence[Picture], tokens: Sequence[Tensor], bank: MemoryBank, options: ReferenceOptions
    ) -> list[Tensor]:
        """What a normal picture may look like: each reference against the others, or its variants against the bank."""
        from models.methods.nearest_patch import bank_maps, leave_one_out
        from models.methods.picture_variants import augmented_self
        from models.reference_scale import FEWEST_TO_COMPARE

        if len(pictures) >= FEWEST_TO_COMPARE:
            return leave_one_out(tokens, bank)
        describer = self.describer()
        mirrored = not (options.flips or options.rotations)
        return [
            bank_maps(self._run(variant.unsqueeze(0)), bank)
            for picture in pictures
            for variant in augmented_self(describer.prepared(picture.rgb), describer.spec, flips=mirrored)
        ]

    def _versions(self, picture: Picture, options: ReferenceOptions) -> tuple[Tensor, ...]:
        """Tokens of a picture and of its turned and mirrored versions, the picture itself first."""
        from models.methods.picture_variants import augmented

        key = (picture.digest, options.rotations, options.flips)
        with self._run_lock:
            found = self._tokens.get(key)
            if found is None:
                images = augmented(self.describer().prepared(picture.rgb), options.rotations, options.flips)
                plain = self._tokens.get((picture.digest, False, False))
                first = plain[0] if plain else self._run(images[0])
                found = (first, *(self._run(image) for image in images[1:]))
                self._tokens.put(key, found)
            return found

    def _run(self, image: Tensor) -> Tensor:
        return self._describe(image)

    def _describe_loaded(self, image: Tensor) -> Tensor:
        return self.describer().describe(image)[0]


def patch_values(said: Sequence[PictureMaps], grid_hw: tuple[int, int]) -> Tensor:
    """Maps of K pictures as values of their patches on a grid: (K * gh * gw, R * L)."""
    import torch
    import torch.nn.functional as F

    maps = torch.stack([torch.from_numpy(one.branch_maps.copy()).flatten(0, 1) for one in said])
    if tuple(maps.shape[-2:]) != grid_hw:
        maps = F.interpolate(maps, size=grid_hw, mode="bilinear", antialias=True)
    return maps.flatten(2).transpose(1, 2).flatten(0, 1)


def _joint_rows(tokens: Sequence[Tensor], bank: MemoryBank, limit: int) -> tuple[Tensor, Tensor]:
    """Patches that are the same in every layer, at most `limit`, evenly spread; and which ones they are."""
    import torch

    total = sum(own.shape[1] for own in tokens)
    if bank.is_complete and bank.tokens.shape[1] == total:
        return bank.tokens, torch.arange(total)
    places = torch.arange(total) if total <= limit else torch.linspace(0, total - 1, limit).round().long()
    return torch.cat(list(tokens), dim=1)[:, places], places


def facts_of(picture: Picture) -> PictureFacts:
    """What the checks need to know of a picture."""
    return PictureFacts(name=picture.name, digest=picture.digest, size_hw=(picture.rgb.shape[0], picture.rgb.shape[1]))


def _key(named: Sequence[tuple[str, str]], options: ReferenceOptions, copies: int, describer: PatchDescriber) -> str:
    """By names too: results carry them, and two visitors may call one picture differently."""
    parts = (*named, options, copies, describer.image_size, describer.layers, describer.spec.name)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
