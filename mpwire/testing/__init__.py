"""Tools for testing endpoints, ours and others'.

- `bus`: providers on a virtual network with seeded faults, in virtual time
- `playbook`: feed one machine an input and state its effects; nothing may be left unclaimed
- `broken`: deliberately wrong variants of the reference endpoint, for proving the judge
"""
