-- The four worked examples, and a ledger in which MySQL itself notes what Redis must look like.
--
-- The ledger is filled by triggers, so its rows commit and roll back with the changes they
-- describe: the audit needs nothing but MySQL and Redis, and trusts no client's word.
-- Runs in the mysql client, too (hence DELIMITER). utf8mb4_bin: triggers compare as the binlog
-- does, byte by byte; under a case-insensitive collation a rename to upper case is no change.

CREATE DATABASE order_db CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE test CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE ledger CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE order_db.user_balance (
  uid         INT NOT NULL PRIMARY KEY,
  username    VARCHAR(50),
  balance     INT,
  update_time DATETIME
);

CREATE TABLE test.users (
  id       INT NOT NULL PRIMARY KEY,
  username VARCHAR(50) NOT NULL,
  email    VARCHAR(120),
  bio      TEXT,
  visits   INT NOT NULL DEFAULT 0
);

CREATE TABLE test.orders (
  id      BIGINT NOT NULL PRIMARY KEY,
  user_id INT NOT NULL,
  status  VARCHAR(20) NOT NULL,
  amount  DECIMAL(12, 2) NOT NULL,
  note    VARCHAR(200),
  KEY (user_id)
);

CREATE TABLE test.products (
  id    BIGINT NOT NULL PRIMARY KEY,
  name  VARCHAR(100),
  price DECIMAL(10, 2) NOT NULL,
  stock INT NOT NULL
);

-- Every row change of the four tables that committed.
CREATE TABLE ledger.changes (
  id        BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  tbl       VARCHAR(20) NOT NULL,
  operation VARCHAR(10) NOT NULL
);

-- The last balance that an update set, by uid: what user:balance:{uid} must hold. An account that
-- moves to another uid takes its key along; the rule is for updates only, so a deleted one keeps it.
CREATE TABLE ledger.balances (
  uid     INT NOT NULL PRIMARY KEY,
  balance INT
);

-- Cache keys that the clients put into Redis, once each, before any change that concerns them.
CREATE TABLE ledger.seeded (
  cache_key VARBINARY(300) NOT NULL PRIMARY KEY
);

-- Cache keys that a committed change has made invalid: they must be gone from Redis.
CREATE TABLE ledger.touched (
  cache_key VARBINARY(300) NOT NULL PRIMARY KEY
);

DELIMITER //

CREATE TRIGGER order_db.user_balance_inserted AFTER INSERT ON order_db.user_balance FOR EACH ROW
  INSERT INTO ledger.changes (tbl, operation) VALUES ('user_balance', 'insert')//

CREATE TRIGGER order_db.user_balance_updated AFTER UPDATE ON order_db.user_balance FOR EACH ROW
BEGIN
  -- An update that changes nothing fires triggers, but writes no row to the binlog.
  IF NOT (OLD.uid <=> NEW.uid AND OLD.username <=> NEW.username AND OLD.balance <=> NEW.balance
          AND OLD.update_time <=> NEW.update_time) THEN
    INSERT INTO ledger.changes (tbl, operation) VALUES ('user_balance', 'update');
  END IF;
  IF OLD.uid <> NEW.uid THEN
    DELETE FROM ledger.balances WHERE uid = OLD.uid;
  END IF;
  IF OLD.uid <> NEW.uid OR NOT (OLD.balance <=> NEW.balance) THEN
    REPLACE INTO ledger.balances (uid, balance) VALUES (NEW.uid, NEW.balance);
  END IF;
END//

CREATE TRIGGER order_db.user_balance_deleted AFTER DELETE ON order_db.user_balance FOR EACH ROW
  INSERT INTO ledger.changes (tbl, operation) VALUES ('user_balance', 'delete')//

CREATE TRIGGER test.users_inserted AFTER INSERT ON test.users FOR EACH ROW
BEGIN
  INSERT INTO ledger.changes (tbl, operation) VALUES ('users', 'insert');
  INSERT IGNORE INTO ledger.touched (cache_key) VALUES (CONCAT('user:', NEW.id));
END//

