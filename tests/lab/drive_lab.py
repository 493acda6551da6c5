"""Be a caller: launch the scenario of the first argument and print the lab's lines."""

import json
import sys
from pathlib import Path

from mpwire.errors import MachineError
from mpwire.lab.launch import launch


def main() -> int:
    """Drive one lab."""
    spec = json.loads(sys.argv[1])
    try:
        with launch(spec, "inner_scenarios", [str(Path(__file__).parent)]) as lab:
            print(json.dumps({"supervisor": lab.pid}), flush=True)  # noqa: T201
            for line in lab.lines():
                print(json.dumps(line), flush=True)  # noqa: T201
            return lab.wait()
    except MachineError as error:
        print(json.dumps({"lacks": str(error)}), flush=True)  # noqa: T201
        return 4


if __name__ == "__main__":
    sys.exit(main())
