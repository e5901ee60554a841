// Owns: the start of the console. May import: its siblings, ui.
