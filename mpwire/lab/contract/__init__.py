"""The conformance self-check of the agent contract (docs/agents.md): `mpwire agent-check`.

- `schema`: the published schema, and what of a line does not fit it
- `talk`: a conversation with one agent process that watches every line
- `checks`: what is asked of every agent, line by line
- `sessions`: what is asked of its events, in a session with the reference agent on loopback
- `examine`: all of it, with a verdict for each check
"""
