"""`mpwire lab`: a testbed's topology as text and as data."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "cli-schema.json").read_text("utf-8"))
ROUTED = """about: Two LANs.
networks:
  north: {family: both}
  south: {family: inet, mtu: 1280}
hosts: {root: north, leaf1: south}
routers: {edge: [north, south]}
script: [everything settles]
"""
DRAWN = """routed  2 hosts, 2 networks, 1 router
Two LANs.

north  10.77.0.0/24  fd77::/64  MTU 1500
├─ root           10.77.0.2  fd77::2
├─ edge ─► south  10.77.0.1  fd77::1

south  10.77.1.0/24  MTU 1280
├─ leaf1          10.77.1.2
├─ edge ─► north  10.77.1.1

routes
├─ root ─► 10.77.1.0/24  via edge (10.77.0.1)
├─ leaf1 ─► 10.77.0.0/24  via edge (10.77.1.1)
"""


def test_a_topology_is_drawn(mpwire: Mpwire, tmp_path: Path) -> None:
    (tmp_path / "routed.yaml").write_text(ROUTED, "utf-8")
    done = mpwire("lab", "show", tmp_path / "routed.yaml", PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout == DRAWN
    document = json.loads(mpwire("lab", "show", tmp_path / "routed.yaml", "--json").stdout)
    jsonschema.validate(document, SCHEMA)
    assert [one["name"] for one in document["topology"]["routers"]] == ["edge"]


def test_one_network_needs_no_routes(mpwire: Mpwire, tmp_path: Path) -> None:
    text = "about: x\nhosts: [a]\nscript: [everything settles]\n"
    (tmp_path / "small.yaml").write_text(text, "utf-8")
    done = mpwire("lab", "show", tmp_path / "small.yaml", PYTHONIOENCODING="utf-8")
    assert done.stdout.splitlines()[1:] == [
        "x",
        "",
        "lan  10.77.0.0/24  MTU 1500",
        "├─ a  10.77.0.2",
    ]


def test_a_testbed_with_mistakes_is_told(mpwire: Mpwire, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(ROUTED.replace("leaf1: south", "leaf1: sooth"), "utf-8")
    done = mpwire("lab", "show", tmp_path / "bad.yaml")
    assert done.returncode == 2
    assert "bad.yaml:5:29: found 'sooth', expected a network (north or south)" in done.stderr
