"""The `mpwire` command.

In reading order:
    app         the commands, their options and their help
    running     run: testbeds in labs, watched live, judged at the end
    watching    the live view
    agents      --agent: which program plays which host
    checking    check: captures and run files judged anew
    files       the captures that an argument stands for
    showing     show: a capture as a ladder, or one frame octet by octet
    rules       check --rules and --explain
    matrixing   matrix: roles, implementations and testbeds, one lab for each
    contracting agent-check: whether a program keeps the agent contract
    diagnosing  doctor
    usage       what is said of mistakes in a command line
    output      standard output, whoever reads it
    status      exit statuses

`mpwire agent` starts in every lab on every host, so it is dispatched before anything that only
people need is imported.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process and exit with its status."""
    try:
        sys.exit(_agent() if sys.argv[1:] == ["agent"] else _command())
    except KeyboardInterrupt:
        sys.exit(130)


def _agent() -> int:
    from mpwire.io import agent  # noqa: PLC0415 - the only import this command needs

    try:
        agent.main()
    except BrokenPipeError:
        return 0  # the harness has gone, and that is how it says goodbye
    return 0


def _command() -> int:
    from mpwire.cli import app  # noqa: PLC0415 - not for agents, which start by the thousand

    return app.conduct(sys.argv[1:])
