-- SPDX-License-Identifier: Apache-2.0
-- A little of all that makes files: run twice in a row it must succeed twice.
drop database if exists other;
drop schema if exists t cascade;
create schema t;
set search_path = t;

-- Kinds of indexes, toasted values, constraints.
create table a(id serial primary key, k int, txt text, js jsonb, ts tsvector, p point, r int4range, big text);
alter table a alter column big set storage external;
insert into a(k, txt, js, ts, p, r, big)
	select i % 97, 'text ' || i, jsonb_build_object('n', i, 'l', array[i, i+1]), to_tsvector('simple', 'word' || i % 50 || ' other'), point(i, -i), int4range(i, i+10), repeat(md5(i::text), 300)
	from generate_series(1, 3000) i;
create index on a(k);
create index on a using hash(txt);
create index on a using gin(js);
create index on a using gin(ts);
create index on a using gist(p);
create index on a using gist(r);
create index on a using brin(id);
create unique index on a(lower(txt));
set enable_seqscan = off;
do $$
begin
	assert (select count(*) from a where k = 5) = 31, 'btree';
	assert (select id from a where txt = 'text 77') = 77, 'hash';
	assert (select count(*) from a where js @> '{"n": 99}') = 1, 'gin';
	assert (select count(*) from a where ts @@ to_tsquery('simple', 'word7')) = 60, 'text search';
	assert (select count(*) from a where p <@ box '((10,-10),(19,-19))') = 10, 'gist';
	assert (select count(*) from a where r @> 500) = 10, 'range';
	assert (select sum(length(big)) from a) = 3000 * 9600, 'toast';
end $$;
reset enable_seqscan;

-- Transactions, savepoints, two phases, foreign keys, triggers.
create table parent(id int primary key);
create table child(id int references parent on delete cascade, v int);
insert into parent select generate_series(1, 100);
insert into child select i % 100 + 1, i from generate_series(1, 1000) i;
begin;
delete from parent where id <= 50;
savepoint s;
delete from parent;
rollback to s;
commit;
do $$ begin assert (select count(*) from child) = 500, 'cascade and savepoint'; end $$;
begin;
insert into parent values(1000);
prepare transaction 'two';
commit prepared 'two';
do $$ begin assert exists(select from parent where id = 1000), 'two phases'; end $$;

-- Copies of files: tablespace, moved table, a new database, unlogged and temporary tables, sorts that spill.
create tablespace space location :'space';
create table moved tablespace space as select i, md5(i::text) m from generate_series(1, 5000) i;
alter table moved set tablespace pg_default;
alter table moved set tablespace space;
create index on moved(m) tablespace space;
do $$ begin assert (select count(distinct m) from moved) = 5000, 'tablespace'; end $$;
drop table moved;
drop tablespace space;
create unlogged table u as select * from a;
set work_mem = '64kB';
do $$ begin assert (select count(*) from (select txt from u order by big desc, txt) s) = 3000, 'external sort'; end $$;
reset work_mem;
create temp table tmp as select * from a;
create table parts(i int, v text) partition by range(i);
create table parts1 partition of parts for values from (0) to (1000);
create table parts2 partition of parts for values from (1000) to (2000);
insert into parts select i, 'v' from generate_series(0, 1999) i;
alter table parts detach partition parts1;
drop table parts1;
do $$ begin assert (select count(*) from parts) = 1000, 'partitions'; end $$;
create database other;
drop database other;

-- Rewrites.
update a set k = k + 1, txt = txt || '!' where id % 3 = 0;
delete from a where id % 5 = 0;
vacuum full a;
cluster a using a_pkey;
reindex table a;
vacuum analyze a;
truncate u;
alter table a add column extra int default 7, alter column k type bigint;
do $$ begin assert (select count(*) from a where extra = 7) = 2400, 'rewritten'; end $$;

-- Large objects, and files through the server.
select lo_from_bytea(424242, decode(repeat('ab', 200000), 'hex')) \gset
do $$ begin assert length(lo_get(424242)) = 200000, 'large object'; end $$;
select lo_unlink(424242) \gset
copy a(id, txt) to '/tmp/a.copy';
create table b(id int, txt text);
copy b from '/tmp/a.copy';
do $$ begin assert (select count(*) from b) = 2400, 'copy'; end $$;
checkpoint;
select pg_switch_wal() \gset
