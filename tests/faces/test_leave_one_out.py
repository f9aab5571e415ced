"""One tagger against the others: hand calculations, every vote left out one by one, and what must always hold."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fergap.faces.labels import label
from fergap.faces.leave_one_out import readings, single_votes
from fergap.faces.votes import VOTES


@pytest.fixture(scope="module")
def schemes(root):
    return yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))["faces"]["schemes"]


def counted(**votes):
    return pd.DataFrame([{v: votes.get(v, 0) for v in VOTES}])


def read(schemes, name, **votes):
    return readings(counted(**votes), name, schemes).iloc[0].tolist()


def test_a_vote_stands_for_its_emotion_or_for_what_ten_of_it_make(schemes):
    seven = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    found = dict(zip(VOTES, single_votes("emotion7", schemes).tolist(), strict=True))
    assert found == {v: seven.index(v) if v in seven else -2 for v in VOTES}
    found = dict(zip(VOTES, single_votes("engagement", schemes).tolist(), strict=True))
    assert found == dict.fromkeys(VOTES, -1) | {"anger": 0, "neutral": 1} | dict.fromkeys(
        ("contempt", "unknown", "NF"), -2
    )


@pytest.mark.parametrize(
    ("scheme", "votes", "expected"),
    [
        # 7 of 10 say happiness: whoever is left out, the others do; the one for unknown answers nothing
        ("emotion7", {"happiness": 7, "neutral": 2, "unknown": 1}, (0.9, 0.7, 1.0)),
        # all alike
        ("emotion7", {"fear": 10}, (1.0, 1.0, 1.0)),
        # 3 : 2, more than half of 5: without one of the three it is 2 : 2, a tie
        ("emotion7", {"anger": 3, "disgust": 2}, (0.4, 0.0, 0.4)),
        # contempt is none of the seven, but one of the eight
        ("emotion7", {"happiness": 8, "contempt": 2}, (0.8, 0.8, 1.0)),
        ("ferplus8", {"happiness": 8, "contempt": 2}, (1.0, 0.8, 1.0)),
        # angry needs 3 votes for anger: without one of three there are 2, and sadness is none or no mixture of bored
        ("engagement", {"anger": 3, "happiness": 7}, (0.7, 0.0, 0.7)),
        ("engagement", {"anger": 4, "happiness": 6}, (1.0, 0.4, 1.0)),
        # bored is a mixture, which no vote stands for; without the neutral one it is none
        ("engagement", {"sadness": 9, "neutral": 1}, (0.0, 0.0, 0.9)),
        # neutral by the third rule; without the one for sadness it is focused, which that vote is not
        ("engagement", {"neutral": 9, "sadness": 1}, (0.1, 0.0, 0.9)),
    ],
)
def test_a_hand_calculation(schemes, scheme, votes, expected):
    assert read(schemes, scheme, **votes) == pytest.approx(expected)


tallies = st.lists(st.integers(0, 4), min_size=10, max_size=10).filter(any)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(tallies, min_size=1, max_size=3), name=st.sampled_from(["emotion7", "ferplus8", "engagement"]))
def test_the_expectation_is_the_mean_over_every_vote_left_out(schemes, rows, name):
    votes = pd.DataFrame(rows, columns=list(VOTES), index=[f"f{i}" for i in range(len(rows))])
    found, stands = readings(votes, name, schemes), single_votes(name, schemes)
    assert (found["right"] <= found["answered"] + 1e-12).all()
    for face, tally in votes.iterrows():
        whole, said = label(votes.loc[[face]], name, schemes).code[0], []
        for vote in np.repeat(list(VOTES), tally.to_numpy()):
            others = tally.copy()
            others[vote] -= 1
            code = label(others.to_frame().T, name, schemes).code[0]
            own = stands[VOTES.index(vote)]
            asked = code >= 0 and code in stands and own != -2
            said.append((asked, asked and own == code, code == whole))
        assert found.loc[face].tolist() == pytest.approx(np.mean(said, axis=0).tolist())
