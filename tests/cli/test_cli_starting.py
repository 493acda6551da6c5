"""`mpwire lab init` and `mpwire lab schema`: a testbed to begin with."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlparse

import jsonschema
import pytest
from ruamel.yaml import YAML

from mpwire.lab import models

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
DOCS = Path(__file__).parents[2] / "docs"


def test_what_is_written_passes_and_names_its_schema(mpwire: Mpwire, tmp_path: Path) -> None:
    path = tmp_path / "meeting.yaml"
    done = mpwire("lab", "init", tmp_path / "meeting")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}: a testbed that runs as it is; next: mpwire run {path}\n"
    first, second, *_ = path.read_text("utf-8").splitlines()
    assert second.endswith("mpwire run meeting.yaml")
    named = re.fullmatch(r"# yaml-language-server: \$schema=(file:.*)", first)
    assert named is not None
    schema = json.loads(Path(unquote(urlparse(named[1]).path)).read_text("utf-8"))
    jsonschema.validate(YAML(typ="safe").load(path), schema)
    ran = mpwire("run", path, "--fabric", "sim", "--out", tmp_path / "runs", "--json")
    assert json.loads(ran.stdout)["verdict"] == "PASS"


def test_every_key_is_shown_even_if_commented_out(mpwire: Mpwire, tmp_path: Path) -> None:
    """Uncomment all: still a testbed, but for the script that says less than it might."""
    mpwire("lab", "init", tmp_path / "all.yml")
    text = (tmp_path / "all.yml").read_text("utf-8")
    keys = set(re.findall(r"^(?:# )?([a-z]+):", text, re.MULTILINE))
    assert keys == set(models.Testbed.model_fields) - {"requires"}
    routed = text.replace("hosts: [root, leaf1]\n", "")
    for start in ("networks:", "  north:", "  south:", "hosts:", "routers:", "faults:", "  - "):
        routed = routed.replace(f"# {start}", start)
    (tmp_path / "routed.yaml").write_text(routed, "utf-8")
    done = mpwire("lab", "show", tmp_path / "routed.yaml")
    assert done.returncode == 0, done.stderr
    assert "2 hosts, 2 networks, 1 router" in done.stdout


@pytest.mark.parametrize("name", ["taken", "taken.yaml", "nowhere/meeting"])
def test_no_file_is_overwritten(mpwire: Mpwire, tmp_path: Path, name: str) -> None:
    (tmp_path / "taken.yaml").write_text("mine", "utf-8")
    done = mpwire("lab", "init", tmp_path / name)
    assert done.returncode == 2
    found = "No such file or directory" if "/" in name else "found a file, which is left as it is"
    assert found in done.stderr
    assert (tmp_path / "taken.yaml").read_text("utf-8") == "mine"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_is_no_name_begins_nothing(mpwire: Mpwire, tmp_path: Path, name: str) -> None:
    done = mpwire("lab", "init", "--", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "expected the name of a testbed" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shown"), [("two words", "'two words.yaml'"), ("-x", "./-x.yaml")]
)
def test_the_next_command_can_be_copied(
    mpwire: Mpwire, tmp_path: Path, name: str, shown: str
) -> None:
    done = mpwire("lab", "init", "--", name, cwd=tmp_path)
    assert done.stdout.endswith(f"; next: mpwire run {shown}\n")


def test_programs_are_told_where_it_is(mpwire: Mpwire, tmp_path: Path) -> None:
    document = json.loads(mpwire("lab", "init", tmp_path / "x.yaml", "--json").stdout)
    jsonschema.validate(document, json.loads((DOCS / "cli-schema.json").read_text("utf-8")))
    assert document["testbed"] == str(tmp_path / "x.yaml")
    assert Path(document["schema"]).is_file()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_schema_is_printed_as_it_is_published(mpwire: Mpwire, options: tuple[str, ...]) -> None:
    published = json.loads((DOCS / "testbed-schema.json").read_text("utf-8"))
    assert json.loads(mpwire("lab", "schema", *options).stdout) == published
