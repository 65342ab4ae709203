"""Alarms: rules on figures of the service, who watches them, and the notices that go out."""
