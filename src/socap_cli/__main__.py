"""`python -m socap_cli` is `socap`."""

from socap_cli.cli.app import main

if __name__ == "__main__":
    main()
