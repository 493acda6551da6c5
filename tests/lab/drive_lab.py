"""Be a caller: launch the specification of the first argument and print the lab's lines.

A second argument names the module that is the lab, in place of inner_scenarios.
"""

import json
import sys
from pathlib import Path

from mpwire.errors import MachineError
from mpwire.lab.launch import launch


def main() -> int:
    """Drive one lab."""
    spec = json.loads(sys.argv[1])
    module = sys.argv[2] if len(sys.argv) > 2 else "inner_scenarios"
    try:
        with launch(spec, module, [str(Path(__file__).parent)]) as lab:
            print(json.dumps({"supervisor": lab.pid}), flush=True)  # noqa: T201
            for line in lab.lines():
                print(json.dumps(line), flush=True)  # noqa: T201
            return lab.wait()
    except MachineError as error:
        print(json.dumps({"lacks": str(error)}), flush=True)  # noqa: T201
        return 4


if __name__ == "__main__":
    sys.exit(main())
