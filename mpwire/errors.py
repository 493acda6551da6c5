"""The roots of every error mpwire raises on purpose."""


class MpwireError(Exception):
    """Stand above every error that mpwire raises on purpose."""


class LocalProtocolError(MpwireError):
    """Our own caller asked for something the protocol forbids."""


class RemoteProtocolError(MpwireError):
    """The peer sent something the protocol forbids."""


class InputError(MpwireError):
    """A file or an argument is wrong; says where, what was found and what was expected.

    Commands turn it into exit status 2.
    """


class MachineError(MpwireError):
    """This machine lacks something; says what and names the remedy.

    Commands turn it into exit status 4.
    """


class BrokenRunError(MachineError):
    """A run cannot be carried on, or not be recorded any more: the disk is full, a daemon refuses.

    It had begun, so nothing else is tried in its place.
    """
