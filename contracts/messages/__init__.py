"""Messages between workflows, activities and clients: one module per subject."""
