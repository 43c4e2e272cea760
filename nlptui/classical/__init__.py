"""What came before the networks, and the lattice that a CRF layer on top of one shares with it."""
