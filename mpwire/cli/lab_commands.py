"""The commands of `mpwire lab`, their options and their help."""

from pathlib import Path
from typing import Annotated

import typer

from mpwire.cli.ending import Ended
from mpwire.cli.options import Json
from mpwire.cli.output import Output, guarded
from mpwire.cli.status import Status

lab = typer.Typer(name="lab", no_args_is_help=True, help="Begin testbeds, and look at them.")


@lab.command("init")
def lab_init(
    name: Annotated[Path, typer.Argument(metavar="NAME", hidden=True)],
    json: Json = False,
) -> None:
    """Write a commented testbed that runs as it is, to be changed from there.

    Makes NAME.yaml, and never overwrites a file. Its first line names the JSON Schema by which
    editors complete and check.

    \b
    Example:
      mpwire lab init meeting && mpwire run meeting.yaml
    """
    output = Output(json=json)

    def command() -> Status:
        from mpwire.cli.starting import init  # noqa: PLC0415 - only what a command needs

        return init(output, name)

    raise Ended(guarded(output, command))


@lab.command("schema")
def lab_schema(_json: Annotated[bool, typer.Option("--json", hidden=True)] = False) -> None:
    """Print the JSON Schema of testbeds, for editors.

    \b
    Example:
      mpwire lab schema > testbed-schema.json
    """
    output = Output(json=True)

    def command() -> Status:
        from mpwire.cli.starting import schema  # noqa: PLC0415 - only what a command needs

        return schema(output)

    raise Ended(guarded(output, command))


@lab.command("show")
def lab_show(
    testbed: Annotated[Path, typer.Argument(metavar="TESTBED", hidden=True)],
    json: Json = False,
) -> None:
    """Draw the networks, hosts, routers and routes of a testbed.

    \b
    Example:
      mpwire lab show testbeds/rooted-lan.yaml
    """
    output = Output(json=json)

    def command() -> Status:
        from mpwire.cli.lab import show as show_topology  # noqa: PLC0415 - only what is needed

        return show_topology(output, testbed)

    raise Ended(guarded(output, command))
