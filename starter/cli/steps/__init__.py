"""Steps that do not get on: asked for, grouped by what fails, said in words."""
