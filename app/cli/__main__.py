"""`python -m app.cli` is `manualqa`."""

from app.cli.main import main

main()
