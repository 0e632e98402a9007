-- Only where binlog_row_metadata is not FULL: the columns' names come from the catalog then, one line per table.
GRANT SELECT ON shop.users TO 'hasync'@'%';
