"""What the service is measured against: pipelines that others would put together, run as programs of their own."""
