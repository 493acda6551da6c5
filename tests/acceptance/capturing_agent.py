"""Be the reference agent with tcpdump beside it, in the same namespace.

    python capturing_agent.py FILE

tcpdump starts first and is stopped after the agent has ended, so that FILE holds the whole session.
"""

import os
import signal
import subprocess
import sys


def main() -> int:
    """Capture, serve, stop capturing."""
    # tcpdump gives up root for a user of its own, who does not exist in a lab: keep ours.
    command = ["tcpdump", "-i", "eth0", "-U", "--immediate-mode", "-w", sys.argv[1], "-Z", "root"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as tcpdump:
        assert tcpdump.stderr is not None
        for line in tcpdump.stderr:
            os.write(2, line)
            if b"listening on" in line:
                break
        try:
            return subprocess.call([sys.executable, "-m", "mpwire.io.agent"])
        finally:
            tcpdump.send_signal(signal.SIGINT)
            tcpdump.stderr.read()


if __name__ == "__main__":
    sys.exit(main())