CREATE TRIGGER test.users_updated AFTER UPDATE ON test.users FOR EACH ROW
BEGIN
  IF NOT (OLD.id <=> NEW.id AND OLD.username <=> NEW.username AND OLD.email <=> NEW.email
          AND OLD.bio <=> NEW.bio AND OLD.visits <=> NEW.visits) THEN
    INSERT INTO ledger.changes (tbl, operation) VALUES ('users', 'update');
    INSERT IGNORE INTO ledger.touched (cache_key) VALUES (CONCAT('user:', OLD.id)), (CONCAT('user:', NEW.id));
  END IF;
  IF NOT (OLD.username <=> NEW.username) THEN
    INSERT IGNORE INTO ledger.touched (cache_key) VALUES (CONCAT('user:username:', OLD.username));
  END IF;
  IF OLD.email IS NOT NULL AND NOT (OLD.email <=> NEW.email) THEN
    INSERT IGNORE INTO ledger.touched (cache_key) VALUES (CONCAT('user:email:', OLD.email));
  END IF;
END//

CREATE TRIGGER test.users_deleted AFTER DELETE ON test.users FOR EACH ROW
BEGIN
  INSERT INTO ledger.changes (tbl, operation) VALUES ('users', 'delete');
  INSERT IGNORE INTO ledger.touched (cache_key)
    VALUES (CONCAT('user:', OLD.id)), (CONCAT('user:username:', OLD.username));
  IF OLD.email IS NOT NULL THEN
    INSERT IGNORE INTO ledger.touched (cache_key) VALUES (CONCAT('user:email:', OLD.email));
  END IF;
END//

CREATE TRIGGER test.orders_inserted AFTER INSERT ON test.orders FOR EACH ROW
BEGIN
  INSERT INTO ledger.changes (tbl, operation) VALUES ('orders', 'insert');
  INSERT IGNORE INTO ledger.touched (cache_key)
    VALUES (CONCAT('order:', NEW.id)), (CONCAT('user:', NEW.user_id, ':orders')),
           (CONCAT('user:', NEW.user_id, ':order:stats'));
END//

CREATE TRIGGER test.orders_updated AFTER UPDATE ON test.orders FOR EACH ROW
BEGIN
  IF NOT (OLD.id <=> NEW.id AND OLD.user_id <=> NEW.user_id AND OLD.status <=> NEW.status
          AND OLD.amount <=> NEW.amount AND OLD.note <=> NEW.note) THEN
    INSERT INTO ledger.changes (tbl, operation) VALUES ('orders', 'update');
    INSERT IGNORE INTO ledger.touched (cache_key)
      VALUES (CONCAT('order:', OLD.id)), (CONCAT('order:', NEW.id)),
             (CONCAT('user:', OLD.user_id, ':orders')), (CONCAT('user:', NEW.user_id, ':orders')),
             (CONCAT('user:', OLD.user_id, ':order:stats')), (CONCAT('user:', NEW.user_id, ':order:stats'));
  END IF;
END//

CREATE TRIGGER test.orders_deleted AFTER DELETE ON test.orders FOR EACH ROW
BEGIN
  INSERT INTO ledger.changes (tbl, operation) VALUES ('orders', 'delete');
  INSERT IGNORE INTO ledger.touched (cache_key)
    VALUES (CONCAT('order:', OLD.id)), (CONCAT('user:', OLD.user_id, ':orders')),
           (CONCAT('user:', OLD.user_id, ':order:stats'));
END//

CREATE TRIGGER test.products_inserted AFTER INSERT ON test.products FOR EACH ROW
  INSERT INTO ledger.changes (tbl, operation) VALUES ('products', 'insert')//

CREATE TRIGGER test.products_updated AFTER UPDATE ON test.products FOR EACH ROW
BEGIN
  IF NOT (OLD.id <=> NEW.id AND OLD.name <=> NEW.name AND OLD.price <=> NEW.price AND OLD.stock <=> NEW.stock) THEN
    INSERT INTO ledger.changes (tbl, operation) VALUES ('products', 'update');
  END IF;
END//

CREATE TRIGGER test.products_deleted AFTER DELETE ON test.products FOR EACH ROW
  INSERT INTO ledger.changes (tbl, operation) VALUES ('products', 'delete')//

DELIMITER ;
