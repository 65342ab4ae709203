"""Where the original files are kept, one file a back end."""
