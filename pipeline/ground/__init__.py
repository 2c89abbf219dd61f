"""What every room stands on: the words of the house, its errors, its settings, files that appear whole."""
