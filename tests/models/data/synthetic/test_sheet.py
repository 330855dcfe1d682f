import numpy as np

from models.data.synthetic import World
from models.data.synthetic.sheet import OUTLINE, contact_sheet, outlined


def test_a_sheet_of_five_has_two_rows_of_three() -> None:
    sheet = contact_sheet(World(split="train"), size_px=48, count=5)

    assert sheet.shape == (2 * 48, 3 * 48, 3)
    assert not sheet[48:, 96:].any()  # the sixth place stays black


def test_the_outline_runs_around_the_mask_and_leaves_it_bare() -> None:
    image, mask = np.zeros((9, 9, 3), dtype=np.uint8), np.zeros((9, 9), dtype=np.bool_)
    mask[4, 4] = True

    drawn = outlined(image, mask)

    assert tuple(drawn[4, 6]) == OUTLINE
    assert not drawn[4, 3:6].any()
