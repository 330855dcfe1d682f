import torch

from models.training.patch_sampling import PatchSample, draw_patches


def sample_of(rows: list[int], columns: list[int], side: int = 5) -> PatchSample:
    return PatchSample(side, torch.tensor(rows), torch.tensor(columns))


def test_chosen_patches_come_row_by_row() -> None:
    sample = sample_of([1, 3], [0, 2, 4])
    tokens = torch.arange(25.0).view(1, 25, 1)

    assert sample.grid_hw == (2, 3)
    assert sample.of_patches(tokens).flatten().tolist() == [5, 7, 9, 15, 17, 19]


def test_masks_keep_the_cells_of_the_chosen_patches() -> None:
    masks = torch.zeros(1, 40, 40, dtype=torch.bool)  # 8 pixels a patch, 2 a cell
    masks[0, 9, 16] = True  # the first cell of patch (1, 2)
    masks[0, 0, 0] = True  # of patch (0, 0), which is not chosen

    cells = sample_of([1, 3], [0, 2, 4]).of_masks(masks)

    assert cells.shape == (1, 8, 12)
    assert cells[0].nonzero().tolist() == [[0, 4]]


def test_maps_stand_for_their_own_cells() -> None:
    maps = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    over = sample_of([1, 3], [0, 2, 4]).over_cells(maps, row_axis=2)
    assert over.shape == (1, 1, 8, 12)
    assert over[0, 0, ::4, ::4].tolist() == maps[0, 0].tolist()
    assert over[0, 0, 3, 3] == 1.0
    assert over[0, 0, 4, 8] == 6.0


def test_all_patches_are_left_as_they_are() -> None:
    sample = draw_patches(5, 1)
    tokens, maps = torch.randn(2, 25, 3), torch.randn(2, 4, 5, 5)
    assert sample.is_whole
    assert sample.of_patches(tokens) is tokens
    assert sample.over_cells(maps, row_axis=2) is maps
    assert sample.of_masks(torch.zeros(2, 40, 40, dtype=torch.bool)).shape == (2, 20, 20)


def test_every_patch_is_drawn_sooner_or_later_and_the_seed_decides_when() -> None:
    torch.manual_seed(0)
    drawn = [draw_patches(5, 2) for _ in range(40)]
    torch.manual_seed(0)
    again = [draw_patches(5, 2) for _ in range(40)]

    assert {place for sample in drawn for place in sample.places.tolist()} == set(range(25))
    assert all(torch.equal(one.places, two.places) for one, two in zip(drawn, again, strict=True))
