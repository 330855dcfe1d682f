import numpy as np
import pytest

from models.data.synthetic.canvas import Paint, Scene, blend, coverage, log_uniform, turned_axes, whole
from models.data.synthetic.colours import greyed, luminance
from models.data.synthetic.compose import add_anomaly, add_plain_spot
from models.data.synthetic.noise import cells, smooth_noise, unit_range
from models.data.synthetic.strokes import Stroke, draw


def _grey(level: float, size_px: int = 32) -> Scene:
    return whole(np.full((size_px, size_px, 3), level, dtype=np.float32))


def test_coverage_is_half_on_the_border_and_linear_across_it() -> None:
    distance = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]], dtype=np.float32)

    assert coverage(distance, softness=2.0).tolist() == [[1.0, 0.75, 0.5, 0.25, 0.0]]


def test_blend_mixes_by_opacity() -> None:
    below, above = np.zeros((1, 2, 3), dtype=np.float32), np.ones((1, 2, 3), dtype=np.float32)

    mixed = blend(below, above, np.array([[0.25, 1.0]], dtype=np.float32))

    assert mixed[0, :, 0].tolist() == [0.25, 1.0]


def test_turned_axes_exchange_their_roles_at_a_right_angle() -> None:
    along, across = turned_axes(4, np.pi / 2)

    assert along[:, 0] == pytest.approx([-0.375, -0.125, 0.125, 0.375])
    assert across[0] == pytest.approx([0.375, 0.125, -0.125, -0.375])


def test_log_uniform_stays_within_its_bounds_and_answers_low_where_they_cross() -> None:
    rng = np.random.default_rng(0)

    assert all(2 <= log_uniform(rng, 2, 8) <= 8 for _ in range(50))
    assert log_uniform(rng, 5, 3) == pytest.approx(5)


def test_grey_pictures_keep_their_brightness() -> None:
    red = np.zeros((2, 2, 3), dtype=np.float32)
    red[..., 0] = 1

    assert greyed(red)[0, 0].tolist() == pytest.approx([0.299, 0.299, 0.299])
    assert luminance(greyed(red))[0, 0] == pytest.approx(0.299)


def test_unit_range_reaches_from_zero_to_one() -> None:
    field = unit_range(np.linspace(-7, 5, 64 * 64, dtype=np.float32).reshape(64, 64))

    assert field.min() == 0
    assert field.max() == 1


def test_smooth_noise_has_mean_zero_and_deviation_one() -> None:
    field = smooth_noise(np.random.default_rng(0), 64, 8)

    assert field.mean() == pytest.approx(0, abs=1e-3)
    assert field.std() == pytest.approx(1, abs=1e-3)


def test_cells_without_jitter_are_the_squares_of_a_lattice() -> None:
    line = np.linspace(0, 2, 9, dtype=np.float32)  # a pixel every quarter of a cell
    y, x = np.meshgrid(line, line, indexing="ij")

    made = cells(np.random.default_rng(0), y.astype(np.float32), x.astype(np.float32), jitter=0.0)

    assert len(np.unique(made.index[1:4, 1:4])) == 1
    assert len(np.unique(made.index[1:8:4, 1:8:4])) == 4
    assert made.nearest[2, 2] == pytest.approx(0)  # half a cell from the first pixel lies the first centre
    assert made.second[2, 2] == pytest.approx(1)


def test_a_drawn_line_is_as_wide_as_asked() -> None:
    line = Stroke(np.array([[0.0, 16.0], [32.0, 16.0]]), np.array([4.0]))

    assert draw([line], 32)[:, 16].sum() == pytest.approx(4, abs=0.6)


def test_an_anomaly_that_cannot_be_seen_is_not_added() -> None:
    def faint(rng: np.random.Generator, scene: Scene) -> Paint:
        return Paint(scene.image + np.float32(0.01), np.ones((32, 32), dtype=np.float32))

    assert add_anomaly(np.random.default_rng(0), faint, _grey(0.5)) is None


def test_an_anomaly_that_fills_the_picture_is_not_added() -> None:
    def flood(rng: np.random.Generator, scene: Scene) -> Paint:
        return Paint(np.zeros_like(scene.image), np.ones((32, 32), dtype=np.float32))

    assert add_anomaly(np.random.default_rng(0), flood, _grey(0.5)) is None


def test_an_anomaly_on_the_part_ends_at_its_outline() -> None:
    foreground = np.zeros((32, 32), dtype=np.bool_)
    foreground[:, :16] = True
    scene = Scene(image=_grey(0.5).image, foreground=foreground)

    def bar(rng: np.random.Generator, scene: Scene) -> Paint:
        alpha = np.zeros((32, 32), dtype=np.float32)
        alpha[10:14] = 1
        return Paint(np.zeros_like(scene.image), alpha)

    added = add_anomaly(np.random.default_rng(0), bar, scene, on_part=True)

    assert added is not None
    assert added.mask.sum() == 4 * 16
    assert not added.mask[:, 16:].any()


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_plain_spot_shows_on_every_brightness(level: float) -> None:
    added = add_plain_spot(np.random.default_rng(1), _grey(level))

    assert added.mask.any()
    assert np.abs(added.image - level).max() > 0.3
