"""hasync keeps Redis in step with MySQL through the loss of any machine.

Handlers (see ``docs/configuration.md``) import what they need from here.
"""

__version__ = "0.1.0"
