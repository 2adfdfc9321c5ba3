from __future__ import annotations

from latent.items import JSON, Modality
from service.explore.facets import Facet, Kind, Step, facets_of


def facet(*values: JSON, most: int = 20) -> Facet:
    facts = [(Modality.IMAGE, {"field": value}) for value in values]
    (found,) = facets_of(facts, values=most).fields
    return found


def test_the_commonest_values_come_first_and_the_others_are_counted() -> None:
    found = facet("b", "a", "b", "c", "c", "c", most=2)
    assert found == Facet("field", Kind.TEXT, 6, 3, [("c", 3), ("b", 2)])
    assert found.others == 1


def test_true_is_no_number() -> None:
    assert facet(True, True, 1).kind is Kind.FLAG
    assert facet(True, True, 1).values == [(True, 2)]
    assert facet(1, 1, True).values == [(1, 2)]


def test_a_field_where_each_item_has_its_own_value_lists_none() -> None:
    found = facet("a", "b", "c", most=2)
    assert (found.values, found.distinct, found.others) == ([], 3, 3)


def test_numbers_have_round_steps_that_hold_all_of_them() -> None:
    found = facet(*range(100), 100.5)
    assert found.kind is Kind.NUMBER
    assert (found.least, found.most) == (0, 100.5)
    assert found.steps[0] == Step(0.0, 5.0, 5)
    assert found.steps[-1] == Step(100.0, 105.0, 1)
    assert sum(step.count for step in found.steps) == 101


def test_numbers_that_are_all_the_same_have_no_steps() -> None:
    assert facet(7, 7).steps == []


def test_dates_have_steps_of_the_finest_calendar_part_that_fits() -> None:
    days = facet("2024-05-01", "2024-05-01T12:00:00", "2024-05-03")
    assert days.kind is Kind.DATE
    assert [(step.start, step.count) for step in days.steps] == [
        ("2024-05-01", 2),
        ("2024-05-03", 1),
    ]
    years = facet(*(f"{2000 + n % 3}-{1 + n // 3 % 12:02}-{1 + n % 28:02}" for n in range(900)))
    assert [step.start for step in years.steps] == ["2000", "2001", "2002"]
    assert str(years.steps[0].start) <= "2000-12-31T23:59" < str(years.steps[0].end) < "2001"


def test_inner_fields_are_named_as_filters_name_them_and_lists_are_passed_over() -> None:
    metadata: dict[str, JSON] = {"camera": {"make": "X"}, "tags": ["a"], "none": None}
    assert [one.name for one in facets_of([(Modality.TEXT, metadata)]).fields] == ["camera.make"]


def test_nothing_has_no_facets() -> None:
    found = facets_of([])
    assert (found.items, found.fields) == (0, [])
