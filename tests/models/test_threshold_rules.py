from typing import Any

import pytest
import torch

from models.calibration import Calibration
from models.reading import Reading
from models.threshold_rules import LabelledMaps, RuleKind, ThresholdRule, best_f1_threshold

NORMALS = torch.arange(101.0).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)  # picture i is i everywhere
SETTINGS: Any = {"top_k": 0.01, "blur_sigma": 0.0}


def flat_maps(*levels: float) -> torch.Tensor:
    """Pictures that are the same everywhere in the one layer they have."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)


def calibration(normal: list[float], anomalous: list[float], kind: RuleKind, rate: float = 0.02) -> Calibration:
    labels = torch.tensor([0] * len(normal) + [1] * len(anomalous))
    labelled = LabelledMaps(flat_maps(*normal, *anomalous), labels)
    return Calibration(NORMALS, (3,), 56, labelled=labelled, rule=ThresholdRule(kind, rate))


def test_the_best_f1_lies_between_two_neighbouring_scores() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0, 5.0, 4.0, 6.0, 7.0])
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1]).bool()
    # From 3.5 on: 3 hits, 1 false alarm, F1 6/7.  From 5.5 on: 2 hits, 1 miss, F1 4/5.  From 4.5 on: 2 / 3.
    assert best_f1_threshold(scores, labels) == pytest.approx(3.5)


def test_of_equally_good_thresholds_the_highest_is_taken() -> None:
    scores, labels = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), torch.tensor([0, 1, 0, 0, 1]).bool()
    # From 1.5 on: 2 * 2 / (4 + 2); from 4.5 on: 2 * 1 / (1 + 2); both are 2 / 3.
    assert best_f1_threshold(scores, labels) == pytest.approx(4.5)


def test_scores_that_are_all_equal_are_their_own_threshold() -> None:
    assert best_f1_threshold(torch.full((3,), 2.0), torch.tensor([0, 1, 0]).bool()) == 2.0


def test_f1_thresholds_follow_the_labels_and_not_the_synthetic_normals() -> None:
    found = calibration([1, 2, 3, 5], [4, 6, 7], "f1").thresholds((3,), **SETTINGS)

    assert found.anomalous == found.pixel == pytest.approx(3.5)
    assert found.suspicious == pytest.approx(3.5)  # the 90 % quantile of 1, 2, 3, 5 is 4.4, which is above
    assert found.normal_level == pytest.approx(2.0)  # torch's median of 1, 2, 3, 5 is the lower one
    assert found.normal_quantile == pytest.approx(3 / 4)
    assert found.from_labels


def test_a_false_alarm_rate_is_a_quantile_of_the_labelled_normal_pictures() -> None:
    found = calibration([1, 2, 3, 5], [4.5], "false_alarms", 0.25).thresholds((3,), **SETTINGS)

    assert found.anomalous == pytest.approx(3.5)  # 0.75 * 3 = 2.25 steps up: 3 + 0.25 * 2
    assert found.normal_quantile == pytest.approx(3 / 4)


def test_suspicious_is_the_90_percent_quantile_where_that_is_lower() -> None:
    found = calibration([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [30, 40], "f1").thresholds((3,), **SETTINGS)

    assert [found.suspicious, found.anomalous] == pytest.approx([9.0, 20.0])


def test_labels_without_their_rule_change_nothing_but_can_be_drawn() -> None:
    plain = Calibration(NORMALS, (3,), 56)
    labelled = calibration([1, 2], [150.0], "normals")

    assert labelled.thresholds((3,), **SETTINGS) == plain.thresholds((3,), **SETTINGS)
    scores, labels = labelled.labelled_scores((3,), **SETTINGS)
    assert scores.tolist() == pytest.approx([1.0, 2.0, 150.0])
    assert labels.tolist() == [0, 0, 1]
    assert labelled.normal_scores((3,), **SETTINGS).tolist() == pytest.approx(list(range(101)))
    assert [len(part) for part in plain.labelled_scores((3,), **SETTINGS)] == [0, 0]


def test_rules_follow_the_chosen_layers() -> None:
    maps = torch.cat([flat_maps(1, 2, 3), flat_maps(10, 30, 20)], dim=1)
    labelled = LabelledMaps(maps, torch.tensor([0, 1, 1]))
    asked = Calibration(NORMALS.expand(-1, 2, -1, -1), (3, 6), 56, labelled=labelled, rule=ThresholdRule("f1"))

    assert asked.thresholds((3,), **SETTINGS).anomalous == pytest.approx(1.5)
    assert asked.thresholds((6,), **SETTINGS).anomalous == pytest.approx(15.0)
    assert asked.thresholds((3, 6), **SETTINGS).anomalous == pytest.approx((11 + 23) / 2)


def test_where_patches_are_scored_the_mask_has_a_threshold_of_its_own_by_the_same_rule() -> None:
    labelled = LabelledMaps(
        flat_maps(0.1, 0.2, 0.6).unsqueeze(1).expand(-1, 2, -1, -1, -1),
        torch.tensor([0, 0, 1]),
        torch.tensor([0.3, 0.4, 0.8]),
    )
    asked = Calibration(
        torch.full((4, 2, 1, 4, 4), 0.5),
        (3,),
        56,
        global_scores=torch.full((4,), 0.5),
        reading=Reading(joining="mean", score="patches", layer_range=(0.0, 1.0)),
        labelled=labelled,
        rule=ThresholdRule("f1"),
    )

    found = asked.thresholds((3,), alpha=0.7, top_patches=2, **SETTINGS)

    assert found.anomalous == pytest.approx((0.3 + 0.7) / 2)  # half the global score, half the patches'
    assert found.mask == pytest.approx(0.4)  # between 0.2 and 0.6
    assert found.normal_score == pytest.approx(0.25)  # of 0.2 and 0.3
    scores, _ = asked.labelled_scores((3,), alpha=0.7, top_patches=2, **SETTINGS)
    assert scores.tolist() == pytest.approx([0.2, 0.3, 0.7])


@pytest.mark.parametrize(
    ("normal", "anomalous", "kind", "message"),
    [
        ([1.0], [], "f1", "both labels, got 1 normal and 0 anomalous"),
        ([], [1.0], "f1", "both labels, got 0 normal and 1 anomalous"),
        ([], [1.0], "false_alarms", "at least one normal picture"),
    ],
)
def test_a_rule_without_its_labels_is_refused(
    normal: list[float], anomalous: list[float], kind: RuleKind, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        calibration(normal, anomalous, kind)


def test_a_rule_with_no_labels_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0 normal and 0 anomalous"):
        Calibration(NORMALS, (3,), 56, rule=ThresholdRule("f1"))


@pytest.mark.parametrize(("kind", "rate"), [("best", 0.02), ("f1", 0.0), ("false_alarms", 1.0)])
def test_a_rule_that_cannot_be_is_refused(kind: RuleKind, rate: float) -> None:
    with pytest.raises(ValueError, match="the rule must be one of|must lie between 0 and 1"):
        ThresholdRule(kind, rate)


def test_labelled_maps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="of the same pictures"):
        LabelledMaps(flat_maps(1, 2), torch.tensor([0]))
    with pytest.raises(ValueError, match="of the same pictures"):
        LabelledMaps(flat_maps(), torch.tensor([]))
    with pytest.raises(ValueError, match="must have \\(1, 1\\) branches and layers, got \\(1, 2\\)"):
        Calibration(NORMALS, (3,), 56, labelled=LabelledMaps(torch.zeros(1, 2, 4, 4), torch.tensor([0])))
