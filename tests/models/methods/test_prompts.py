import re
from typing import Any

import pytest

from models.errors import DataError
from models.methods.prompts import PromptSet, parse_states


def test_the_default_prompts_are_those_of_table_1() -> None:
    prompts = PromptSet()
    assert prompts.normal_texts() == (
        "object",
        "a object",
        "the object",
        "a photo of a object",
        "a photo of a a object",
        "a photo of a the object",
    )
    assert prompts.anomalous_texts() == (
        "damaged object",
        "broken object",
        "object with flaw",
        "object with defect",
        "object with damage",
        "a photo of a damaged object",
        "a photo of a broken object",
        "a photo of a object with flaw",
        "a photo of a object with defect",
        "a photo of a object with damage",
    )


def test_the_objects_name_and_the_states_are_put_in_without_their_margins() -> None:
    prompts = PromptSet(
        object_name=" solar cell ", normal=(" clean {} ",), anomalous=("{} cracked",), templates=("x {} y",)
    )
    assert prompts.normal_texts() == ("x clean solar cell y",)
    assert prompts.anomalous_texts() == ("x solar cell cracked y",)


def test_blanks_around_a_text_make_no_other_prompts() -> None:
    spaced = PromptSet(
        object_name=" object ", normal=("{} ", " a {}", "the {}"), templates=("{}", " a photo of a {}\t")
    )
    assert spaced == PromptSet()
    assert PromptSet(anomalous=(" cracked {} ",)).anomalous == ("cracked {}",)


def test_equal_prompts_are_one_key() -> None:
    assert {PromptSet(): 1}[PromptSet(object_name="object")] == 1
    assert PromptSet() != PromptSet(object_name="nut")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", "The object's name is empty; write what"),
        (" \t", "The object's name is empty; write what"),
        ("nut {}", "The object's name 'nut {}' holds braces; write the name without them"),
        ("}", "The object's name '}' holds braces"),
    ],
)
def test_a_name_that_cannot_be_put_in_is_refused(name: str, found: str) -> None:
    with pytest.raises(DataError, match=found):
        PromptSet(object_name=name)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((), "There is no {kind}; write at least one"),
        (("{} fine", "  "), "A {kind} is blank; write a few words"),
        (("no slot",), "The {kind} 'no slot' must hold {{}} exactly once"),
        (("{} and {}",), "The {kind} '{{}} and {{}}' must hold"),
        (("{0} fine",), "The {kind} '{{0}} fine' must hold"),
        (("{} fine }",), "The {kind} '{{}} fine }}' must hold"),
        (tuple(f"{{}} {index}" for index in range(65)), "There are 65 {kind}s; keep at most 64"),
    ],
)
@pytest.mark.parametrize(
    ("field", "kind"), [("normal", "normal state"), ("anomalous", "anomalous state"), ("templates", "template")]
)
def test_a_list_that_makes_no_texts_is_refused_by_name(field: str, kind: str, lines: Any, found: str) -> None:
    with pytest.raises(DataError, match=re.escape(found.format(kind=kind))):
        PromptSet(**{field: lines})


def test_sixty_four_states_are_still_taken() -> None:
    states = tuple(f"{{}} {index}" for index in range(64))
    assert len(PromptSet(anomalous=states).anomalous_texts()) == 128


def test_states_are_read_one_a_line_and_get_the_objects_place_where_they_lack_it() -> None:
    assert parse_states("cracked\n\n  {} with a dent \r\n \nbent\n") == ("cracked {}", "{} with a dent", "bent {}")
    assert parse_states(" \n\n") == ()


def test_a_line_with_other_braces_is_left_for_the_prompt_set_to_refuse() -> None:
    assert parse_states("cracked {x}") == ("cracked {x}",)
    with pytest.raises(DataError, match="'cracked {x}' must hold {} exactly once"):
        PromptSet(anomalous=parse_states("cracked {x}"))
