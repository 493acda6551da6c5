"""Carry out the steps of a script: one function per kind of step.

A function returns when what its sentence claims is true, and raises `StepFailed` with what was
expected and what was seen when it is not. Nothing here judges more than the sentence says; the
rest is the oracle's.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from mpwire.lab import controlling, controls, mishaps, ordinary, records, steps
from mpwire.lab.calling import address_of, calling, new_descriptor
from mpwire.lab.comparing import compare, octets_shown
from mpwire.lab.links import Decision, Refused
from mpwire.lab.reach import Severing
from mpwire.lab.stage import ANSWER_PATIENCE_S, SocketView, Stage, StepFailed, name, said
from mpwire.lab.steps import AnyExpectation, AnyStep, Sight
from mpwire.vocabulary import WsaError


async def perform(stage: Stage, step: AnyStep | AnyExpectation) -> None:
    """Make one step happen.

    Raises:
        StepFailed: what it claims is not so.
        Unsupported: the agent lacks a call it needs.
        AgentFault: an agent died, fell silent or broke the contract.
    """
    if isinstance(step, Severing):
        stage.reach.perform(step)
        return
    if isinstance(step, controls.AnyControl):
        await controlling.perform(stage, step)
        return
    match step:
        case steps.Settle():
            await stage.settle()
        case mishaps.Crash() | mishaps.Freeze() | mishaps.Thaw() | mishaps.Restart():
            await _befall(stage, step)
        case steps.Open():
            await _open(stage, step)
        case steps.Duplicate():
            await ordinary.duplicate(stage, step)
        case steps.Connect():
            await ordinary.connect(stage, step)
        case steps.Find():
            await ordinary.find(stage, step)
        case steps.Invite():
            await _invite(stage, step)
        case steps.Join():
            await _join(stage, step)
        case steps.JoinEnds():
            await _join_ends(stage, step)
        case steps.Accept():
            await _accept(stage, step)
        case steps.Reject() | steps.Defer():
            await _decide(stage, step)
        case steps.Receive():
            await _receive(stage, step)
        case steps.Take():
            await _take(stage, step)
        case steps.Enumerate():
            await records.enumerate_events(stage, step)
        case steps.See():
            await _see(stage, step)
        case steps.Saw():
            await _saw(stage, step)
        case _:
            await _simple(stage, step)


async def _befall(
    stage: Stage, step: mishaps.Crash | mishaps.Freeze | mishaps.Thaw | mishaps.Restart
) -> None:
    """Do something to the process of a host's agent."""
    match step:
        case mishaps.Crash():
            await stage.crash(step.host)
        case mishaps.Freeze():
            stage.freeze(step.host)
        case mishaps.Thaw():
            stage.thaw(step.host)
        case mishaps.Restart():
            await stage.restart(step.host)


_Simple = (
    steps.Select
    | steps.Listen
    | steps.Failure
    | steps.Loopback
    | steps.Scope
    | steps.CalleeData
    | steps.Send
    | steps.Shutdown
    | steps.Part
    | steps.PartingWords
    | steps.Linger
    | steps.Close
)


async def _simple(stage: Stage, step: _Simple) -> None:
    """Make the one call that a step stands for."""
    view = stage.sockets[step.socket]
    match step:
        case steps.Select():
            await _select(stage, view, step.events, reported=not step.without_reports)
        case steps.Listen():
            await calling(stage, view, "listen", {"backlog": step.backlog}, step.error)
        case steps.Failure():
            await _read_error(stage, view, step.error)
        case steps.Loopback():
            setting = {"code": "SIO_MULTIPOINT_LOOPBACK", "value": not step.off}
            await calling(stage, view, "ioctl", setting, step.error)
        case steps.Scope():
            setting = {"code": "SIO_MULTICAST_SCOPE", "value": step.scope}
            await calling(stage, view, "ioctl", setting, step.error)
        case steps.CalleeData():
            result = await calling(stage, view, "callee_data", {}, None)
            compare("callee data", step.data, result.get("callee_data"))
        case steps.Send():
            mark = {"private": True} if step.in_private else {}
            arguments = {"data": step.data.hex(), **mark}
            result = await calling(stage, view, "send", arguments, step.error)
            if step.error is None and result.get("octets") != len(step.data):
                seen = result.get("octets")
                raise StepFailed(f"expected {len(step.data)} octets sent, seen {seen!r}")
        case steps.Shutdown():
            await calling(stage, view, "shutdown", {"how": step.how}, step.error)
        case steps.Part():
            arguments = {"data": step.data.hex()}
            await calling(stage, view, "send_disconnect", arguments, step.error)
        case steps.PartingWords():
            result = await calling(stage, view, "recv_disconnect", {}, step.error)
            if step.error is None:
                compare("parting words", step.data, result.get("data"))
        case steps.Linger():
            await calling(stage, view, "set_linger", {"seconds": step.seconds}, step.error)
        case steps.Close():
            await calling(stage, view, "close", {}, step.error)
        case _:
            assert_never(step)


