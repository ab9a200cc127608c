"""A program runs after the user's word for exactly this file, and the list of these is plain."""

import pickle

import pytest

from napari_slicewise.errors import ConsentNeededError, ModelError
from napari_slicewise.models import consent

ONE, OTHER = "a" * 64, "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def own_list(tmp_path, monkeypatch):
    place = tmp_path / "config" / "trusted_programs.txt"
    monkeypatch.setattr(consent, "trusted_file", lambda: place)
    return place


def test_nothing_is_trusted_at_first():
    assert consent.trusted_programs() == frozenset()
    assert not consent.is_trusted(ONE)


def test_trust_is_for_one_file_and_stays(own_list):
    consent.trust(ONE, "my model.pt")
    consent.trust(OTHER.upper())
    consent.trust(ONE)
    assert consent.trusted_programs() == {ONE, OTHER}
    assert own_list.read_text("utf-8").splitlines() == [f"{ONE} my model.pt", OTHER]


def test_a_deleted_line_takes_trust_back(own_list):
    consent.trust(ONE)
    own_list.write_text("", "utf-8")
    assert not consent.is_trusted(ONE)


@pytest.mark.parametrize("word", ["", "yes", "a" * 63, "g" * 64, "*"])
def test_what_is_no_hash_is_refused(word):
    with pytest.raises(ModelError, match="no SHA-256"):
        consent.trust(word)


def test_a_name_cannot_bring_another_line_into_the_list():
    consent.trust(ONE, f"model\n{OTHER}.pt")
    assert consent.trusted_programs() == {ONE}


def test_lines_that_are_no_hash_trust_nothing(own_list):
    own_list.parent.mkdir()
    own_list.write_text(f"# {ONE}\nall\n\n{OTHER}", "utf-8")
    assert consent.trusted_programs() == {OTHER}
    consent.trust(ONE)
    assert consent.trusted_programs() == {ONE, OTHER}


def test_the_error_goes_between_processes_with_what_it_asks_for(tmp_path):
    error = consent.ask_consent(tmp_path / "m.pt", ONE)
    there = pickle.loads(pickle.dumps(error))
    assert isinstance(there, ConsentNeededError)
    assert (there.sha256, there.path) == (ONE, str(tmp_path / "m.pt"))
    assert "could run any code" in there.message
    assert f"--trust-code {ONE}" in there.hint
