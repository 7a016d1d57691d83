"""Every public function called with every sort of bad value, one argument at a time."""
