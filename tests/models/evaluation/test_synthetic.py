"""Evaluation over the held-out world, with maps made for the purpose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.evaluation.synthetic import SyntheticEvaluation, held_out_samples


def mask_with(rows: slice) -> npt.NDArray[np.bool_]:
    gt_mask = np.zeros((20, 20), dtype=bool)
    gt_mask[rows, 4:10] = True
    return gt_mask


def evaluation_of_two_families() -> SyntheticEvaluation:
    """Two normal pictures; cracks that are found perfectly; stains that score lower than everything else."""
    evaluation = SyntheticEvaluation(-8.0, 8.0)
    ramp = np.linspace(0.0, 0.5, 400).reshape(20, 20)
    crack, stain = mask_with(slice(2, 4)), mask_with(slice(10, 18))
    evaluation.add(ramp, 0.3, np.zeros_like(crack), None)
    evaluation.add(ramp, 0.4, np.zeros_like(crack), None)
    evaluation.add(ramp + 1.0 * crack, 0.9, crack, "crack")
    evaluation.add(ramp - 1.0 * stain, 0.1, stain, "stain")
    return evaluation


def test_each_family_is_measured_against_all_normal_pictures() -> None:
    result = evaluation_of_two_families().result()

    crack, stain = result.families
    assert [crack.family, stain.family] == ["crack", "stain"]
    assert [crack.image.auroc, crack.pixel.auroc, crack.aupro] == pytest.approx([1.0, 1.0, 1.0])
    assert [stain.image.auroc, stain.pixel.auroc, stain.aupro] == pytest.approx([0.0, 0.0, 0.0])
    assert (crack.image.n_normal, crack.image.n_anomalous) == (2, 1)
    assert crack.pixel.n_normal == 3 * 400 - 12  # two normal pictures and the rest of its own


def test_all_families_together_pool_their_pictures_and_pixels() -> None:
    overall = evaluation_of_two_families().result().overall

    assert overall.image.auroc == pytest.approx(0.5)  # the crack wins both pairs, the stain loses both
    assert overall.pixel.n_anomalous == 12 + 48
    assert overall.pixel.auroc == pytest.approx(12 / 60)
    assert overall.aupro == pytest.approx(0.5)  # one of two regions is found at once, the other only at the end


def test_normal_pictures_alone_give_a_result_that_does_not_apply() -> None:
    evaluation = SyntheticEvaluation(0.0, 1.0)
    evaluation.add(np.full((4, 4), 0.5), 0.5, np.zeros((4, 4), dtype=bool), None)

    overall = evaluation.result().overall

    assert (overall.image.auroc, overall.pixel.auroc, overall.pro, overall.aupro) == (None, None, None, None)


def test_a_normal_picture_with_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="mask and the anomaly family None do not agree"):
        SyntheticEvaluation(0.0, 1.0).add(np.zeros((20, 20)), 0.0, mask_with(slice(2, 4)), None)


def test_held_out_pictures_are_the_same_every_time_and_differ_by_seed() -> None:
    first = list(held_out_samples(3, seed=0, size_px=64))
    shifted = list(held_out_samples(2, seed=1, size_px=64))

    assert np.array_equal(first[1].image, shifted[0].image)
    assert np.array_equal(first[2].mask, shifted[1].mask)
    assert not np.array_equal(first[0].image, first[1].image)
