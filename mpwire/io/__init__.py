"""The only place that touches real sockets and real time.

- `udp`: UDP sockets as the provider's transport, and the ICMP errors that come back to them
- `driver`: an asyncio loop that carries datagrams and timers between the two
- `aio`: multipoint sockets to await, over `host` (a provider on a loop) and `observed` (one socket)
- `blocking`: the same sockets with plain calls, over `background` (a loop in a thread)
- `errors`: what the facades raise: the standard library's errors with Winsock codes
- `calls`: the calls of the agent contract as typed values; `schema`: their JSON Schema
- `handlers`: what the agent does for each call
- `lines`: lines from a descriptor
- `agent`: the reference endpoint, JSON Lines on standard input and output
"""
