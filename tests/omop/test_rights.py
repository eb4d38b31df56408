"""What the database role may do, on a real server."""

from psycopg2 import sql

from hfrisk.omop.connection import connect
from hfrisk.omop.rights import read_rights


def test_a_superuser_is_told_from_a_reader(cdm):
    cdm.add("person_v", "person_id bigint")
    with connect(cdm.config()) as database:
        rights = read_rights(database, cdm.schema)
    assert rights.is_superuser
    assert rights.may_write
    assert rights.num_readable == 1


def test_a_role_with_select_only_may_not_write(cdm):
    cdm.add("person_v", "person_id bigint")
    role = sql.Identifier(f"reader_{cdm.schema}")
    with cdm.admin.cursor() as cursor:
        for statement in ("CREATE ROLE {role}", "GRANT USAGE ON SCHEMA {schema} TO {role}", "GRANT SELECT ON {schema}.person_v TO {role}"):
            cursor.execute(sql.SQL(statement).format(role=role, schema=sql.Identifier(cdm.schema)))
    try:
        with connect(cdm.config()) as database:
            with database.connection.cursor() as cursor:
                cursor.execute(sql.SQL("SET ROLE {}").format(role))
            rights = read_rights(database, cdm.schema)
        assert (rights.may_write, rights.num_readable, rights.num_writable) == (False, 1, 0)
    finally:
        with cdm.admin.cursor() as cursor:
            cursor.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role))


def test_an_absent_schema_shows_no_table(cdm):
    with connect(cdm.config()) as database:
        assert read_rights(database, "nowhere").num_readable == 0
