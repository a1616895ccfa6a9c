/*
 * copy-executions: fills a database with a history.
 *
 * The engine has written one execution into DATABASE, with its contact, event, steps and mail. This program writes it
 * COUNT times more, for CONTACTS contacts in turn, each copy with ids of its own that are older than the first one.
 *
 *   cc -O2 -Wall -Wextra -o copy-executions copy-executions.c -lsqlite3
 *   ./copy-executions DATABASE COUNT CONTACTS
 *
 * Ids are replaced wherever they stand in a column of bytes; texts stay as they are, except addresses, which must be
 * unique. What waits for a time waits one second longer from copy to copy.
 */
#include "database.h"

#include <stdint.h>

enum { ID = 16, ORIGINALS = 32, MOST_ROWS = 64 };

struct original {
    unsigned char id[ID];
    int is_contact;
};

static struct original originals[ORIGINALS];
static int original_count;
static int64_t first_millisecond;

static sqlite3_value **rows[TABLES][MOST_ROWS];
static int row_counts[TABLES], column_counts[TABLES], email_column, due_columns[TABLES];
static sqlite3_stmt *inserts[TABLES];

static void read_table(sqlite3 *database, int table)
{
    char *sql = sqlite3_mprintf("SELECT * FROM %s", table_names[table]);
    sqlite3_stmt *query = prepare(database, checked(sql));
    sqlite3_free(sql);
    due_columns[table] = -1;
    for (int column = 0; column < column_counts[table]; column++) {
        if (!strcmp(sqlite3_column_name(query, column), "due_at"))
            due_columns[table] = column;
        if (table == CONTACTS && !strcmp(sqlite3_column_name(query, column), "email"))
            email_column = column;
    }
    int has_own_id = table == CONTACTS || table == EVENTS || table == EXECUTIONS || table == OUTBOX;
    while (sqlite3_step(query) == SQLITE_ROW && row_counts[table] < MOST_ROWS) {
        sqlite3_value **values = checked(calloc((size_t) column_counts[table], sizeof *values));
        for (int column = 0; column < column_counts[table]; column++)
            values[column] = checked(sqlite3_value_dup(sqlite3_column_value(query, column)));
        rows[table][row_counts[table]++] = values;
        if (has_own_id && original_count < ORIGINALS) {
            memcpy(originals[original_count].id, sqlite3_value_blob(values[0]), ID);
            originals[original_count++].is_contact = table == CONTACTS;
        }
    }
    sqlite3_finalize(query);
}

/* A UUID of version 7 (RFC 9562 section 5.7): a millisecond, then bits that no other copy has. */
static void make_id(unsigned char *id, int64_t number, int which)
{
    int64_t millisecond = first_millisecond + number;
    for (int byte = 0; byte < 6; byte++)
        id[byte] = (unsigned char) (millisecond >> (40 - 8 * byte));
    id[6] = 0x70;
    id[7] = (unsigned char) which;
    id[8] = 0x80;
    for (int byte = 9; byte < ID; byte++)
        id[byte] = (unsigned char) ((uint64_t) (number + 1) * 0x9E3779B97F4A7C15u >> (8 * (byte - 9)));
}

static void bind(sqlite3_stmt *insert, int column, sqlite3_value *value, int64_t execution, int64_t contact)
{
    unsigned char id[ID];
    if (sqlite3_value_type(value) == SQLITE_BLOB && sqlite3_value_bytes(value) == ID) {
        for (int which = 0; which < original_count; which++) {
            if (memcmp(originals[which].id, sqlite3_value_blob(value), ID))
                continue;
            make_id(id, originals[which].is_contact ? contact : execution, which);
            sqlite3_bind_blob(insert, column + 1, id, ID, SQLITE_TRANSIENT);
            return;
        }
    }
    sqlite3_bind_value(insert, column + 1, value);
}

static void copy_row(sqlite3 *database, int table, sqlite3_value **values, int64_t execution, int64_t contact)
{
    sqlite3_stmt *insert = inserts[table];
    char email[64];
    for (int column = 0; column < column_counts[table]; column++)
        bind(insert, column, values[column], execution, contact);
    if (table == CONTACTS) {
        snprintf(email, sizeof email, "contact-%lld@example.org", (long long) contact);
        sqlite3_bind_text(insert, email_column + 1, email, -1, SQLITE_TRANSIENT);
    }
    int due = due_columns[table];
    if (due >= 0 && sqlite3_value_type(values[due]) == SQLITE_INTEGER)
        sqlite3_bind_int64(insert, due + 1, sqlite3_value_int64(values[due]) + execution * 1000000);
    check(database, sqlite3_step(insert), table_names[table]);
    sqlite3_reset(insert);
}

static void copy_table(sqlite3 *database, int table, int64_t execution, int64_t contact)
{
    for (int row = 0; row < row_counts[table]; row++)
        copy_row(database, table, rows[table][row], execution, contact);
}

int main(int argc, char **argv)
{
    int64_t count = argc == 4 ? strtoll(argv[2], NULL, 10) : 0;
    int64_t contacts = argc == 4 ? strtoll(argv[3], NULL, 10) : 0;
    if (count < 1 || contacts < 1) {
        fprintf(stderr, "usage: copy-executions DATABASE COUNT CONTACTS\n");
        return EX_USAGE;
    }
    sqlite3 *database = open_database(argv[1]);
    /* Nobody has to survive a power failure here. */
    run(database, "PRAGMA synchronous = OFF; PRAGMA cache_size = -262144");
    for (int table = 0; table < TABLES; table++) {
        inserts[table] = prepare_insert(database, table_names[table], &column_counts[table]);
        read_table(database, table);
    }
    if (row_counts[EXECUTIONS] != 1 || row_counts[CONTACTS] != 1) {
        fprintf(stderr, "%s must hold one execution and one contact\n", argv[1]);
        return EX_DATAERR;
    }
    for (int byte = 0; byte < 6; byte++)
        first_millisecond = first_millisecond << 8 | originals[0].id[byte];
    first_millisecond -= (count > contacts ? count : contacts) + 1000;

    run(database, "BEGIN");
    for (int64_t contact = 0; contact < contacts; contact++)
        copy_table(database, CONTACTS, 0, contact);
    for (int64_t execution = 0; execution < count; execution++) {
        for (int table = EVENTS; table < TABLES; table++)
            copy_table(database, table, execution, execution % contacts);
        if (execution % 20000 == 19999)
            run(database, "COMMIT; BEGIN");
    }
    run(database, "DELETE FROM execution_counts;"
                  "INSERT INTO execution_counts SELECT workflow_id, '', status, count(*) FROM executions GROUP BY 1, 3;"
                  "INSERT INTO execution_counts SELECT e.workflow_id, s.step, s.status, count(*)"
                  " FROM step_executions s JOIN executions e ON e.id = s.execution_id GROUP BY 1, 2, 3");
    run(database, "COMMIT");
    for (int table = 0; table < TABLES; table++)
        sqlite3_finalize(inserts[table]);
    run(database, "PRAGMA wal_checkpoint(TRUNCATE)");
    check(NULL, sqlite3_close(database), "close");
    return EX_OK;
}
