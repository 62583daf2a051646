"""Layers that the user's code holds at other places in the model that it made again: under other attributes, or of a class with
another name. They are paired by what they hold, and compared as what they were."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from reloadgate.comparison import Outcome, Row
from reloadgate.evidence import Group, Kind, Observation
from reloadgate.rows import row_of, short

Places = Mapping[str, str]
"""Where a layer lay when the model was saved, by where it lies now: storage paths."""


def moved_layers(expected: Observation, seen: Observation) -> Places:
    """The layers whose weights have no counterpart by their storage path and have one, bit for bit, by what they are.

    None where any is left over on either side: then something is lost, and nobody knows what belongs to what.
    """
    before, after = _unpaired(expected, seen), _unpaired(seen, expected)
    places: dict[str, str] = {}
    for place, weights in before.items():
        here = next((other for other, theirs in after.items() if theirs == weights and other not in places), None)
        if here is None:
            return {}
        places[here] = place
    return places if len(places) == len(after) else {}


def _unpaired(side: Observation, other: Observation) -> dict[str, list[tuple[str, bool, str]]]:
    """By layer the weights that the other side has not: where in it, whether trained, and the digest of shape and bytes."""
    there = {variable.key for variable in other.variables}
    found: dict[str, list[tuple[str, bool, str]]] = {}
    for variable in side.variables:
        if variable.kind is Kind.WEIGHT and variable.key not in there:
            place, _, number = variable.key.rpartition("/vars/")
            found.setdefault(place, []).append((number, variable.trainable, variable.value.sha256))
    return found


def put_back(places: Places, expected: Observation, seen: Observation) -> Observation:
    """What was seen, with those layers at the places where they were.

    Digests of what goes where are over the places, and are taken to be the same.
    """
    wiring = {(graph.mode, graph.layer): graph.wiring for graph in expected.graphs}

    def at(key: str) -> str:
        prefix = "untracked/" if key.startswith("untracked/") else ""
        path = key.removeprefix(prefix)
        for place, before in places.items():
            if path == place or path.startswith((f"{place}/", f"{place}.")):
                return prefix + before + path[len(place) :]
        return key

    graphs = (replace(graph, layer=at(graph.layer)) for graph in seen.graphs)
    return replace(
        seen,
        variables=tuple(replace(one, key=at(one.key), also=tuple(map(at, one.also))) for one in seen.variables),
        assets=tuple(replace(one, key=at(one.key)) for one in seen.assets),
        graphs=tuple(replace(one, wiring=wiring.get((one.mode, one.layer), one.wiring)) for one in graphs),
        attributes=tuple(replace(one, key=at(one.key)) for one in seen.attributes),
        moved_attributes=tuple(map(at, seen.moved_attributes)),
    )


def moved_rows(places: Places) -> Iterator[Row]:
    """A row for each of these layers."""
    detail = (
        "the user's code holds this layer at another place: it is compared as the one that holds the same, bit for bit; which of "
        "its weights goes where in a graph is told by predictions and resumed steps alone"
    )
    for place, before in places.items():
        yield row_of(Group.STRUCTURE, before, Outcome.NOTED, expected=short(before), seen=short(place), detail=detail)
