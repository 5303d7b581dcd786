"""The browser app and the REST API, both upon one :class:`~avatargan.web.service.AvatarService`."""
