"""Pages of what an owner of a workspace keeps of one kind: the list, one of them, its form, its switch."""
