"""Pure functions on text that every part shares: cleaning, sentences, language, tokens."""
