"""`python -m electra_ie`, which is also what `accelerate launch -m electra_ie` starts."""

from electra_ie.cli.app import main

main()
