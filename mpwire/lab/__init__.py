"""Hosts in network namespaces, the switch between them, testbed files and their scripts.

From the file to the wire:

- `testbed`, `source`, `grammar`: read and validate a testbed file, with positions for mistakes
- `plan`, `steps`, `timers`, `words`: what it asks for, as data
- `launch`, `supervisor`, `refusal`: start the lab process in namespaces of its own, rootless
- `inner`, `runner`, `script`: what runs in there: one thread that drives agents through a script
- `fabric`: the hosts and the switch, as the runner sees them
- `switch`, `craft`: the forwarding function and the few frames that it makes itself
- `attaching`: all hosts and the ring that hears them
- `hosts`, `ports`, `namespaces`, `netlink`, `counters`, `process`: one host, down to the kernel
- `contract`: whether a program keeps the agent contract
- `doctor`: what this machine can do
"""