async def _read_error(stage: Stage, view: SocketView, error: str) -> None:
    result = await calling(stage, view, "getsockopt", {"option": "SO_ERROR"}, None)
    seen = result.get("value")
    if seen != WsaError[error]:
        known = seen in [*WsaError]
        told = WsaError(seen).name if known and isinstance(seen, int) else f"{seen!r}"
        raise StepFailed(f"expected {error} as error of {view.name}, seen {told}")


async def _open(stage: Stage, step: steps.Open) -> None:
    family = step.family or stage.hosts[step.host].families[0]
    address = (stage.address(step.host, family), step.port)
    arguments: dict[str, object] = {"flags": step.flags(), "family": family}
    if step.protocol != "MPW_ROOTED":
        arguments["protocol"] = step.protocol
    link = stage.running(step.host)
    try:
        made = await link.call("socket", arguments, ANSWER_PATIENCE_S)
    except Refused as refused:
        raise StepFailed(f"expected success of socket, seen {refused.name}") from None
    view = SocketView(step.socket, step.host, new_descriptor(made, "socket", step.host), address)
    stage.add(view)
    if not step.without_events:
        await _select(stage, view, steps.EVENTS, reported=True)
    if step.scope is not None:
        setting = {"code": "SIO_MULTICAST_SCOPE", "value": step.scope}
        await calling(stage, view, "ioctl", setting, None)
    if not step.without_binding:
        await calling(stage, view, "bind", {"address": list(address)}, None)


async def _select(
    stage: Stage, view: SocketView, events: tuple[str, ...], *, reported: bool
) -> None:
    arguments = {"events": list(events), "report": reported}
    await calling(stage, view, "event_select", arguments, None)
    for one in view.twins or [view]:
        one.selected = frozenset(events) if reported else frozenset()
        one.blocking = False


def _address(stage: Stage, step: steps.JoinStep) -> list[object]:
    """Give the address of a join's target."""
    if step.group:
        return [step.group, step.port or steps.DEFAULT_PORT]
    return address_of(stage, stage.sockets[step.socket], step.target, step.port)


def _join_arguments(stage: Stage, step: steps.JoinStep) -> dict[str, object]:
    target = stage.sockets.get(step.target)
    asked = target.host if target else step.target
    if step.error is None:
        stage.asked[step.host, asked] = step.caller_data
    return {
        "address": _address(stage, step),
        "flags": step.direction,
        "caller_data": None if step.caller_data is None else step.caller_data.hex(),
        "callee_capacity": step.room,
        **({} if step.flow is None else {"sqos": step.flow}),
    }


def _begin_join(stage: Stage, view: SocketView, arguments: Mapping[str, object]) -> None:
    """Let a blocking join begin; `the join on` waits for its end."""
    link, socket = stage.link(view), stage.descriptor(view)
    view.joining = link.begin("join_leaf", {**arguments, "socket": socket})
    view.joining_id = link.last_id


async def _join(stage: Stage, step: steps.Join) -> None:
    view = stage.sockets[step.socket]
    arguments = _join_arguments(stage, step)
    if view.blocking and step.error is None:
        _begin_join(stage, view, arguments)
        return
    await calling(stage, view, "join_leaf", arguments, step.error)


async def _invite(stage: Stage, step: steps.Invite) -> None:
    view = stage.sockets[step.socket]
    arguments = _join_arguments(stage, step)
    if step.new is None:
        await calling(stage, view, "join_leaf", arguments, step.error)
        return
    new = SocketView(step.new, step.host, None, view.address, view.selected, view.blocking)
    if view.blocking:
        stage.add(new)
        view.invited = new
        _begin_join(stage, view, arguments)
        return
    result = await calling(stage, view, "join_leaf", arguments, None)
    new.descriptor = new_descriptor(result, "join_leaf", step.host)
    stage.add(new)


async def _join_ends(stage: Stage, step: steps.JoinEnds) -> None:
    view = stage.sockets[step.socket]
    if view.joining is None:
        await stage.see(view, Sight("FD_CONNECT", step.error or "SUCCESS"))
        return
    wanted = step.error or "success"
    answer, view.joining = view.joining, None
    if not await stage.returned(answer, wanted):
        raise StepFailed(f"expected {wanted} of the join, seen no end of it")
    try:
        result = answer.result()
    except Refused as refused:
        if refused.name != step.error:
            raise StepFailed(f"expected {wanted} of the join, seen {refused.name}") from None
        return
    if step.error is not None:
        raise StepFailed(f"expected {wanted} of the join, seen success")
    if view.invited is not None:
        stage.settle_descriptor(view.invited, new_descriptor(result, "join_leaf", view.host))


