"""Pixels count where they are known, and labels alone elsewhere; DA-CLIP's losses are the training's own."""

import math

import pytest
import torch
from torch import Tensor

from models.methods.daclip import DAClipOutput
from models.training.daclip_losses import daclip_losses
from models.training.labelled_losses import labelled_daclip_losses, labelled_visualad_losses

ALL = torch.ones(3, dtype=torch.bool)


def masks() -> Tensor:
    marked = torch.zeros(3, 12, 12, dtype=torch.bool)
    marked[0, 2:7, 3:9] = marked[2, :4, :4] = True
    return marked


LABELS = torch.tensor([1, 0, 1])


def daclip_output() -> DAClipOutput:
    torch.manual_seed(0)
    static, refined = (torch.randn(3, 2, 4, 4, 2, requires_grad=True) for _ in range(2))
    return DAClipOutput(
        static_maps=static.softmax(-1)[..., 1],
        refined_maps=refined.softmax(-1)[..., 1],
        static_logits=static,
        refined_logits=refined,
        global_logits=torch.randn(3, 2),
    )


def logit(value: float) -> float:
    """The entropy of a map's value that ought to be 0, after stretching by 3."""
    return math.log(1.0 + math.exp(3.0 * value))


def test_normal_and_anomalous_patches_are_averaged_apart_and_the_normal_ones_weigh_ten_times_as_much() -> None:
    maps = torch.zeros(1, 1, 2, 2)
    maps[0, 0] = torch.tensor([[1.0, 0.5], [-1.0, 0.0]])
    cells = torch.zeros(1, 8, 8, dtype=torch.bool)
    cells[0, :4, :4] = True  # the first patch whole
    cells[0, :4, 4:6] = True  # half of the second

    found = labelled_visualad_losses(maps, torch.tensor([1]), cells, torch.tensor([True]))

    anomalous = (logit(-1.0) + 0.5 * (0.5 * logit(0.5) + 0.5 * logit(-0.5))) / 1.5
    normal = (0.5 * (0.5 * logit(0.5) + 0.5 * logit(-0.5)) + logit(-1.0) + logit(0.0)) / 2.5
    assert float(found["patches"]) == pytest.approx(0.1 * anomalous + normal)
    assert float(found["labels"]) == 0.0


def test_daclips_losses_are_those_of_training_where_all_pixels_are_known() -> None:
    output = daclip_output()
    found, wanted = labelled_daclip_losses(output, LABELS, masks(), ALL), daclip_losses(output, masks())
    assert list(found) == list(wanted)
    for name, value in found.items():
        assert torch.equal(value, wanted[name]), name


def test_pixels_of_a_picture_with_a_label_alone_do_not_count_for_visualad() -> None:
    maps = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    known = torch.tensor([True, True, False])
    found = labelled_visualad_losses(maps, LABELS, masks(), known)
    of_two = labelled_visualad_losses(maps[:2], LABELS[:2], masks()[:2], ALL[:2])

    torch.testing.assert_close(found["patches"], of_two["patches"])
    (gradient,) = torch.autograd.grad(found["patches"], maps, retain_graph=True)
    assert gradient[:2].any()
    assert not gradient[2].any()
    (gradient,) = torch.autograd.grad(found["labels"], maps)
    assert not gradient[:2].any()
    assert gradient[2].any()


def test_a_label_alone_counts_for_daclips_global_loss_and_not_for_its_pixels() -> None:
    output = daclip_output()
    found = labelled_daclip_losses(output, LABELS, masks(), torch.tensor([False, True, True]))

    assert torch.equal(found["global"], daclip_losses(output, masks())["global"])
    assert output.refined_logits is not None
    pixels = found["focal"] + found["dice"] + found["refined_focal"] + found["refined_dice"]
    for gradient in torch.autograd.grad(pixels, (output.static_logits, output.refined_logits)):
        assert not gradient[0].any()
        assert gradient[1:].any()


def test_where_no_picture_is_known_pixels_cost_nothing_and_labels_do() -> None:
    none = torch.zeros(3, dtype=torch.bool)
    found = labelled_visualad_losses(torch.zeros(3, 2, 4, 4), LABELS, masks(), none)
    assert float(found["patches"]) == 0.0
    assert float(found["labels"]) == pytest.approx(0.1 * math.log(2.0))
    of_daclip = labelled_daclip_losses(daclip_output(), LABELS, masks(), none)
    assert [of_daclip[name].item() for name in ("focal", "dice", "refined_focal", "refined_dice")] == [0.0] * 4


def test_the_label_counts_whatever_stands_in_the_mask() -> None:
    maps = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    one, other = (labelled_visualad_losses(maps, LABELS, cells, ~ALL) for cells in (masks(), ~masks()))
    assert torch.equal(one["labels"], other["labels"])
