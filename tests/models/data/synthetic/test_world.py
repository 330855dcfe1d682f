from pathlib import Path

import numpy as np
import pytest

from models.data.synthetic import World, sample
from models.data.synthetic.canvas import Scene, whole
from models.data.synthetic.families import Split, fitting_anomalies
from models.data.synthetic.world import stages

SEEDS = range(24)


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_the_same_seed_gives_the_same_sample(split: Split) -> None:
    world = World(split=split)

    first, second = sample(11, world, 96), sample(11, world, 96)

    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)
    assert first.anomaly_family == second.anomaly_family


def test_another_seed_gives_another_picture() -> None:
    world = World(split="train")

    assert not np.array_equal(sample(1, world, 64).image, sample(2, world, 64).image)


def test_the_mask_is_empty_exactly_where_no_anomaly_is_named() -> None:
    samples = [sample(seed, World(split="train"), 64) for seed in SEEDS]

    assert {made.anomaly_family is None for made in samples} == {True, False}
    assert all(made.mask.any() == (made.anomaly_family is not None) for made in samples)


@pytest.mark.parametrize("size_px", [64, 126])
def test_image_and_mask_are_square_of_the_asked_size(size_px: int) -> None:
    made = sample(3, World(split="held_out"), size_px)

    assert made.image.shape == (size_px, size_px, 3)
    assert made.image.dtype == np.uint8
    assert made.mask.shape == (size_px, size_px)
    assert made.mask.dtype == np.bool_


@pytest.mark.parametrize(("share", "anomalous"), [(0.0, 0), (1.0, 12)])
def test_the_share_of_anomalous_pictures_is_kept_at_both_ends(share: float, anomalous: int) -> None:
    world = World(split="train", anomalous_share=share)

    assert sum(bool(sample(seed, world, 64).mask.any()) for seed in range(12)) == anomalous


def test_an_anomaly_changes_no_pixel_outside_its_mask() -> None:
    for seed in SEEDS:
        made = stages(seed, World(split="train", anomalous_share=1.0), 96)

        changed = (made.finished != made.normal.image).any(axis=2)
        assert changed.any()
        assert not changed[~made.mask].any()


def test_benign_variation_does_not_know_the_label() -> None:
    clean, anomalous = (World(split="train", anomalous_share=share) for share in (0.0, 1.0))

    for seed in SEEDS:
        without, with_anomaly = stages(seed, clean, 64), stages(seed, anomalous, 64)

        assert np.array_equal(without.finished, with_anomaly.normal.image)


def test_the_camera_treats_normal_and_anomalous_pictures_alike() -> None:
    clean, anomalous = (World(split="train", anomalous_share=share) for share in (0.0, 1.0))
    differences = []

    for seed in SEEDS:
        without, with_anomaly = sample(seed, clean, 96), sample(seed, anomalous, 96)
        difference = np.abs(without.image.astype(int) - with_anomaly.image.astype(int)).max(axis=2)
        differences.append(np.median(difference[~with_anomaly.mask]))

    assert max(differences) <= 1  # only blur and JPEG carry a little of an anomaly past its mask


def test_the_held_out_split_takes_no_photographs() -> None:
    with pytest.raises(ValueError, match="photographs belong to the train split"):
        World(split="held_out", photographs=(Path("a.png"),))


@pytest.mark.parametrize(("seed", "size_px", "message"), [(-1, 64, "seed must be 0 or more"), (0, 16, "size_px must")])
def test_a_negative_seed_or_a_tiny_size_is_refused(seed: int, size_px: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(seed, World(split="train"), size_px)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_the_unit_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"anomalous_share must be within \[0, 1\]"):
        World(split="train", anomalous_share=share)


def _with_parts(count: int, *, is_orderly: bool = True) -> Scene:
    parts = np.arange(32 * 32, dtype=np.int32).reshape(32, 32) % (count + 1)
    image = np.zeros((32, 32, 3), dtype=np.float32)
    return Scene(image=image, foreground=parts > 0, backdrop=image, parts=parts, is_orderly=is_orderly)


def test_parts_go_missing_only_where_there_are_parts() -> None:
    assert "missing_part" not in fitting_anomalies("train", "wood", whole(np.zeros((32, 32, 3), dtype=np.float32)))
    assert "missing_part" in fitting_anomalies("train", "boxes", _with_parts(1))


def test_a_part_is_out_of_place_only_among_orderly_others() -> None:
    assert "misplaced_part" not in fitting_anomalies("train", "boxes", _with_parts(1))
    assert "misplaced_part" in fitting_anomalies("train", "boxes", _with_parts(2))
    assert "misplaced_part" not in fitting_anomalies("train", "boxes", _with_parts(2, is_orderly=False))


def test_moved_pieces_are_not_looked_for_in_grain() -> None:
    plain = whole(np.zeros((32, 32, 3), dtype=np.float32))

    assert "shifted_patch" not in fitting_anomalies("train", "granite", plain)
    assert "shifted_patch" in fitting_anomalies("train", "grid", plain)
