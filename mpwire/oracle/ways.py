"""Joins that no packet follows, because their host has no way to where they were to go (W37).

No packet shows that a way is missing. So an endpoint that says so is believed, unless the run
shows that it had one: the address is on a network of its host, which never lost anything before.
"""

from ipaddress import ip_address, ip_interface

from mpwire.oracle.bind import Join
from mpwire.oracle.case import Case
from mpwire.oracle.sockets import endpoint_of
from mpwire.vocabulary import WsaError


def is_without_way(case: Case, join: Join) -> bool:
    """Tell whether a join sent nothing, and its FD_CONNECT may say WSAENETUNREACH instead.

    A socket that is told of its events has to be told of this one, too.
    """
    if join.attempt is not None or not join.call.ok or _way_is_known(case, join):
        return False
    nominated = join.socket.nominated("FD_CONNECT", join.call.asked)
    if nominated is None or not nominated[1]:
        return True
    return any(
        (one.socket, one.event, one.code)
        == (join.socket.descriptor, "FD_CONNECT", WsaError.WSAENETUNREACH)
        for one in case.logs[join.call.host].reports
        if one.position > join.call.asked
    )


def _way_is_known(case: Case, join: Join) -> bool:
    """Tell whether the target is a neighbour, and nothing was done to its host's interface."""
    target = endpoint_of(join.call.args.get("address"))
    run = case.trace.run.run
    if target is None or run is None:
        return False
    host = join.call.host
    try:
        address = ip_address(target[0])
    except ValueError:
        return True  # which is no address, to which none is missing
    changed = any(name == host and at < join.call.answered for name, at in case.trace.changes)
    networks = [
        ip_interface(a).network for one in run.hosts if one.name == host for a in one.addresses
    ]
    return not changed and any(address in network for network in networks)
