"""Routes that any client or agent of OpenAI's API can use: knowledge bases are its models."""
