"""References: banks on a fake backbone, what is remembered, and every sentence about what does not fit."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.services.reference_reading import read_references
from app.services.references import ReferenceOptions
from models.errors import DataError
from models.reading import PictureMaps
from tests.app.reference_fakes import FakeDescriber, fake_builder, grey_picture

SPOTTED = grey_picture(204, "spotted.png", spot=20)
GREYS = [grey_picture(level, f"grey {level}.png") for level in (200, 204, 208, 212)]


def test_a_bank_holds_every_patch_of_every_reference() -> None:
    references = fake_builder(FakeDescriber()).build(GREYS[:3])

    assert references.bank.tokens.shape == (2, 3 * 16, 2)
    assert references.bank.digests == references.digests == tuple(picture.digest for picture in GREYS[:3])
    assert references.names == ("grey 200.png", "grey 204.png", "grey 208.png")
    assert references.build_s > 0


def test_the_backbone_runs_once_for_each_reference_whatever_is_built_of_them() -> None:
    fake = FakeDescriber()
    builder = fake_builder(fake)

    first = builder.build(GREYS[:3])
    again = builder.build(GREYS[:3])
    more = builder.build(GREYS)

    assert again is first
    assert more is not first
    assert fake.calls == 4


def test_threads_that_ask_for_the_same_references_wait_for_one_build() -> None:
    fake = FakeDescriber(seconds=0.02)
    builder = fake_builder(fake)

    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(lambda _: builder.build(GREYS[:3]), range(8)))

    assert all(one is built[0] for one in built)
    assert fake.calls == 3


def test_three_references_are_compared_with_each_other() -> None:
    references = fake_builder(FakeDescriber()).build(GREYS[:3])

    # Greys 4 / 255 apart; each of them has a neighbour at that difference, and two layers are added.
    step = 1 - math.cos(math.pi / 2 * 4 / 255)
    scores = references.scale.scores((6, 9), top_k=0.01, blur_sigma=0.0)
    assert scores == pytest.approx([2 * step] * 3, rel=1e-2)


def test_one_reference_is_compared_with_five_variants_of_itself() -> None:
    fake = FakeDescriber()

    references = fake_builder(fake).build(GREYS[:1])

    assert fake.calls == 1 + 5
    scores = references.scale.scores((6,), top_k=0.01, blur_sigma=0.0)
    darker = 1 - math.cos(math.pi / 2 * 0.1 * 200 / 255)
    assert scores == pytest.approx([0, 0, 0, darker, darker], abs=1e-4)  # shifted and mirrored, then 0.9 and 1.1 times


def test_with_mirror_images_in_the_bank_no_variant_is_mirrored() -> None:
    fake = FakeDescriber()

    references = fake_builder(fake).build(GREYS[:1], ReferenceOptions(flips=True))

    assert fake.calls == 4 + 3
    assert references.bank.tokens.shape[1] == 4 * 16


def test_turned_versions_belong_to_their_reference() -> None:
    references = fake_builder(FakeDescriber()).build(GREYS[:3], ReferenceOptions(rotations=True))

    assert references.bank.counts == (64, 64, 64)
    assert len(references.scale.scores((6,), top_k=0.01, blur_sigma=0.0)) == 3


def test_a_large_bank_is_thinned_to_its_limit() -> None:
    references = fake_builder(FakeDescriber()).build(GREYS, ReferenceOptions(limit=10))

    assert references.bank.tokens.shape[1] == 10


def test_a_copy_counts_once_and_is_named() -> None:
    references = fake_builder(FakeDescriber()).build([*GREYS[:3], GREYS[0]])

    assert len(references) == 3
    assert references.notes == (
        "grey 200.png is among the references more than once, which adds nothing: leave the copies out.",
    )


def test_the_reference_that_is_far_from_the_others_is_pointed_at() -> None:
    references = fake_builder(FakeDescriber()).build([*GREYS[:3], grey_picture(30, "burnt.png")])

    (note,) = references.notes
    assert note.startswith("burnt.png is far from the other references")


def test_a_reference_of_another_aspect_is_named() -> None:
    references = fake_builder(FakeDescriber()).build([*GREYS[:2], grey_picture(208, "wide.png", size_hw=(56, 112))])

    (note,) = references.notes
    assert note.startswith("wide.png has another aspect than most references")


def test_the_inspected_picture_among_its_references_is_told() -> None:
    references = fake_builder(FakeDescriber()).build(GREYS[:3])

    (note,) = references.notes_on(GREYS[1])
    assert note.startswith("grey 204.png is the inspected picture too, which hides its defects")
    assert references.notes_on(GREYS[3]) == ()


def test_large_references_are_kept_small_but_seen_whole() -> None:
    large = grey_picture(200, "large.png", size_hw=(1200, 2400))

    references = fake_builder(FakeDescriber()).build([large])

    assert references.pictures[0].rgb.shape == (518, 1036, 3)
    assert references.facts[0].size_hw == (1200, 2400)


def test_what_is_said_of_like_patches_leaves_a_reference_out_where_asked() -> None:
    builder = fake_builder(FakeDescriber())
    pictures = [grey_picture(level, f"{level}.png") for level in (0, 90, 255)]
    references = builder.build(pictures)
    said = [PictureMaps(np.full((1, 3, 4, 4), value, dtype=np.float32)) for value in (1, 2, 3)]

    among_all = builder.matched_maps(pictures[0], references, said)
    among_others = builder.matched_maps(pictures[0], references, said, without=0)

    assert among_all.branch_maps.shape == (1, 3, 4, 4)
    assert among_all.branch_maps == pytest.approx(1.0, abs=1e-2)
    assert among_others.branch_maps == pytest.approx(2.0, abs=1e-2)


def test_maps_of_another_grid_are_brought_to_that_of_the_references() -> None:
    builder = fake_builder(FakeDescriber())
    references = builder.build([SPOTTED])
    said = np.zeros((1, 1, 8, 8), dtype=np.float32)
    said[..., :4, :4] = 8.0

    matched = builder.matched_maps(SPOTTED, references, [PictureMaps(said)])

    assert matched.branch_maps[0, 0, 0, 0] > 6
    assert matched.branch_maps[0, 0, 3, 3] < 1


def test_a_thinned_bank_still_knows_which_patches_are_like() -> None:
    builder = fake_builder(FakeDescriber())
    references = builder.build(GREYS, ReferenceOptions(limit=8))

    matched = builder.matched_maps(GREYS[0], references, [PictureMaps(np.ones((1, 1, 4, 4), np.float32))] * 4)

    assert references.rows.shape == (2, 8, 2)
    assert references.places.tolist() == [0, 9, 18, 27, 36, 45, 54, 63]
    assert matched.branch_maps == pytest.approx(1.0)


def test_no_reference_is_refused() -> None:
    with pytest.raises(DataError, match="There are no reference pictures; give 1 to 32"):
        fake_builder(FakeDescriber()).build([])


def test_more_than_32_references_are_refused_before_the_backbone_runs() -> None:
    fake = FakeDescriber()
    with pytest.raises(DataError, match="33 reference pictures are more than can be used; give at most 32"):
        fake_builder(fake).build([grey_picture(level, f"{level}.png") for level in range(33)])
    assert fake.calls == 0


def test_a_limit_below_one_is_the_callers_bug() -> None:
    with pytest.raises(ValueError, match="limit must be 1 or more, got 0"):
        ReferenceOptions(limit=0)


def test_a_corrupt_reference_is_left_out_by_name_and_the_others_stay(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])

    pictures, refused = read_references([tmp_path])

    assert [picture.name for picture in pictures] == ["a.png"]
    assert len(refused) == 1
    assert refused[0].startswith("b.png is left out of the references: b.png is damaged")


def test_a_folder_of_corrupt_references_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"no reference picture that can be read in .*b\.png is left out.*give 1 to 32"):
        read_references([tmp_path])


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no reference picture that can be read in"):
        read_references([tmp_path])


def test_a_folder_with_more_than_32_pictures_is_refused_before_they_are_read(tmp_path: Path) -> None:
    for index in range(33):
        (tmp_path / f"{index}.png").write_bytes(b"")
    with pytest.raises(DataError, match="holds 33 pictures; give a folder with at most 32 references"):
        read_references([tmp_path])


def save(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)


def test_a_bank_is_found_by_its_pictures_names_and_digests_without_reading_them_again() -> None:
    fake = FakeDescriber()
    builder = fake_builder(fake)
    pictures = [grey_picture(200, "a.png"), grey_picture(210, "b.png")]
    named = [(picture.name, picture.digest) for picture in pictures]
    assert builder.find(named, ReferenceOptions()) is None

    built = builder.build(pictures)

    assert builder.find(named, ReferenceOptions()) is built
    assert builder.find(named, ReferenceOptions(flips=True)) is None
    assert builder.find([("theirs.png", named[0][1]), named[1]], ReferenceOptions()) is None
