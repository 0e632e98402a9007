"""The MySQL side: from a dump's bytes to segments of row changes, and back to a place where reading can go on.

Where to look, by the way that the data takes:

* connecting: ``connection``, ``dump``, ``commands``, ``server``, ``preflight``, ``partialimages``, ``starting``,
  ``source``
* events: ``frames``, ``transactions`` (the state machine), ``rowevents``, ``segments``, ``place``, ``gtids``,
  ``refusals``
* statements: ``statements``, ``definitions`` (tables that lose their rows), ``ddl``, ``ddlparser``, ``columnlist``,
  ``columntypes``, ``sqltokens``
* tables: ``tablemap``, ``layouts``, ``catalog``; below full metadata ``schematracker``, ``schemahistory``,
  ``schemarecords``, ``tableschema``, ``completion``, ``spots``
* rows: ``rowplan``, ``partial`` (partial JSON updates), and the compiled ``codec``: ``lane`` (plain transactions in one
  call), ``images``, ``text``, ``effects``, ``output``, ``buffer``, ``checksum``
* values: ``types``, ``numbers``, ``temporal``, ``charsets``, ``codepages``, ``identifiers``, ``jsonb``, ``jsondiff``
* transactions inside or behind an event: ``payload``, ``compressed``, ``xa``, ``archive``, ``steps``
"""
