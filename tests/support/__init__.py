"""What tests share: isolation from the developer's settings, scratch folders, databases, servers."""
