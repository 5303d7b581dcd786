"""The tabs, in the order in which they are shown.

A tab is a module with ``NAME`` (its id), ``TITLE`` (a key of ``translations/*.json``) and
``build(context)``, which makes its components and events. To add one, write the module and name
it here. Tabs that are built later can use what earlier ones put into the context.
"""

from avatargan.web.ui.tabs import collection, create, export, morph, restore

TABS = (create, collection, morph, export, restore)
