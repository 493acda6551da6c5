"""The commands, their options and their help."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import mpwire
from mpwire.cli.ending import Ended
from mpwire.cli.lab_commands import lab
from mpwire.cli.options import (
    AgentCommand,
    Agents,
    AllFrames,
    AnyFabric,
    Capture,
    Captures,
    Carrier,
    Checks,
    Count,
    EveryFault,
    Explain,
    Fabric,
    Faults,
    Frame,
    From,
    Html,
    Implementations,
    Jobs,
    Json,
    Junit,
    Listed,
    Merge,
    Out,
    Patience,
    Quiet,
    Roles,
    Rules,
    Sample,
    Save,
    Scale,
    Seed,
    Testbeds,
)
from mpwire.cli.output import Output, guarded
from mpwire.cli.status import Status
from mpwire.cli.usage import Commands

app = typer.Typer(
    name="mpwire",
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.add_typer(lab)


def conduct(arguments: Sequence[str]) -> int:
    """Carry out a command line and return its exit status; never raise."""
    try:
        app(args=list(arguments), prog_name="mpwire", standalone_mode=True)
    except Ended as ended:
        return ended.status
    except SystemExit as ended:
        # Typer ends with 1 where nobody reads the help to its end, which is no violation.
        kept = {int(status): status for status in (Status.USAGE, Status.INTERRUPTED)}
        return kept.get(ended.code, Status.PASS) if isinstance(ended.code, int) else Status.PASS
    return Status.PASS


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mpwire {mpwire.__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version_wanted: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Winsock 2 multipoint sessions on the wire, testable to the packet.

    \b
    Exit status:
      0  everything judged is right     4  this machine lacks something
      1  a violation was found          5  an endpoint does not support it
      2  wrong arguments or input     130  interrupted, results so far saved
      3  nothing is proved
    """


