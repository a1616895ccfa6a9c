/*
 * bare-loop: what SQLite itself costs.
 *
 * Writes into TARGET the rows that the engine has written into SOURCE since both were the same file: the same rows,
 * with the same indexes, settings and number of events in a transaction, by prepared statements in a loop. Nothing is
 * read, decided or made while the clock runs; rows are in memory before it starts.
 *
 *   cc -O2 -Wall -Wextra -o bare-loop bare-loop.c -lsqlite3
 *   ./bare-loop TARGET SOURCE EVENTS_IN_A_TRANSACTION
 *
 * Prints "events rows transactions seconds".
 */
#include "database.h"

#include <time.h>

struct row {
    int table;
    sqlite3_value **values;
};

static struct row *rows;
static size_t row_count, row_room;
static int column_counts[TABLES];
static sqlite3_stmt *inserts[TABLES];

static void keep_row(int table, sqlite3_stmt *statement)
{
    if (row_count == row_room) {
        row_room = row_room ? 2 * row_room : 4096;
        rows = checked(realloc(rows, row_room * sizeof *rows));
    }
    sqlite3_value **values = checked(calloc((size_t) column_counts[table], sizeof *values));
    for (int column = 0; column < column_counts[table]; column++)
        values[column] = checked(sqlite3_value_dup(sqlite3_column_value(statement, column)));
    rows[row_count++] = (struct row){table, values};
}

static void keep_rows(sqlite3 *source, sqlite3_stmt *query, int table, sqlite3_value *key)
{
    int code;
    check(source, sqlite3_bind_value(query, 1, key), "bind");
    while ((code = sqlite3_step(query)) == SQLITE_ROW)
        keep_row(table, query);
    check(source, code, "query");
    sqlite3_reset(query);
}

/* Which execution an event of the engine's run has started, and which mails an execution has brought. */
static void relate_rows(sqlite3 *source, const char *target_path)
{
    char *attach = sqlite3_mprintf("ATTACH %Q AS target", target_path);
    run(source, checked(attach));
    sqlite3_free(attach);
    run(source, "CREATE TEMP TABLE started (event BLOB PRIMARY KEY, execution BLOB) WITHOUT ROWID;"
                "INSERT INTO started SELECT trigger_event_id, id FROM main.executions"
                " WHERE id > (SELECT max(id) FROM target.executions);"
                "CREATE TEMP TABLE mails (execution BLOB, id BLOB, PRIMARY KEY (execution, id)) WITHOUT ROWID;"
                "INSERT INTO mails SELECT execution_id, id FROM main.outbox"
                " WHERE id > (SELECT max(id) FROM target.outbox)");
}

/* Events that TARGET does not have, each followed by the rows of the execution that it started. */
static size_t read_rows(sqlite3 *source)
{
    sqlite3_stmt *events = prepare(source, "SELECT e.*, s.execution FROM main.events e LEFT JOIN started s ON"
                                           " s.event = e.id WHERE e.id > (SELECT max(id) FROM target.events)"
                                           " ORDER BY e.id");
    sqlite3_stmt *executions = prepare(source, "SELECT * FROM main.executions WHERE id = ?");
    sqlite3_stmt *steps = prepare(source, "SELECT * FROM main.step_executions WHERE execution_id = ? ORDER BY sequence");
    sqlite3_stmt *mails = prepare(source, "SELECT o.* FROM mails m JOIN main.outbox o ON o.id = m.id WHERE m.execution = ?");
    size_t count = 0;
    int code;
    while ((code = sqlite3_step(events)) == SQLITE_ROW) {
        keep_row(EVENTS, events);
        count++;
        sqlite3_value *execution = sqlite3_column_value(events, column_counts[EVENTS]);
        if (sqlite3_value_type(execution) == SQLITE_NULL)
            continue;
        keep_rows(source, executions, EXECUTIONS, execution);
        keep_rows(source, steps, STEPS, execution);
        keep_rows(source, mails, OUTBOX, execution);
    }
    check(source, code, "events");
    sqlite3_finalize(events);
    sqlite3_finalize(executions);
    sqlite3_finalize(steps);
    sqlite3_finalize(mails);
    return count;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void write_row(sqlite3 *target, const struct row *row)
{
    sqlite3_stmt *insert = inserts[row->table];
    for (int column = 0; column < column_counts[row->table]; column++)
        sqlite3_bind_value(insert, column + 1, row->values[column]);
    if (sqlite3_step(insert) != SQLITE_DONE)
        check(target, sqlite3_errcode(target), "insert");
    sqlite3_reset(insert);
}

int main(int argc, char **argv)
{
    long batch = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    if (batch < 1) {
        fprintf(stderr, "usage: bare-loop TARGET SOURCE EVENTS_IN_A_TRANSACTION\n");
        return EX_USAGE;
    }
    sqlite3 *target = open_database(argv[1]);
    for (int table = 0; table < TABLES; table++)
        inserts[table] = prepare_insert(target, table_names[table], &column_counts[table]);
    sqlite3 *source = open_database(argv[2]);
    relate_rows(source, argv[1]);
    size_t events = read_rows(source);
    check(NULL, sqlite3_close(source), "close");

    sqlite3_stmt *begin = prepare(target, "BEGIN IMMEDIATE");
    sqlite3_stmt *commit = prepare(target, "COMMIT");
    long in_batch = 0, transactions = 0;
    double start = now();
    for (size_t index = 0; index < row_count; index++) {
        if (rows[index].table == EVENTS && in_batch++ % batch == 0) {
            if (index > 0) {
                check(target, sqlite3_step(commit), "COMMIT");
                sqlite3_reset(commit);
            }
            check(target, sqlite3_step(begin), "BEGIN");
            sqlite3_reset(begin);
            transactions++;
        }
        write_row(target, &rows[index]);
    }
    check(target, sqlite3_step(commit), "COMMIT");
    double seconds = now() - start;
    printf("%zu %zu %ld %.6f\n", events, row_count, transactions, seconds);
    for (int table = 0; table < TABLES; table++)
        sqlite3_finalize(inserts[table]);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    check(NULL, sqlite3_close(target), "close");
    return EX_OK;
}
