"""The driver: many UDP sockets of one process, none of which is mistaken for another."""

import asyncio

import pytest

from mpwire.core.address import Address
from mpwire.io.aio import Root, join
from mpwire.io.host import Host
from mpwire.vocabulary import NetworkEvent
from tests.io.loopback import LOCAL, has_ipv6


@pytest.mark.skipif(not has_ipv6(), reason="this machine cannot run it: no ::1")
def test_wildcards_of_both_families_share_a_port() -> None:
    async def scene() -> None:
        async with Root(("0.0.0.0", 0)) as four:
            port = four.getsockname()[1]
            async with Root(("::", port)) as six:
                for root, host in ((four, "127.0.0.1"), (six, "::1")):
                    root.listen()
                    accepting = asyncio.create_task(root.accept())
                    async with await join((host, port)) as leaf:
                        assert (await accepting).getsockname() == (host, port)
                        assert leaf.getpeername() == (host, port)

    asyncio.run(scene())


def test_draining_handles_what_is_queued_at_any_socket() -> None:
    async def scene() -> None:
        here, there = Host(), Host()
        roots = [Root(LOCAL, host=here) for _ in range(20)]
        addresses: list[Address] = []
        for root in roots:
            root.listen()
            addresses.append(root.getsockname())
        joining = [asyncio.create_task(join(address, host=there)) for address in addresses]
        while not all(NetworkEvent.FD_ACCEPT in root.unread for root in roots):
            await asyncio.wait(joining, timeout=0)  # lets the leaves speak, and nobody listen
            here.driver.drain()
            there.driver.drain()
            here.progress()
        for root in roots:
            await root.accept()
        for leaf in await asyncio.gather(*joining):
            leaf.close()
        here.close()
        there.close()

    asyncio.run(scene())
