"""Pure: definitions come in, are checked and become graphs; events come in, commands go out."""
