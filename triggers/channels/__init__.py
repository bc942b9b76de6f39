"""Channels: the ways in which a message leaves the building."""

from triggers.channels.base import Channel
from triggers.channels.email.channel import EmailChannel

CHANNELS: dict[str, Channel] = {"email": EmailChannel()}

__all__ = ["CHANNELS", "Channel"]
