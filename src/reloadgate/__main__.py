"""`python -m reloadgate` is the command `reloadgate`."""

from reloadgate.cli import main

if __name__ == "__main__":
    main()
