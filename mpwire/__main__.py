"""Let `python -m mpwire` be the `mpwire` command."""

from mpwire.cli import main

if __name__ == "__main__":
    main()
