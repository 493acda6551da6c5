"""Tools for testing endpoints, ours and others'.

- `bus`: providers on a virtual network with seeded faults, in virtual time
- `actor`: their sockets as objects, and the scenes most tests begin with
- `playbook`: feed one machine an input and state its effects; nothing may be left unclaimed
- `ends`: the four ends of a membership for a playbook, and what their peers would say
- `conversation`: one endpoint, and strangers who talk to it
- `explore`, `exploration`: all interleavings of small sessions of the real machines
- `peers`: endpoints of other making, to be put in the place of the reference endpoint
- `broken`: deliberately wrong variants of the reference endpoint, for proving the judge
"""
