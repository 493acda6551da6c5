"""Winsock 2 multipoint sessions on the wire, testable to the packet.

Read in this order:

- `vocabulary`: the event, error and verdict names that everybody shares
- `wire`: the message format (Scapy layers) and the strict codec made from it
- `core`: the protocol machines, without I/O
- `winsock`: descriptors, network-event records and provider calls, without I/O
- `io`: real UDP sockets under the provider; sockets for programs, and the agent that tests drive
- `capture`: frames and run records in and out of pcapng files
- `oracle`: what a capture proves about the socket events that were reported
- `lab`: hosts in network namespaces, the switch between them, testbed files
- `sim`: the same labs in a simulated network, in virtual time
- `report`: the ladder and the verdict as people read them
- `cli`: the `mpwire` command
- `plugin`: labs and testbeds as tests of pytest
- `testing`: playbook, bus, deliberately broken endpoints, and one in another language
"""

__version__ = "0.1.0"
