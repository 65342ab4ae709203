"""Fine-tuning: examples, the training job, and the adapters that come of it."""
