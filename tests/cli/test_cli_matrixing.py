"""`mpwire matrix`: whom each implementation plays, and what the command prints and leaves."""

import json
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import jsonschema
import pytest

from mpwire.capture import open_run
from mpwire.cli.matrixing import (
    MatrixOptions,
    hosts_of,
    names_of,
    parse_implementations,
    prepare,
)
from mpwire.errors import InputError
from mpwire.lab import testbed

Mpwire = Callable[..., subprocess.CompletedProcess[str]]
HOME = Path(__file__).parents[2]
SCHEMA = json.loads((HOME / "docs" / "cli-schema.json").read_text("utf-8"))
JS = "js=python -m mpwire.testing.peers.javascript"
MEETING = """\
about: a root and two leaves
hosts: [root, leaf1, leaf2]
timers: {scale: 0.05}
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
  - leaf1 closes L1
  - P1 sees FD_CLOSE
  - leaf2 opens L2 as c_leaf/d_leaf
"""
OPEN = """\
about: nobody is a root
hosts: [alice]
script:
  - alice opens A as c_leaf/d_leaf of protocol MPW_OPEN
"""


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    path = tmp_path / "meeting.yaml"
    path.write_text(MEETING, "utf-8")
    return path


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    path = tmp_path / "open.yaml"
    path.write_text(OPEN, "utf-8")
    return path


def test_who_plays_a_role_follows_from_the_script(meeting: Path, opened: Path) -> None:
    hosts = hosts_of(testbed.load(meeting))
    assert (hosts["root"], hosts["leaf"]) == (("root",), ("leaf1", "leaf2"))
    assert hosts["leaf2"] == ("leaf2",)
    assert hosts_of(testbed.load(opened)) == {"alice": ("alice",), "root": (), "leaf": ("alice",)}


def test_runs_that_would_be_the_same_are_made_once(meeting: Path, opened: Path) -> None:
    implementations = parse_implementations(["python=mpwire agent", JS])
    options = MatrixOptions(testbeds=[meeting, opened], out=Path("x"))
    labs, matrix = prepare(options, implementations)
    cells = [(cell.testbed, cell.implementation, cell.role) for cell in matrix.cells]
    assert cells == [
        ("meeting", "python", "root"),
        ("meeting", "python", "leaf"),
        ("meeting", "js", "root"),
        ("meeting", "js", "leaf"),
        ("open", "python", "leaf"),
        ("open", "js", "leaf"),
    ]
    assert [len(lab.cells) for lab in labs] == [2, 1, 1, 1, 1]
    assert matrix.columns == [
        ("python", "root"),
        ("python", "leaf"),
        ("js", "root"),
        ("js", "leaf"),
    ]


def test_a_role_may_be_a_host(meeting: Path, opened: Path) -> None:
    implementations = parse_implementations([JS])
    options = MatrixOptions(testbeds=[meeting, opened], out=Path("x"), roles=["leaf2", "root"])
    _, matrix = prepare(options, implementations)
    assert [(cell.role, cell.hosts) for cell in matrix.cells] == [
        ("leaf2", ("leaf2",)),
        ("root", ("root",)),
    ]
    with pytest.raises(InputError, match="found nobody in the roles leaf9"):
        prepare(MatrixOptions([meeting], Path("x"), roles=["leaf9"]), implementations)


