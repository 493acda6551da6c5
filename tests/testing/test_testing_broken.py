"""Broken endpoints cannot rot: each patch takes hold of something, and is meant for some rule."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpwire.lab import testbed
from mpwire.oracle.registry import RULES
from mpwire.testing.broken import PATCHES, THEMES, restore
from mpwire.testing.broken.exempt import EXEMPT
from mpwire.testing.broken.patches import Patch, patch, put, put_item
from mpwire.testing.broken.playing import text_of
from mpwire.testing.broken.scenes import SCENES


@pytest.fixture(autouse=True)
def mended() -> Iterator[None]:
    """Take back what a test has broken."""
    yield
    restore()


def test_there_are_many() -> None:
    assert len(PATCHES) >= 60
    assert len({theme.__name__ for theme in THEMES}) == len(THEMES)


@pytest.mark.parametrize("one", PATCHES.values(), ids=lambda one: one.name)
def test_every_patch_takes_hold(one: Patch) -> None:
    one.apply()
    assert restore() > 0


@pytest.mark.parametrize("one", PATCHES.values(), ids=lambda one: one.name)
def test_every_patch_says_what_it_is_for(one: Patch, tmp_path: Path) -> None:
    assert one.about.endswith(".")
    assert "\n" not in one.about
    assert one.rule in RULES
    plan = testbed.parse(text_of(one.scene), tmp_path / "scene.yaml", {})
    assert set(one.host.split()) <= {host.name for host in plan.hosts}


def test_every_rule_has_somebody_who_breaks_it() -> None:
    """What no endpoint can break is said to be so, and nothing else is."""
    assert {one.rule for one in PATCHES.values()} | set(EXEMPT) == set(RULES)
    assert not {one.rule for one in PATCHES.values()} & set(EXEMPT)
    assert all(reason.endswith(".") for reason in EXEMPT.values())


def test_every_scene_is_played() -> None:
    assert set(SCENES) <= {one.scene for one in PATCHES.values()}


def test_a_scene_that_is_nowhere() -> None:
    with pytest.raises(KeyError, match="no scene is called atlantis"):
        text_of("atlantis")


def test_two_patches_of_one_name() -> None:
    def tag_of_zero() -> None:
        """Do nothing."""

    with pytest.raises(ValueError, match="two patches are called tag-of-zero"):
        patch("R19", "rooted-lan", "root")(tag_of_zero)


class Product:
    """Something that can be patched."""

    word = "right"


class Heir(Product):
    """Something that has inherited what can be patched."""


def test_what_is_put_is_taken_back() -> None:
    table = {"word": "right"}
    put(Product, "word", "wrong")
    put(Heir, "word", "worse")
    put_item(table, "word", "wrong")
    assert (Product.word, Heir.word, table["word"]) == ("wrong", "worse", "wrong")
    assert restore() == 3
    assert (Product.word, Heir.word, table["word"]) == ("right", "right", "right")
    assert "word" not in vars(Heir)


def test_nothing_is_put_where_nothing_was() -> None:
    with pytest.raises(AttributeError):
        put(Product, "absent", 1)
    with pytest.raises(KeyError):
        put_item({}, "absent", 1)
    assert restore() == 0


def test_the_command_names_its_patches() -> None:
    command = [sys.executable, "-m", "mpwire.testing.broken", "no-such-patch"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "usage: python -m mpwire.testing.broken NAME..." in said.stderr
    assert all(one.name in said.stderr for one in PATCHES.values())


def test_a_broken_endpoint_speaks_the_contract() -> None:
    command = [sys.executable, "-m", "mpwire.testing.broken", "tag-of-zero"]
    said = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    assert said.stdout.startswith('{"hello":')
