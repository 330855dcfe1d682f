import numpy as np
import pytest

from models.training.learning_variants import Mask, Rgb, variants

SIDE = 100


def picture(seed: int = 0, height: int = SIDE, width: int = SIDE) -> Rgb:
    """Smooth, so that a small movement changes it little."""
    rows, columns = np.mgrid[:height, :width]
    channels = [np.sin((rows + shift) / 9 + seed) + np.cos(columns / 7) for shift in (0, 3, 6)]
    return np.round(np.stack(channels, axis=-1) * 40 + 120).astype(np.uint8)


def spot(top: int, left: int, size: int = 10) -> Mask:
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    mask[top : top + size, left : left + size] = True
    return mask


def test_the_first_is_the_picture_itself() -> None:
    rgb, mask = picture(), spot(40, 40)
    first = variants(rgb, mask, 3, seed=1)[0]
    assert first[0] is rgb
    assert first[1] is mask


def test_one_is_asked_for_and_one_is_given() -> None:
    assert len(variants(picture(), None, 1, seed=0)) == 1


def test_the_same_seed_and_picture_give_the_same_and_others_give_others() -> None:
    first, again, other_seed = (variants(picture(), spot(40, 40), 4, seed=seed) for seed in (5, 5, 6))

    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one[0], two[0])
        assert one[1] is not None
        assert two[1] is not None
        assert np.array_equal(one[1], two[1])
    assert not np.array_equal(first[1][0], other_seed[1][0])
    assert not np.array_equal(first[1][0], first[2][0])


def test_variants_stay_near_the_picture_in_place_and_in_light() -> None:
    rgb, mask = picture(), spot(40, 40)
    for varied, varied_mask in variants(rgb, mask, 12, seed=2)[1:]:
        assert varied.dtype == np.uint8
        assert varied.shape == rgb.shape
        assert abs(varied.mean() / rgb.mean() - 1) < 0.13
        assert varied_mask is not None
        middle = np.argwhere(varied_mask).mean(axis=0)
        # 2 pixels of shift and 4 % of the middle's 4.5 pixels from the picture's, and half a pixel of rounding
        assert np.abs(middle - 44.5).max() < 2.0 + 0.3 + 0.6
        assert 0.85 < varied_mask.sum() / mask.sum() < 1.25


def test_the_mask_moves_with_what_it_marks() -> None:
    mask = spot(30, 60)
    rgb = np.where(mask[..., None], np.uint8(250), np.uint8(20)).repeat(3, axis=-1)
    for varied, varied_mask in variants(rgb, mask, 12, seed=3)[1:]:
        assert varied_mask is not None
        bright = varied[..., 0] > 135
        assert np.logical_xor(bright, varied_mask).sum() <= 12  # of about 100: nearest and bilinear differ at the edge


def test_a_marked_pixel_in_the_corner_never_leaves_the_picture() -> None:
    mask = spot(0, 0, size=1)
    found = variants(picture(), mask, 12, seed=4)
    assert 1 < len(found) <= 12
    assert all(varied_mask is not None and varied_mask.any() for _, varied_mask in found)


def test_an_empty_mask_stays_empty() -> None:
    found = variants(picture(), np.zeros((SIDE, SIDE), dtype=np.bool_), 6, seed=4)
    assert len(found) == 6
    assert not any(varied_mask is None or varied_mask.any() for _, varied_mask in found)


def test_without_a_mask_all_of_the_picture_stays_in_sight() -> None:
    rgb = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    rgb[0, :] = rgb[-1, :] = rgb[:, 0] = rgb[:, -1] = 255  # a frame one pixel wide
    for varied, none in variants(rgb, None, 12, seed=5)[1:]:
        assert none is None
        middle = varied[SIDE // 2, :, 0].astype(int)
        across = varied[:, SIDE // 2, 0].astype(int)
        assert min(middle[:5].max(), middle[-5:].max(), across[:5].max(), across[-5:].max()) > 100


def test_flips_and_turns_are_drawn_only_when_allowed() -> None:
    rgb = np.zeros((40, 60, 3), dtype=np.uint8)
    rgb[:20, :30] = 200  # the upper left quarter is bright
    mask = rgb[..., 0] > 0

    upright = variants(rgb, mask, 12, seed=6)
    turned = variants(rgb, mask, 24, seed=6, flips=True)

    assert {varied.shape for varied, _ in upright} == {(40, 60, 3)}
    assert all(found is not None and found[5, 5] and not found[-5, -5] for _, found in upright)
    assert {varied.shape for varied, _ in turned} == {(40, 60, 3), (60, 40, 3)}
    corners = set()
    for varied, found in turned:
        assert found is not None
        assert found.shape == varied.shape[:2]
        corners.add((bool(found[5, 5]), bool(found[5, -5]), bool(found[-5, 5]), bool(found[-5, -5])))
    assert len(corners) == 4


def test_a_mask_of_another_size_and_no_variant_at_all_are_the_callers_mistakes() -> None:
    with pytest.raises(ValueError, match="the mask must be"):
        variants(picture(), np.zeros((3, 3), dtype=np.bool_), 2, seed=0)
    with pytest.raises(ValueError, match="count must be 1 or more"):
        variants(picture(), None, 0, seed=0)