def test_testbeds_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [Path("a/bed.yaml"), Path("a/other.yaml"), Path("b/bed.yaml"), Path("a/bed.yaml")]
    assert names_of(paths) == {
        Path("a/bed.yaml"): "a/bed.yaml",
        Path("a/other.yaml"): "other",
        Path("b/bed.yaml"): "b/bed.yaml",
    }
    for name, text in (("a", MEETING), ("b", OPEN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bed.yaml").write_text(text, "utf-8")
    beds = [tmp_path / "a" / "bed.yaml", tmp_path / "b" / "bed.yaml"]
    _, matrix = prepare(MatrixOptions(beds, Path("x")), parse_implementations([JS]))
    assert [(cell.testbed, cell.role) for cell in matrix.cells] == [
        (str(beds[0]), "root"),
        (str(beds[0]), "leaf"),
        (str(beds[1]), "leaf"),
    ]
    assert matrix.cell(str(beds[1]), "js", "leaf") is matrix.cells[2]


@pytest.mark.usefixtures("opened")
def test_the_testbeds_of_a_folder_have_a_row_each(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    options = ("--fabric", "sim", "--role", "leaf", "--out", tmp_path / "o", "--json")
    done = mpwire("matrix", meeting.parent, *options)
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert document["testbeds"] == ["meeting", "open"]
    (tmp_path / "none").mkdir()
    nothing = mpwire("matrix", tmp_path / "none", *options)
    assert nothing.returncode == 2
    assert "found no testbeds there, expected *.yaml" in nothing.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["mpwire agent"], "expected NAME=COMMAND"),
        (["a b=mpwire agent"], "expected NAME=COMMAND"),
        (["x= "], "expected"),
        (["x=mpwire agent", "x=y"], "found a second one"),
    ],
)
def test_what_is_no_implementation_is_told(options: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_implementations(options)


def test_without_any_it_is_the_reference_that_is_looked_at() -> None:
    assert parse_implementations([]) == {"mpwire": ("mpwire", "agent")}


def test_all_mistakes_are_told_before_anything_is_started(
    mpwire: Mpwire, tmp_path: Path, meeting: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("hosts: [a]\n", "utf-8")
    done = mpwire("matrix", tmp_path / "bad.yaml", meeting, "--agent", "x=no-such-program")
    assert done.returncode == 2
    assert "bad.yaml:1:1" in done.stderr
    assert "found no program 'no-such-program'" in done.stderr
    assert done.stdout == ""


def test_a_page_without_a_place_is_told_before_anything_is_started(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("", "utf-8")
    for page in (taken / "page.html", tmp_path):
        done = mpwire("matrix", meeting, "--html", page, "--out", tmp_path / "o")
        assert done.returncode == 2
        assert "write" in done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.lab
def test_two_implementations_in_two_roles(mpwire: Mpwire, meeting: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = mpwire(
        *("matrix", meeting, "--agent", "python=mpwire agent", "--agent", JS, "--json"),
        *("--out", out, "--fabric", "sim", "--jobs", 2),
    )
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert (done.returncode, document["verdict"]) == (0, "PASS")
    found = {
        (cell["implementation"], cell["role"]): (cell["verdict"], cell["fabric"])
        for cell in document["cells"]
    }
    assert found == {
        ("python", "root"): ("PASS", "sim"),
        ("python", "leaf"): ("PASS", "sim"),
        ("js", "root"): ("UNSUPPORTED", "switch"),
        ("js", "leaf"): ("PASS", "switch"),
    }
    for cell in document["cells"]:
        run = open_run(cell["run_file"])
        assert run.run is not None
        assert run.run.command[1:3] == ["run", str(meeting)]
    page = (out / "matrix.html").read_text("utf-8")
    assert document["page"] == str(out / "matrix.html")
    assert 'href="meeting-1/"' in page
    assert (out / "meeting-1").is_dir()


@pytest.mark.lab
def test_the_table_and_the_status_of_what_nobody_supports(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    page = tmp_path / "pages" / "page.html"
    done = mpwire(
        *("matrix", meeting, "--agent", JS, "--role", "root", "--out", tmp_path / "out"),
        *("--html", page, "-q"),
    )
    assert done.returncode == 5, done.stderr
    assert "– UNSUPPORTED" in done.stdout
    assert "– meeting  root = js  unsupported: socket: flags C_ROOT, D_ROOT by root" in done.stdout
    assert done.stdout.endswith(f"js  1 UNSUPPORTED\npage  {page}\n")
    assert page.is_file()


def test_an_agent_that_breaks_a_rule_fails_its_cell(
    mpwire: Mpwire, meeting: Path, tmp_path: Path
) -> None:
    done = mpwire(
        *(
            "matrix",
            meeting,
            "--agent",
            "bad=python -m mpwire.testing.broken close-not-acknowledged",
        ),
        *("--role", "root", "--json", "--out", tmp_path / "out"),
    )
    document = json.loads(done.stdout)
    assert done.returncode == 1
    (cell,) = document["cells"]
    assert cell["verdict"] == "FAIL"
    assert "R56" in cell["broken"]
    assert cell["reason"].startswith("R")


@pytest.mark.lab
def test_an_interrupt_keeps_what_was_run(
    argv: Sequence[str], environment: dict[str, str], meeting: Path, tmp_path: Path
) -> None:
    beds = []
    for number in range(6):
        beds.append(tmp_path / f"bed{number}.yaml")
        beds[-1].write_text(meeting.read_text("utf-8"), "utf-8")
    command = [*argv, "matrix", *map(str, beds), "--agent", JS, "--role", "leaf"]
    with subprocess.Popen(
        [*command, "--jobs", "1", "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert "PASS         bed0  leaf = js" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "not run" in rest
    page = (tmp_path / "out" / "matrix.html").read_text("utf-8")
    assert "not run" in page
    assert 'href="bed0-1/"' in page
