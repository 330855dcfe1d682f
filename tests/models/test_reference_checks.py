"""Doubts about references, by numbers and sentences worked out by hand."""

from __future__ import annotations

import pytest

from models.reference_checks import PictureFacts, notes_on_picture, notes_on_references, odd_one_out


def facts(name: str, size_hw: tuple[int, int] = (800, 1000), digest: str | None = None) -> PictureFacts:
    return PictureFacts(name=name, digest=digest or name, size_hw=size_hw)


@pytest.mark.parametrize(
    ("scores", "odd"),
    [
        # Median 0.20; deviations 0, 0.01, 0.01, 0.02, 0.30: MAD 0.01, times 1.4826; limits 0.289, 0.33.
        ([0.20, 0.21, 0.50, 0.19, 0.22], 2),
        # Median 0.21; MAD 0.01; above 0.299 but not above 1.5 * 0.21.
        ([0.20, 0.21, 0.31], None),
        ([0.20, 0.21, 0.32], 2),
        # Two odd ones: the highest is 1.5 times the median, not the second.
        ([0.20, 0.20, 0.20, 0.60, 0.55], None),
        # Median 0.30, MAD 0.10: 0.95 is 1.9 times the second but below 0.3 + 6 * 0.148.
        ([0.10, 0.20, 0.30, 0.50, 0.95], None),
        # All agree but one: MAD 0, and the limit 1.5 * 0.20.
        ([0.20, 0.20, 0.20, 0.29], None),
        ([0.31, 0.20, 0.20, 0.20], 0),
        ([0.10, 0.90], None),
        ([], None),
        ([0.0, 0.0, 0.0], None),
    ],
)
def test_the_odd_one_out_is_far_above_the_spread_and_above_the_second(scores: list[float], odd: int | None) -> None:
    assert odd_one_out(scores) == odd


def test_like_references_that_agree_leave_nothing_to_say() -> None:
    references = [facts("a.png"), facts("b.png", (816, 1000)), facts("c.png", (2400, 3000))]

    assert notes_on_references(references, [0.20, 0.21, 0.22]) == ()
    assert notes_on_picture(facts("d.png"), references, input_px=518) == ()
    assert notes_on_references([]) == ()


def test_the_odd_reference_is_pointed_at_by_name() -> None:
    references = [facts(name) for name in ("a.png", "b.png", "c.png", "d.png")]

    assert notes_on_references(references, [0.20, 0.21, 0.5, 0.19]) == (
        "c.png is far from the other references (0.5; the next is 0.21): look whether it is normal, since what is in a "
        "reference is never found.",
    )


def test_the_same_picture_as_reference_is_said_to_hide_its_defects() -> None:
    references = [facts("a.png"), facts("copy.png", digest="picture.png")]

    assert notes_on_picture(facts("picture.png"), references, input_px=518) == (
        "copy.png is the inspected picture too, which hides its defects: leave it out of the references.",
    )


def test_copies_among_the_references_are_named_once() -> None:
    references = [facts("a.png"), facts("b.png", digest="a.png"), facts("c.png")]

    assert notes_on_references(references) == (
        "a.png is among the references more than once, which adds nothing: leave the copies out.",
    )


def test_references_of_another_aspect_than_most_are_named() -> None:
    references = [facts("a.png"), facts("tall.png", (1000, 800)), facts("c.png"), facts("wide.png", (500, 1000))]

    assert notes_on_references(references) == (
        "tall.png and wide.png have another aspect than most references; pictures are squeezed to a square, so what is "
        "normal looks stretched: use references cut like most references.",
    )


def test_references_of_another_aspect_than_the_picture_are_named_up_to_three() -> None:
    references = [facts(f"{letter}.png", (1000, 800)) for letter in "abcde"]

    assert notes_on_picture(facts("picture.png"), references, input_px=518) == (
        "a.png, b.png, c.png and 2 more have another aspect than the inspected picture; pictures are squeezed to a "
        "square, so what is normal looks stretched: use references cut like the inspected picture.",
    )


def test_a_tenth_of_a_difference_in_aspect_is_the_same_aspect() -> None:
    picture = facts("d.png", (1000, 1000))

    assert notes_on_picture(picture, [facts("a.png", (1000, 1100))], input_px=518) == ()
    assert len(notes_on_picture(picture, [facts("a.png", (1000, 1101))], input_px=518)) == 1


def test_a_reference_much_smaller_than_the_picture_and_than_the_input_is_named() -> None:
    small, half = facts("small.png", (399, 499)), facts("half.png", (400, 500))

    notes = notes_on_picture(facts("d.png"), [small, half], input_px=518)

    assert notes == (
        "small.png has less than half the sides of the inspected picture and is enlarged for the model, so sharp "
        "detail may look anomalous: use references of about the same size.",
    )


def test_size_makes_no_difference_where_both_are_larger_than_the_input() -> None:
    large, small = facts("large.png", (4000, 5000)), facts("small.png", (800, 1000))

    assert notes_on_picture(large, [small], input_px=518) == ()
    assert notes_on_picture(small, [large], input_px=518) == ()


def test_a_picture_much_smaller_than_its_references_is_said_to_be_enlarged() -> None:
    picture = facts("d.png", (200, 250))

    assert notes_on_picture(picture, [facts("a.png"), facts("b.png")], input_px=392) == (
        "The inspected picture has less than half the sides of a.png and b.png and is enlarged for the model, so its "
        "blur may look anomalous: use references of about the same size.",
    )
