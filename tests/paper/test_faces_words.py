"""The paper's words about where faces and people come from: one for everything that the configuration offers."""

from pathlib import Path

import pytest
import yaml

from fergap.faces.locations import LOCATIONS
from fergap.paper import methods, planting
from fergap.study import SEVERAL, all_drawn

FACES = {"source": "ferplus"}
FAIRFACE = {"weights": "fairface.pt", "sha256": "0123456789abcdef" * 4}


@pytest.fixture(scope="module")
def schema(root: Path) -> dict:
    return yaml.safe_load((root / "schemas" / "config.schema.yaml").read_text(encoding="utf-8"))["properties"]


def test_every_source_of_faces_has_words_and_a_place(schema: dict) -> None:
    offered = set(schema["faces"]["properties"]["source"]["enum"])
    assert offered | {SEVERAL} == set(LOCATIONS)
    assert offered == set(methods.SOURCES)
    among = set(schema["faces"]["properties"]["sources"]["items"]["properties"]["source"]["enum"])
    assert among == offered - {"none"}


def test_every_publication_named_is_in_the_references(root: Path) -> None:
    known = (root / "report" / "references.bib").read_text(encoding="utf-8")
    guessed = methods.people(
        {"faces": FACES, "people": {"sources": [{"deepface": "faces.json"}, {"fairface": FAIRFACE}]}}
    )
    for words in [*methods.SOURCES.values(), guessed]:
        for key in [part.split("]")[0] for part in words.split("[@")[1:]]:
            assert f"{{{key}," in known, key


def test_every_source_of_people_has_words(schema: dict) -> None:
    offered = schema["people"]["properties"]["sources"]["items"]["anyOf"][0]["enum"]
    assert set(offered) == set(methods.PEOPLE)


@pytest.mark.parametrize(
    ("straddling", "words"), [({}, "counts as open"), ({"straddling": "spread"}, "share of the bin’s years")]
)
def test_models_are_told_with_their_weights_and_what_becomes_of_bins(straddling: dict, words: str) -> None:
    study = {"faces": FACES, "people": {"sources": [{"fairface": FAIRFACE | straddling}, {"deepface": "faces.json"}]}}
    told = methods.people(study)
    assert words in told
    assert "SHA-256 0123456789ab…" in told
    assert told.index("FairFace") < told.index("DeepFace [@serengil2021] (file faces.json)")
    assert methods.guesses(study)
    assert not methods.guesses({"people": {"sources": ["owners", {"table": "people.csv"}]}})


def test_several_sources_are_told_one_by_one() -> None:
    faces = {"source": SEVERAL, "sources": [{"source": "rafdb", "name": "web"}, {"source": "drawn"}]}
    faces |= {"labels": "a", "schemes": {"a": {}, "b": {}, "c": {}}, "drawn": {"count": 5}}
    words = methods.source({"faces": faces})
    assert "two sources" in words
    assert words.index("web") < words.index("@li2017") < words.index("drawn")
    assert list(methods.used_faces(faces)["schemes"]) == ["a"]
    assert "drawn" in methods.used_faces(faces)
    faces["sources"][1] = {"source": "fer2013", "labels": "b"}
    assert list(methods.used_faces(faces)["schemes"]) == ["a", "b"]
    assert "drawn" not in methods.used_faces(faces)


def test_drawn_sources_are_told_with_their_own_truths(schema: dict) -> None:
    offered = schema["faces"]["properties"]["drawn"]["properties"]
    assert set(planting.SETTINGS) == set(offered)
    common = {key: rules["default"] for key, rules in offered.items()}
    own = {"children": 0.3, "blur": 0.5, "brightness": -0.1, "label_noise": 0.2, "stereotype": 0.4}
    sources = [{"source": "drawn"}, {"name": "street", "source": "drawn", "drawn": own}]
    study = {"faces": {"source": SEVERAL, "sources": sources, "drawn": common}}
    assert planting.truths(study) == {"drawn": common, "street": common | own}
    assert all_drawn(study["faces"])
    plain, street = planting.planted(study)
    assert plain.startswith("**drawn.**")
    assert "manner of their own: blurred" not in plain
    for words in (
        "30 % of the faces are children",
        "blurred by 0.5 pixels and darker by 10 %",
        "20 % of the faces see",
    ):
        assert words in street.replace("\N{NO-BREAK SPACE}", " "), words
    assert "40" in street
    assert methods.source(study).count("parametric generator") == 1
    study["faces"]["sources"].append({"source": "rafdb"})
    assert not all_drawn(study["faces"])
    assert list(planting.truths(study)) == ["drawn", "street"]
    assert len(planting.planted({"faces": {"source": "drawn", "drawn": common}})) == 1
