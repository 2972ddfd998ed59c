# SPDX-License-Identifier: Apache-2.0
sqlite3 /tmp/db <<'SQL'
PRAGMA journal_mode = DELETE;
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO t(name) VALUES ('one'), ('two');
BEGIN; INSERT INTO t(name) VALUES ('three'); ROLLBACK;
PRAGMA journal_mode = WAL;
INSERT INTO t(name) SELECT name || '-' || id FROM t;
SELECT * FROM t;
VACUUM;
SQL
sqlite3 /tmp/db 'SELECT count(*) FROM t'
