"""With all pixels known the losses are the training's own; without, labels alone count."""

import math

import pytest
import torch
from torch import Tensor

from models.methods.daclip import DAClipOutput
from models.methods.visualad import VisualADOutput
from models.training.daclip_losses import daclip_losses
from models.training.labelled_losses import labelled_daclip_losses, labelled_visualad_losses
from models.training.losses import visualad_losses

ALL = torch.ones(3, dtype=torch.bool)


def masks() -> Tensor:
    marked = torch.zeros(3, 12, 12, dtype=torch.bool)
    marked[0, 2:7, 3:9] = marked[2, :4, :4] = True
    return marked


LABELS = torch.tensor([1, 0, 1])


def visualad_output() -> VisualADOutput:
    torch.manual_seed(0)
    return VisualADOutput(torch.randn(3, 2, 4, 4, requires_grad=True), torch.randn(3, 8), torch.randn(3, 8))


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


def test_visualads_losses_are_those_of_training_where_all_pixels_are_known() -> None:
    output = visualad_output()
    found, wanted = labelled_visualad_losses(output, LABELS, masks(), ALL), visualad_losses(output, masks())
    for name, value in found.items():
        assert torch.equal(value, getattr(wanted, name)), name
    assert torch.equal(torch.stack(list(found.values())).sum(), wanted.total)


def test_daclips_losses_are_those_of_training_where_all_pixels_are_known() -> None:
    output = daclip_output()
    found, wanted = labelled_daclip_losses(output, LABELS, masks(), ALL), daclip_losses(output, masks())
    assert list(found) == list(wanted)
    for name, value in found.items():
        assert torch.equal(value, wanted[name]), name


def test_a_label_alone_counts_for_visualads_classification_and_not_for_its_pixels() -> None:
    output = visualad_output()
    known = torch.tensor([True, True, False])
    found = labelled_visualad_losses(output, LABELS, masks(), known)
    of_two = VisualADOutput(output.layer_maps[:2], output.anomaly_token, output.normal_token)
    whole, two = visualad_losses(output, masks()), visualad_losses(of_two, masks()[:2])

    assert torch.equal(found["classification"], whole.classification)
    assert torch.equal(found["contrastive"], whole.contrastive)
    torch.testing.assert_close(found["focal"], two.focal)
    torch.testing.assert_close(found["dice"], two.dice)
    (gradient,) = torch.autograd.grad(found["focal"] + found["dice"], output.layer_maps)
    assert gradient[:2].any()
    assert not gradient[2].any()


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
    output = VisualADOutput(torch.zeros(3, 2, 4, 4), torch.eye(3), torch.eye(3))
    found = labelled_visualad_losses(output, LABELS, masks(), none)
    assert [float(found[name]) for name in ("focal", "dice")] == [0.0, 0.0]
    assert float(found["classification"]) == pytest.approx(math.log(2.0))
    of_daclip = labelled_daclip_losses(daclip_output(), LABELS, masks(), none)
    assert [of_daclip[name].item() for name in ("focal", "dice", "refined_focal", "refined_dice")] == [0.0] * 4


def test_the_label_counts_even_where_the_mask_is_empty() -> None:
    output = visualad_output()
    empty = torch.zeros(3, 12, 12, dtype=torch.bool)
    as_labelled = labelled_visualad_losses(output, LABELS, empty, ~ALL)
    assert torch.equal(as_labelled["classification"], visualad_losses(output, masks()).classification)
