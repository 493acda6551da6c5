"""The smallest session that is worth a run, for tests of commands."""


def session_of(*talk: str, scale: float = 0.1) -> str:
    """Write a testbed: a leaf comes, something happens, the leaf goes."""
    return f"""\
about: a root and a leaf
hosts: [root, leaf1]
timers: {{scale: {scale}}}
script:
  - root opens R as c_root/d_root
  - leaf1 opens L1 as c_leaf/d_leaf
  - root listens on R
  - leaf1 joins R with L1
  - root accepts leaf1 on R as P1
  - L1 sees FD_CONNECT
{"".join(f"  - {sentence}{chr(10)}" for sentence in talk)}\
  - leaf1 closes L1
  - P1 sees FD_CLOSE
"""
