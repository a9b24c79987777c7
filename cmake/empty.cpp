// A library needs one source of its own; the folders bring the rest.
