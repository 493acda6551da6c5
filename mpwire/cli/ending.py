"""How a command tells its status past everything that prints or catches errors on the way."""

from mpwire.cli.status import Status


class Ended(BaseException):
    """A command has ended; no error, so that nothing on the way takes it for one."""

    def __init__(self, status: Status) -> None:
        """Keep the status."""
        super().__init__(status)
        self.status = status
