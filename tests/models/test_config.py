import math

import pytest

from models.config import InspectionConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": ()}, "at least one layer"),
        ({"top_k": 0.0}, r"top_k must be in \(0, 1\], got 0.0"),
        ({"top_k": math.nan}, r"top_k must be in \(0, 1\], got nan"),
        ({"blur_sigma": -1.0}, "blur_sigma must be 0 or more and finite, got -1.0"),
        ({"blur_sigma": math.nan}, "blur_sigma must be 0 or more and finite, got nan"),
        ({"blur_sigma": math.inf}, "blur_sigma must be 0 or more and finite, got inf"),
        ({"threshold": math.nan}, "threshold must be a finite number, got nan"),
        ({"reference_weight": 1.5}, r"reference_weight must be in \[0, 1\], or None for the rule, got 1.5"),
        ({"tile": -1}, "tile must be 0 or more pixels, or None for no tiles, got -1"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InspectionConfig(**settings)  # type: ignore[arg-type]
