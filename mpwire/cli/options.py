"""The options and arguments of the commands, each written once."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def _factor(wanted: float | None) -> float | None:
    if wanted is not None and not 0.001 <= wanted <= 4:  # which no NaN is, either
        raise typer.BadParameter(f"expected a factor from 0.001 to 4, found {wanted:g}")
    return wanted


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.")]
AllFrames = Annotated[
    bool, typer.Option("--all-frames", help="Show echoes, ARP and the like in the ladder, too.")
]
Carrier = Annotated[
    Literal["tap", "veth"] | None,
    typer.Option("--carrier", help="How hosts are attached; what works, if not given."),
]
Agents = Annotated[
    list[str] | None,
    typer.Option(
        "--agent",
        metavar="[HOST=]COMMAND",
        help="Put this program under test, on one host or on all. May be repeated.",
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        "--scale",
        metavar="FACTOR",
        callback=_factor,
        help="Multiply timers by this, 0.001 to 4, in place of the testbeds' own scale.",
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write a JUnit XML report for CI servers."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", min=0, help="Draw all that is random from this, not the testbeds'."
    ),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="SENTENCE",
        help="Add a fault, such as 'drop the first ACCEPT'. May be repeated.",
    ),
]

Fabric = Annotated[
    Literal["auto", "switch", "sim", "bridge"],
    typer.Option(
        "--fabric",
        help="switch: network namespaces; bridge: the same on a bridge of the kernel; sim: virtual"
        " time in one process; auto: switch or sim, what works.",
    ),
]
AnyFabric = Annotated[
    Literal["auto", "switch", "sim", "bridge", "all"],
    typer.Option(
        "--fabric",
        help="switch: network namespaces; bridge: the same on a bridge of the kernel; sim: virtual"
        " time in one process; auto: switch or sim, what works; all: each, and compared.",
    ),
]
Listed = Annotated[
    bool,
    typer.Option(
        "--list",
        help="Tell what testbeds show and exercise, instead of running them; a folder is a testbed"
        " each, none named: testbeds/ here.",
    ),
]
EveryFault = Annotated[
    Literal["drop", "drop-pair", "dup", "reorder", "kill-after"] | None,
    typer.Option("--every", help="Run once for every message, with this fault aimed at it."),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", min=1, help="Labs at a time, where many."),
]
Sample = Annotated[
    int | None,
    typer.Option("--sample", metavar="N", min=1, help="Draw N cases of --every with the seed."),
]

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of run folders.")]
Testbeds = Annotated[list[Path] | None, typer.Argument(metavar="TESTBED", hidden=True)]
Captures = Annotated[list[str] | None, typer.Argument(metavar="FILE", hidden=True)]
Capture = Annotated[str, typer.Argument(metavar="FILE", hidden=True)]
Frame = Annotated[
    int | None, typer.Option("--frame", metavar="N", help="One frame, octet by octet.")
]
From = Annotated[
    int | None, typer.Option("--from", metavar="N", min=1, help="Show frames from this one on.")
]
Count = Annotated[
    int | None, typer.Option("--count", metavar="N", min=1, help="Show so many frames.")
]
Rules = Annotated[bool, typer.Option("--rules", help="List all rules.")]
Explain = Annotated[str | None, typer.Option("--explain", metavar="RULE", help="Tell one rule.")]
Merge = Annotated[
    bool, typer.Option("--merge", help="Judge captures of one session, taken at several places.")
]
Save = Annotated[
    Path | None, typer.Option("--save", metavar="FILE", help="Keep what --merge has merged.")
]
Implementations = Annotated[
    list[str] | None,
    typer.Option(
        "--agent",
        metavar="NAME=COMMAND",
        help="An implementation, with a name of your choice. May be repeated.",
    ),
]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="root, leaf or a host, instead of root and leaf."),
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Where to write the page.")
]
Checks = Annotated[
    list[str] | None,
    typer.Option("--check", metavar="NAME", help="Only this check. May be repeated."),
]
Patience = Annotated[
    float, typer.Option("--patience", metavar="S", min=0.1, help="Seconds an answer may take.")
]
AgentCommand = Annotated[list[str], typer.Argument(metavar="COMMAND...", hidden=True)]
