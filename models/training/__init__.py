"""How the embedded net is made: prepare photographs, train, export, evaluate. One module, one command each."""
