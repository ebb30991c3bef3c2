"""Training runs with seeded faults, and healthy ones beside them: how well a diagnosis tells them apart."""