@app.command()
def run(
    testbeds: Testbeds = None,
    *,
    out: Out = Path("mpwire-runs"),
    fabric: AnyFabric = "auto",
    carrier: Carrier = None,
    agent: Agents = None,
    scale: Scale = None,
    seed: Seed = None,
    fault: Faults = None,
    every: EveryFault = None,
    jobs: Jobs = None,
    sample: Sample = None,
    listed: Listed = False,
    all_frames: AllFrames = False,
    junit: Junit = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run testbeds in network namespaces and judge what happened.

    TESTBED is a testbed file, or a folder of such; without one it is the quick tour, a session of
    a root and three leaves. Every run leaves DIR/NAME-N/run.pcapng, which holds everything about
    it; DIR/latest leads to the newest.

    \b
    Examples:
      mpwire run                                         the quick tour
      mpwire run testbeds --out /tmp/runs                all testbeds of a folder
      mpwire run --fault "drop 5 % of messages"          a lossy network
      mpwire run --every drop --fabric sim               each message lost in turn
      mpwire run --fabric all testbeds/*.yaml            the same on every fabric?
      mpwire run --agent leaf1="./my-agent --verbose"    another implementation on one host
      mpwire run --list testbeds                         what they show and exercise
      mpwire run --json | jq .verdict                    for programs
    """
    output = Output(json=json, quiet=quiet)

    def command() -> Status:
        if listed:
            from mpwire.cli.listing import list_testbeds  # noqa: PLC0415 - only what is needed

            asked = {"--agent": agent, "--fault": fault, "--every": every, "--junit": junit}
            return list_testbeds(output, testbeds or [], asked)
        from mpwire.cli.running import RunOptions  # noqa: PLC0415 - only what a command needs
        from mpwire.cli.running import run as run_testbeds  # noqa: PLC0415

        options = RunOptions(
            testbeds=testbeds or [],
            out=out,
            carrier=carrier,
            agents=agent or [],
            all_frames=all_frames,
            scale=scale,
            seed=seed,
            faults=fault or [],
            junit=junit,
            every=every,
            jobs=jobs,
            sample=sample,
            fabric="auto" if fabric == "all" else fabric,
            on_all=fabric == "all",
        )
        return run_testbeds(output, options)

    raise Ended(guarded(output, command))


@app.command()
def check(
    files: Captures = None,
    *,
    rules: Rules = False,
    explain: Explain = None,
    merge: Merge = False,
    save: Save = None,
    junit: Junit = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Judge captures and run files anew, from the file alone.

    FILE is a capture, the folder of a run, a folder of such, a glob, or - for standard input. A
    run file is judged in full. In captures of other programs (tcpdump, Wireshark) the rules of the
    wire are judged; what cannot be judged is said. Several files give a line each and the worst
    exit status.

    \b
    Examples:
      mpwire check mpwire-runs/latest          the newest run
      mpwire check captures/ 'more/*.pcap'     all captures there
      mpwire check --merge root.pcap leaf1.pcap@10.77.0.3    one session, seen at two hosts
      mpwire check --explain EV3               what a rule says
      tcpdump -w - udp port 61717 | mpwire check -
    """
    if save is not None and not merge:
        raise typer.BadParameter("goes with --merge", param_hint="--save")
    if not (files or rules or explain):
        raise typer.BadParameter("expected a capture, --rules or --explain RULE", param_hint="FILE")
    output = Output(json=json, quiet=quiet)

    def command() -> Status:
        if rules or explain:
            from mpwire.cli import rules as told  # noqa: PLC0415 - only what a command needs

            return told.explain(output, explain) if explain else told.list_rules(output)
        if merge:
            from mpwire.cli.merging import check_merged  # noqa: PLC0415

            return check_merged(output, files or [], save=save, junit=junit)
        from mpwire.cli.checking import check as check_files  # noqa: PLC0415

        return check_files(output, files or [], junit)

    raise Ended(guarded(output, command))


@app.command()
def show(
    file: Capture,
    *,
    frame: Frame = None,
    first: From = None,
    count: Count = None,
    all_frames: AllFrames = False,
    json: Json = False,
) -> None:
    """Show a capture as a ladder of frames and socket events.

    FILE is a capture, the folder of a run, or - for standard input. Lost frames are crossed, what
    breaks a rule is marked with it. Lines that begin with ── are steps of the script, with their
    line in the testbed file. Of more than 10,000 frames the first 1,000 are shown, unmarked.

    \b
    Examples:
      mpwire show mpwire-runs/latest
      mpwire show mpwire-runs/latest --frame 17
      mpwire show capture.pcap --from 5000 --count 200 | less
    """
    output = Output(json=json)

    def command() -> Status:
        from mpwire.cli.showing import show as show_file  # noqa: PLC0415 - only what is needed

        return show_file(output, file, all_frames=all_frames, frame=frame, first=first, count=count)

    raise Ended(guarded(output, command))


@app.command()
def agent() -> None:
    """Be the reference endpoint, driven by JSON Lines on standard input.

    Speaks the agent contract of docs/agents.md, one JSON object a line.

    \b
    Example:
      echo '{"id": 1, "call": "exit"}' | mpwire agent
    """
    from mpwire.io import agent as reference  # noqa: PLC0415 - only what a command needs

    reference.main()


@app.command()
def matrix(
    testbeds: Testbeds = None,
    *,
    agent: Implementations = None,
    role: Roles = None,
    out: Out = Path("mpwire-runs"),
    fabric: Fabric = "auto",
    scale: Scale = None,
    seed: Seed = None,
    jobs: Jobs = None,
    html: Html = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Put each implementation in each role of each testbed, and print the table.

    In a cell one implementation plays one role - root: whoever has a c_root socket, leaf: all
    others, or a host by its name - and all other hosts have the agents of the testbed. What an
    implementation lacks is UNSUPPORTED and fails nothing; the exit status is 5 only if that is all
    there is. The table is also a page, DIR/matrix.html. TESTBED may be a folder of testbeds.

    \b
    Examples:
      mpwire matrix testbeds --agent python='mpwire agent' \\
          --agent js='python -m mpwire.testing.peers.javascript'
      mpwire matrix testbeds/rooted-*.yaml --agent mine=./my-agent --role leaf --json
    """
    output = Output(json=json, quiet=quiet)

    def command() -> Status:
        from mpwire.cli.matrixing import MatrixOptions, run_matrix  # noqa: PLC0415 - only if needed

        options = MatrixOptions(
            testbeds=testbeds or [],
            out=out,
            agents=agent or [],
            roles=role or [],
            fabric=fabric,
            scale=scale,
            seed=seed,
            jobs=jobs,
            html=html,
        )
        return run_matrix(output, options)

    raise Ended(guarded(output, command))


@app.command(
    name="agent-check",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def agent_check(
    command: AgentCommand,
    *,
    checks: Checks = None,
    patience: Patience = 10.0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Check whether a program keeps the agent contract.

    COMMAND starts it, and stands behind all options. It is started anew for every check, talked to
    through its standard input and output, and opposed by the reference agent on loopback. A call
    that it lacks breaks nothing; what needs that call is UNSUPPORTED then.

    \b
    Examples:
      mpwire agent-check mpwire agent
      mpwire agent-check --json ./my-agent --verbose | jq .verdict
      mpwire agent-check --check barrier --check events python3 my_agent.py
    """
    output = Output(json=json, quiet=quiet)

    def carried_out() -> Status:
        from mpwire.cli.contracting import check_agent  # noqa: PLC0415 - only what is needed

        return check_agent(output, command, patience_s=patience, only=checks or [])

    raise Ended(guarded(output, carried_out))


@app.command()
def doctor(json: Json = False) -> None:
    """Say what this machine can do for labs, and how to enable the rest.

    \b
    Examples:
      mpwire doctor
      mpwire doctor --json | jq .labs
    """
    output = Output(json=json)

    def command() -> Status:
        from mpwire.cli.diagnosing import diagnose  # noqa: PLC0415 - only what a command needs
        from mpwire.lab.doctor import examine  # noqa: PLC0415

        return diagnose(output, examine())

    raise Ended(guarded(output, command))