async def _accept(stage: Stage, step: steps.Accept) -> None:
    view = stage.sockets[step.socket]
    if step.peer != "nobody":
        report = await stage.announced(view, "FD_ACCEPT", "to accept")
        if report is not None:
            report.used = True
    data = None if step.callee_data is None else step.callee_data.hex()
    arguments = {"condition": "accept", "callee_data": data}
    result = await calling(stage, view, "accept", arguments, step.error)
    if step.new is None:
        return
    descriptor = new_descriptor(result, "accept", step.host)
    stage.add(
        SocketView(step.new, step.host, descriptor, view.address, view.selected, view.blocking)
    )
    _check_peer(stage, step, result.get("address"))
    asked = stage.asked.get((step.peer, step.host))
    compare(f"caller data of {step.peer}", asked, result.get("caller_data"))


def _check_peer(
    stage: Stage, step: steps.Accept | steps.Reject | steps.Defer, seen: object
) -> None:
    if not _is_from(stage, step.peer, seen):
        where = seen[0] if isinstance(seen, list) and seen else seen
        known = [host.name for host in stage.plan.hosts if _is_from(stage, host.name, seen)]
        who = f"one from {known[0]}" if known else f"one from {where}"
        raise StepFailed(f"expected a request from {step.peer} on {step.socket}, seen {who}")


def _is_from(stage: Stage, host: str, address: object) -> bool:
    own = {one.partition("/")[0] for one in stage.hosts[host].addresses}
    return isinstance(address, list) and any(ip == address[0] for ip in own if address)


async def _decide(stage: Stage, step: steps.Reject | steps.Defer) -> None:
    view = stage.sockets[step.socket]
    refusing = isinstance(step, steps.Reject)
    report = await stage.announced(view, "FD_ACCEPT", f"to {'reject' if refusing else 'defer'}")
    asked: list[Any] = []

    def decide(condition: Mapping[str, Any]) -> Decision:
        asked.append(condition.get("address"))
        return "reject" if refusing and _is_from(stage, step.peer, asked[-1]) else "defer"

    wanted = "WSAECONNREFUSED" if refusing else "WSATRY_AGAIN"
    try:
        await stage.call(view, "accept", {"condition": "ask"}, decide)
        seen = "success"
    except Refused as refused:
        seen = refused.name
    if not asked:
        raise StepFailed(f"expected the condition function to be asked, seen {seen} of accept")
    _check_peer(stage, step, asked[-1])
    if seen != wanted:
        raise StepFailed(f"expected {wanted} of accept, seen {seen}")
    if report is not None:
        report.used = refusing


async def _receive(stage: Stage, step: steps.Receive) -> None:
    view = stage.sockets[step.socket]
    if step.data is not None:
        await _readable(stage, view)
    result = await calling(stage, view, "recv", {}, step.error)
    if step.data is not None:
        compare("data", step.data, result.get("data"))
        stage.received = step.data
        if bool(result.get("private")) is not step.in_private:
            wanted = "private" if step.in_private else "group"
            raise StepFailed(f"expected {wanted} data, seen the other kind")


async def _take(stage: Stage, step: steps.Take) -> None:
    view = stage.sockets[step.socket]
    await _readable(stage, view)
    result = await calling(stage, view, "recv", {}, None)
    try:
        stage.received = bytes.fromhex(result["data"])
    except (KeyError, TypeError, ValueError):
        told = octets_shown(result.get("data"))
        raise StepFailed(f"expected data as hexadecimal text, seen {told}") from None


async def _readable(stage: Stage, view: SocketView) -> None:
    report = await stage.announced(view, "FD_READ", "to receive")
    if report is not None:
        report.used = True


async def _see(stage: Stage, step: steps.See) -> None:
    view = stage.sockets[step.socket]
    for sight in step.sights:
        await stage.see(view, sight)
    if step.sights:
        return
    await stage.settle()
    unseen = [report for report in stage.reports(view)[view.position :] if not report.taken]
    if unseen:
        raise StepFailed(f"expected nothing on {view.name}, seen {said(unseen)}")


async def _saw(stage: Stage, step: steps.Saw) -> None:
    await stage.settle()
    view = stage.sockets[step.socket]
    seen = [name(report) for report in stage.reports(view)]
    wanted = [str(sight) for sight in step.sights]
    if seen != wanted:
        told, listed = ", ".join(wanted) or "nothing", ", ".join(seen) or "nothing"
        raise StepFailed(f"expected {told} on {view.name} in all, seen {listed}")
