"""WinCLIP against a plain loop over windows, in which open_clip masks the attention instead of dropping tokens."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.backbones.towers import build_tiny_towers
from models.methods.base import AnomalyMethod
from models.methods.prompt_ensemble import winclip_prompts
from models.methods.prompts import PromptSet
from models.methods.winclip import WinClip, nearest_distance, spread, window_patches
from tests.models.methods.tiny_clip import DEPTH, GRID_HW, build_tiny_clip, pictures, plain_text, towers_of

WORDS = PromptSet(
    object_name="bottle",
    normal=("{}", "flawless {}"),
    anomalous=("damaged {}", "{} with flaw"),
    templates=("a photo of a {}.", "a dark photo of the {}."),
)
TEMPERATURE = 0.05
Place = tuple[int, int]  # of a patch: row, column
Windows = dict[tuple[Place, ...], Tensor]  # the patches of a window, and its feature


def plain_tokens(clip: Any, picture: Tensor, kept: tuple[Place, ...] | None) -> Tensor:
    """Behind ln_post, (1 + N, width); attention to patches that are not kept is masked, in every block."""
    visual = clip.visual
    patches = visual.conv1(picture[None])[0]  # (width, gh, gw)
    rows = [visual.class_embedding]
    hidden = []
    for row in range(GRID_HW[0]):
        for column in range(GRID_HW[1]):
            if kept is not None and (row, column) not in kept:
                hidden.append(len(rows))
            rows.append(patches[:, row, column])
    sequence = visual.ln_pre(torch.stack(rows) + visual.positional_embedding)
    mask = torch.zeros(len(rows), len(rows))
    mask[:, hidden] = -torch.inf
    tokens: Tensor = visual.ln_post(visual.transformer(sequence[None], attn_mask=mask))[0]
    return tokens


def plain_windows(clip: Any, picture: Tensor, side: int) -> Windows:
    windows = {}
    for top in range(GRID_HW[0] - side + 1):
        for left in range(GRID_HW[1] - side + 1):
            places = tuple((top + down, left + right) for down in range(side) for right in range(side))
            windows[places] = plain_tokens(clip, picture, places)[0] @ clip.visual.proj
    return windows


def plain_probability(feature: Tensor, text: tuple[Tensor, Tensor]) -> float:
    normal, anomalous = (float(feature @ words / feature.norm() / words.norm()) / TEMPERATURE for words in text)
    return 1 / (1 + float(torch.tensor(normal - anomalous).exp()))


def plain_harmonic(scores: dict[tuple[Place, ...], float], place: Place) -> float:
    of_windows = [score for places, score in scores.items() if place in places]
    return len(of_windows) / sum(1 / score for score in of_windows)


def plain_distance(feature: Tensor, memory: list[Tensor]) -> float:
    return min(0.5 * (1 - float(feature @ other / feature.norm() / other.norm())) for other in memory)


def plain_words(clip: Any) -> tuple[Tensor, Tensor]:
    return plain_text(clip, WORDS.normal_texts()), plain_text(clip, WORDS.anomalous_texts())


def plain_zero_shot(clip: Any, picture: Tensor) -> tuple[dict[Place, float], float]:
    """(map, score)."""
    text = plain_words(clip)
    whole = plain_probability(plain_tokens(clip, picture, None)[0] @ clip.visual.proj, text)
    scales = []
    for side in (2, 3):
        windows = plain_windows(clip, picture, side)
        scales.append({places: plain_probability(feature, text) for places, feature in windows.items()})
    anomaly_map = {}
    for row in range(GRID_HW[0]):
        for column in range(GRID_HW[1]):
            small, middle = (plain_harmonic(scores, (row, column)) for scores in scales)
            anomaly_map[row, column] = 3 / (1 / small + 1 / middle + 1 / whole)
    return anomaly_map, whole


def plain_association(clip: Any, picture: Tensor, references: Tensor) -> dict[Place, float]:
    """The map of distances to the references, mean of the three scales."""
    scales = []
    for side in (2, 3):
        memory = [feature for each in references for feature in plain_windows(clip, each, side).values()]
        windows = plain_windows(clip, picture, side)
        scales.append({places: plain_distance(feature, memory) for places, feature in windows.items()})
    patches = plain_tokens(clip, picture, None)[1:]
    memory = [token for each in references for token in plain_tokens(clip, each, None)[1:]]
    anomaly_map = {}
    for row in range(GRID_HW[0]):
        for column in range(GRID_HW[1]):
            small, middle = (plain_harmonic(scores, (row, column)) for scores in scales)
            patch = plain_distance(patches[row * GRID_HW[1] + column], memory)
            anomaly_map[row, column] = (small + middle + patch) / 3
    return anomaly_map


def test_zero_shot_equals_a_plain_loop_over_windows() -> None:
    clip = build_tiny_clip()
    images = pictures(2)
    method = WinClip(towers_of(clip), temperature=TEMPERATURE, window_batch=5).with_prompts(WORDS)

    found = method.maps(images)

    assert found.branch_maps.shape == (2, 1, 1, *GRID_HW)
    assert found.global_scores is not None
    for index, picture in enumerate(images):
        anomaly_map, score = plain_zero_shot(clip, picture)
        assert float(found.global_scores[index]) == pytest.approx(score, abs=1e-5)
        for place, expected in anomaly_map.items():
            assert float(found.branch_maps[index, 0, 0][place]) == pytest.approx(expected, abs=1e-5)


def test_few_shot_equals_a_plain_loop_over_windows() -> None:
    clip = build_tiny_clip()
    picture, references = pictures(1)[0], pictures(2, seed=7)
    method = WinClip(towers_of(clip), temperature=TEMPERATURE).with_prompts(WORDS).with_references(references)

    found = method.maps(picture[None])

    language, score = plain_zero_shot(clip, picture)
    association = plain_association(clip, picture, references)
    assert found.global_scores is not None
    assert float(found.global_scores[0]) == pytest.approx((score + max(association.values())) / 2, abs=1e-5)
    for place in language:
        expected = (language[place] + association[place]) / 2
        assert float(found.branch_maps[0, 0, 0][place]) == pytest.approx(expected, abs=1e-5)


def test_it_is_a_method_of_one_branch_and_one_layer() -> None:
    method: AnomalyMethod = WinClip(build_tiny_towers()).with_prompts(WORDS)
    found = method.maps(torch.randn(1, 3, 42, 84))
    assert method.backbone.depth == 4
    assert (method.layers, method.branches) == ((DEPTH,), ("map",))
    assert found.branch_maps.shape == (1, 1, 1, 3, 6)
    assert found.branch_maps.dtype == torch.float32
    assert not found.branch_maps.requires_grad


def test_without_other_words_the_papers_are_used() -> None:
    assert WinClip(build_tiny_towers(), object_name="screw").prompts == winclip_prompts("screw")


def test_no_more_windows_than_asked_go_through_the_tower_together() -> None:
    towers = towers_of(build_tiny_clip())
    shapes: list[tuple[int, ...]] = []
    towers.visual.vit.blocks[0].register_forward_hook(lambda _, inputs, __: shapes.append(tuple(inputs[0].shape)))
    WinClip(towers, window_batch=5).with_prompts(WORDS).maps(pictures(1))
    # The whole, then 3 x 4 windows of 4 patches, then 2 x 3 of 9; the class token goes with each.
    assert shapes == [(1, 21, 64), (5, 5, 64), (5, 5, 64), (2, 5, 64), (5, 10, 64), (1, 10, 64)]


def test_the_vv_stream_is_never_used() -> None:
    clip = build_tiny_clip()
    plain, surgical = (WinClip(towers_of(clip, vv_blocks=count)).with_prompts(WORDS) for count in (0, 3))
    references = pictures(1, seed=3)
    found = [method.with_references(references).maps(pictures(1)).branch_maps for method in (plain, surgical)]
    assert torch.equal(found[0], found[1])


def test_references_make_another_method_and_replace_those_before() -> None:
    images, others = pictures(1), pictures(2, seed=3)
    zero_shot = WinClip(towers_of(build_tiny_clip())).with_prompts(WORDS)
    before = zero_shot.maps(images).branch_maps

    first = zero_shot.with_references(others[:1])
    replaced = zero_shot.with_references(images).with_references(others[:1])

    assert torch.equal(zero_shot.maps(images).branch_maps, before)
    assert not torch.equal(first.maps(images).branch_maps, before)
    assert torch.equal(replaced.maps(images).branch_maps, first.maps(images).branch_maps)


def test_other_words_keep_the_references() -> None:
    images = pictures(1)
    method = WinClip(towers_of(build_tiny_clip())).with_prompts(WORDS)
    swapped = PromptSet(normal=("broken {}",), anomalous=("perfect {}",), templates=("{}",))
    before, after = (
        each.maps(images).branch_maps
        for each in (
            method.with_prompts(swapped).with_references(images),
            method.with_references(images).with_prompts(swapped),
        )
    )
    assert torch.equal(before, after)


def test_a_picture_that_is_its_own_reference_keeps_half_of_the_language_map() -> None:
    images = pictures(1)
    method = WinClip(towers_of(build_tiny_clip())).with_prompts(WORDS)
    zero_shot = method.maps(images)
    found = method.with_references(images).maps(images)
    assert torch.allclose(found.branch_maps, zero_shot.branch_maps / 2, atol=1e-6)
    assert found.global_scores is not None
    assert zero_shot.global_scores is not None
    assert torch.allclose(found.global_scores, zero_shot.global_scores / 2, atol=1e-6)


def test_references_may_have_another_size_than_the_picture() -> None:
    method = WinClip(build_tiny_towers()).with_prompts(WORDS).with_references(torch.randn(2, 3, 42, 70))
    assert method.maps(torch.randn(1, 3, 56, 56)).branch_maps.shape == (1, 1, 1, 4, 4)


def test_windows_are_listed_row_by_row() -> None:
    assert window_patches((2, 4), 2).tolist() == [[0, 1, 4, 5], [1, 2, 5, 6], [2, 3, 6, 7]]
    assert window_patches((3, 2), 2).tolist() == [[0, 1, 2, 3], [2, 3, 4, 5]]


def test_a_patch_gets_the_harmonic_mean_of_the_windows_that_hold_it() -> None:
    spread_out = spread(torch.tensor([1.0, 0.5, 0.25]), (2, 4), 2)
    # 2 / (1 / 1 + 1 / 0.5) = 2 / 3 and 2 / (1 / 0.5 + 1 / 0.25) = 1 / 3
    assert spread_out.tolist() == [pytest.approx([1.0, 2 / 3, 1 / 3, 0.25])] * 2


def test_a_window_that_scores_zero_makes_its_patches_zero() -> None:
    assert spread(torch.tensor([0.0, 0.5]), (2, 3), 2).tolist() == [[0.0, 0.0, 0.5]] * 2


def test_distance_is_half_of_one_minus_the_highest_cosine() -> None:
    memory = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    queries = torch.tensor([[0.0, 1.0], [-1.0, 0.0], [1.0, 0.0]])
    assert nearest_distance(queries, memory).tolist() == pytest.approx([0.1, 0.8, 0.0])


def test_many_queries_are_compared_part_by_part_with_nothing_lost() -> None:
    angles = torch.linspace(0, torch.pi, 1200)
    queries = torch.stack([angles.cos(), angles.sin()], dim=1)
    distances = nearest_distance(queries, torch.tensor([[1.0, 0.0]]))
    assert torch.allclose(distances, (1 - angles.cos()) / 2, atol=1e-6)


def test_towers_without_a_shared_space_are_refused() -> None:
    with pytest.raises(ValueError, match="WinCLIP needs towers that share a space"):
        WinClip(build_tiny_towers(like="compact"))


@pytest.mark.parametrize(("temperature", "window_batch"), [(0.0, 64), (0.07, 0)])
def test_numbers_that_are_not_above_zero_are_refused(temperature: float, window_batch: int) -> None:
    with pytest.raises(ValueError, match="must be above 0, got"):
        WinClip(build_tiny_towers(), temperature=temperature, window_batch=window_batch)


def test_a_picture_smaller_than_a_window_is_refused() -> None:
    method = WinClip(build_tiny_towers()).with_prompts(WORDS)
    with pytest.raises(ValueError, match="window of 3 x 3 patches does not fit a grid of 2 x 4"):
        method.maps(torch.randn(1, 3, 28, 56))


def test_no_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one reference image"):
        WinClip(build_tiny_towers()).with_references(torch.zeros(0, 3, 56, 56))
